//! A delivery that was signed is accepted in time, and after any change of what was signed it is refused.
//!
//! The lines are the id, the delivery's age in seconds, what to change (`id`, `age`, `body` or `signature`), where, the
//! replacement, and the body.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clerk_api::webhook::{MAX_ID_BYTES, Refusal, TOLERANCE, verify};
use clerk_fuzz::lines;
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;

const KEY: &[u8] = b"a key of the fuzz targets";
const NOW: i64 = 1_780_000_000;

fuzz_target!(|data: &[u8]| {
    let Some([id, age, what, place, replacement, body]) = lines(data) else { return };
    let (age, place) = (age.parse::<i32>().unwrap_or(0), place.parse::<usize>().unwrap_or(0));
    let timestamp = (NOW - i64::from(age)).to_string();
    let signature = signature(id, &timestamp, body);
    let accepts = |id: &str, timestamp: &str, signature: &str, body: &str| {
        let secrets = [SecretString::from(format!("whsec_{}", STANDARD.encode(KEY)))];
        verify(&secrets, id, timestamp, signature, body.as_bytes(), UNIX_EPOCH + Duration::from_secs(NOW as u64))
    };
    let result = accepts(id, &timestamp, &signature, body);
    let is_in_time = i64::from(age).abs() <= TOLERANCE;
    let is_id = !id.is_empty() && id.len() <= MAX_ID_BYTES && !id.contains('.');
    assert_eq!(result.is_ok(), is_in_time && is_id, "{id:?}, {age} s old: {result:?}");
    let late = matches!(result, Err(Refusal::TooOld { .. } | Refusal::InFuture { .. }));
    assert!(!is_id || late != is_in_time, "{result:?}");

    // One change, to any place.
    let replaced = |text: &str| {
        let mut characters: Vec<char> = text.chars().collect();
        let place = place % (characters.len() + 1);
        let end = (place + 1).min(characters.len());
        characters.splice(place..end, replacement.chars());
        characters.into_iter().collect::<String>()
    };
    let (mut changed_id, mut changed_time, mut changed_signature, mut changed_body) =
        (id.to_owned(), timestamp.clone(), signature.clone(), body.to_owned());
    match what {
        "id" => changed_id = replaced(id),
        "age" => changed_time = replaced(&timestamp),
        "signature" => changed_signature = replaced(&signature),
        _ => changed_body = replaced(body),
    }
    // The scheme signs the number, in whatever spelling it came, and one of several signatures is enough.
    let is_same = changed_id == id && changed_body == body && changed_time.parse() == timestamp.parse::<i64>();
    let is_signed = changed_signature.split(' ').any(|given| given == signature);
    if !is_same || !is_signed {
        let result = accepts(&changed_id, &changed_time, &changed_signature, &changed_body);
        assert!(result.is_err(), "{changed_id:?}, {changed_time:?}, {changed_body:?} pass for {id:?}, {body:?}");
    }

    // What is signed are all parts in one text, so that the border between them must not move. No id that Clerk gives has a
    // full stop.
    if !is_id {
        return;
    }
    let signed = format!("{id}.{timestamp}.{body}");
    let stops: Vec<usize> = signed.match_indices('.').map(|(at, _)| at).take(20).collect();
    for (number, first) in stops.iter().enumerate() {
        for second in &stops[number + 1..] {
            let (other_id, other_time, other_body) =
                (&signed[..*first], &signed[first + 1..*second], &signed[second + 1..]);
            if (other_id, other_time, other_body) != (id, &timestamp, body) {
                let result = accepts(other_id, other_time, &signature, other_body);
                assert!(result.is_err(), "{other_id:?}, {other_time:?}, {other_body:?} pass for {id:?}, {body:?}");
            }
        }
    }
});

/// The signature of a delivery, by the definition of Standard Webhooks.
fn signature(id: &str, timestamp: &str, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    format!("v1,{}", STANDARD.encode(hmac_sha256::HMAC::mac(signed.as_bytes(), KEY)))
}
