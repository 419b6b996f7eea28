//! A wait is never longer or shorter than Clerk asks for, and Clerk's own words for an error are kept.
//!
//! The first line is a `Retry-After` header, the rest the body of an error.
#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clerk_api::fuzzing::{problem, retry_after};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let now = UNIX_EPOCH + Duration::from_secs(1_780_000_000);
    check_wait(header, retry_after(header, now), now);
    check_problem(body);
});

fn check_wait(header: &[u8], wait: Option<Duration>, now: SystemTime) {
    // HTTP allows no other characters in a header.
    if !header.iter().all(|byte| byte.is_ascii_graphic() || b" \t".contains(byte)) {
        return;
    }
    let text = String::from_utf8_lossy(header);
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = text.trim_start_matches('0');
        match wait {
            // Longer than the age of the universe is as long as can be said.
            Some(wait) if digits.len() > 20 => assert_eq!(wait, Duration::from_secs(u64::MAX)),
            Some(wait) => {
                let asked = digits.parse::<u128>().unwrap_or(0).min(u64::MAX.into());
                assert_eq!(u128::from(wait.as_secs()), asked, "{text:?}");
            }
            None => panic!("{text:?} is a number of seconds"),
        }
    } else if let Some(wait) = wait {
        let date = httpdate::parse_http_date(text).expect("what is no number is a date");
        assert_eq!(now + wait, date, "{text:?}");
    }
}

fn check_problem(body: &[u8]) {
    let problem = problem(body);
    assert!(!problem.to_string().is_empty());
    let document = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let Some(first) = document["errors"].as_array().and_then(|errors| errors.first()).filter(|first| first.is_object())
    else {
        return;
    };
    // Where one member has another type, the body is quoted.
    if problem.message.starts_with("a body that begins with ") {
        return;
    }
    let text = |name: &str| first[name].as_str();
    let message = ["long_message", "message"].into_iter().filter_map(text).find(|text| !text.is_empty());
    let message = message.unwrap_or("no message");
    assert_eq!(problem.message, message);
    assert_eq!(problem.code.as_deref(), text("code"));
    assert_eq!(problem.trace_id.as_deref(), document["clerk_trace_id"].as_str());
}
