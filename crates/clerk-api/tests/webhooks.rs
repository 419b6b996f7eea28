//! Verifies and parses webhooks: those that Clerk sends are accepted, and changed or forged ones are refused.
//!
//! Clerk's description of all events is not part of the project. It is read from the directory that `CLERK_OPENAPI_DIR`
//! names, or else from beside the project's directory.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clerk_api::catalog::Change;
use clerk_api::catalog::OBJECTS;
use clerk_api::webhook::{Event, MAX_BODY_BYTES, MAX_ID_BYTES, Refusal, TOLERANCE, check_secret, verify};
use secrecy::SecretString;
use serde_json::Value;
use standardwebhooks::Webhook;

/// The key, id, time, body and signature that the libraries of the Standard Webhooks scheme use in their tests.
const PUBLISHED_KEY: &str = "C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PUBLISHED_ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const PUBLISHED_TIME: i64 = 1_649_367_553;
const PUBLISHED_BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const PUBLISHED_SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

/// base64 of "an old webhook secret".
const OLD: &str = "whsec_YW4gb2xkIHdlYmhvb2sgc2VjcmV0";
/// base64 of "a new webhook secret!".
const NEW: &str = "whsec_YSBuZXcgd2ViaG9vayBzZWNyZXQh";

/// A delivery with everything that its verification depends on. Each test changes the part that it tests.
struct Delivery {
    secrets: Vec<String>,
    id: String,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
    now: i64,
}

impl Delivery {
    fn published() -> Self {
        Delivery {
            secrets: vec![format!("whsec_{PUBLISHED_KEY}")],
            id: PUBLISHED_ID.to_owned(),
            timestamp: PUBLISHED_TIME.to_string(),
            signature: PUBLISHED_SIGNATURE.to_owned(),
            body: PUBLISHED_BODY.to_vec(),
            now: PUBLISHED_TIME,
        }
    }

    /// The same, signed with this secret instead.
    fn signed_with(mut self, secret: &str) -> Self {
        let time = self.timestamp.parse().unwrap();
        self.signature = Webhook::new(secret).unwrap().sign(&self.id, time, &self.body).unwrap();
        self
    }

    fn verify(&self) -> Result<(), Refusal> {
        let secrets: Vec<SecretString> = self.secrets.iter().map(|secret| secret.as_str().into()).collect();
        verify(&secrets, &self.id, &self.timestamp, &self.signature, &self.body, at(self.now))
    }
}

fn at(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds as u64)
}

/// The result of verifying the published delivery after a change.
fn after(change: impl FnOnce(&mut Delivery)) -> Result<(), Refusal> {
    let mut delivery = Delivery::published();
    change(&mut delivery);
    delivery.verify()
}

#[test]
fn the_published_signature_is_accepted() {
    assert_eq!(Delivery::published().verify(), Ok(()));
}

#[test]
fn all_that_is_signed_counts() {
    assert_eq!(after(|delivery| delivery.body.push(b' ')), Err(Refusal::BadSignature));
    assert_eq!(after(|delivery| delivery.id.push('x')), Err(Refusal::BadSignature));
    assert_eq!(after(|delivery| delivery.timestamp = (PUBLISHED_TIME + 1).to_string()), Err(Refusal::BadSignature));
    assert_eq!(after(|delivery| delivery.secrets = vec![OLD.to_owned()]), Err(Refusal::BadSignature));
    assert_eq!(after(|delivery| delivery.body = b"\xff".to_vec()), Err(Refusal::NotText));
}

#[test]
fn signatures_match_as_a_whole() {
    for signature in ["v1,", "v1", ",", " ", &PUBLISHED_SIGNATURE[..8], &PUBLISHED_SIGNATURE[3..]] {
        assert_eq!(
            after(|delivery| delivery.signature = signature.to_owned()),
            Err(Refusal::BadSignature),
            "{signature}"
        );
    }
    let other_version = PUBLISHED_SIGNATURE.replacen("v1", "v1a", 1);
    assert_eq!(after(|delivery| delivery.signature = other_version.clone()), Err(Refusal::BadSignature));
    let among_others = format!("v1,bm90IHRoaXMgb25l {other_version} {PUBLISHED_SIGNATURE} v2,x");
    assert_eq!(after(|delivery| delivery.signature = among_others), Ok(()));
}

#[test]
fn secrets_can_be_rotated() {
    let both = vec![OLD.to_owned(), NEW.to_owned()];
    for secret in &both {
        let mut delivery = Delivery::published().signed_with(secret);
        delivery.secrets.clone_from(&both);
        assert_eq!(delivery.verify(), Ok(()));
    }
    // Svix signs with the old and the new one while both are valid.
    let (old, new) =
        (Delivery::published().signed_with(OLD).signature, Delivery::published().signed_with(NEW).signature);
    for secret in both {
        let signed_twice = |delivery: &mut Delivery| {
            delivery.signature = format!("{old} {new}");
            delivery.secrets = vec![secret];
        };
        assert_eq!(after(signed_twice), Ok(()));
    }
}

#[test]
fn five_minutes_are_tolerated_either_way() {
    for off in [-TOLERANCE, TOLERANCE] {
        assert_eq!(after(|delivery| delivery.now += off), Ok(()));
    }
    let late = TOLERANCE + 1;
    assert_eq!(after(|delivery| delivery.now += late), Err(Refusal::TooOld { age: late }));
    assert_eq!(after(|delivery| delivery.now -= late), Err(Refusal::InFuture { ahead: late }));
    for extreme in [i64::MIN, i64::MAX] {
        let refusal = after(|delivery| delivery.timestamp = extreme.to_string()).unwrap_err();
        assert!(matches!(refusal, Refusal::TooOld { .. } | Refusal::InFuture { .. }), "{refusal}");
    }
    let milliseconds = after(|delivery| delivery.timestamp = format!("{PUBLISHED_TIME}000"));
    assert!(matches!(milliseconds, Err(Refusal::InFuture { .. })));
}

#[test]
fn headers_are_needed() {
    assert_eq!(after(|delivery| delivery.id.clear()), Err(Refusal::MissingHeader("svix-id")));
    assert_eq!(after(|delivery| delivery.timestamp.clear()), Err(Refusal::MissingHeader("svix-timestamp")));
    assert_eq!(after(|delivery| delivery.signature.clear()), Err(Refusal::MissingHeader("svix-signature")));
    for timestamp in ["soon", "1649367553.0", " 1649367553", "99999999999999999999"] {
        assert_eq!(after(|delivery| delivery.timestamp = timestamp.to_owned()), Err(Refusal::BadTimestamp));
    }
}

/// base64 of 15 bytes, which are too few, and of 16.
const SHORT: &str = "whsec_ZmlmdGVlbiBieXRlcyEh";
const LONG_ENOUGH: &str = "whsec_c2l4dGVlbiBieXRlcyEhIQ==";

#[test]
fn what_is_no_secret_never_verifies() {
    assert_eq!(after(|delivery| delivery.secrets.clear()), Err(Refusal::NoSecret));
    for secret in ["", "whsec_", PUBLISHED_KEY, "whsec_not base64", "whsec_QQ", "sk_test_key", " whsec_QQ==", SHORT] {
        assert_eq!(check_secret(secret), Err(Refusal::BadSecret), "{secret:?}");
        assert_eq!(after(|delivery| delivery.secrets = vec![secret.to_owned(); 2]), Err(Refusal::BadSecret));
        // Beside a valid secret, a mistyped one changes nothing.
        assert_eq!(after(|delivery| delivery.secrets.push(secret.to_owned())), Ok(()), "{secret:?}");
        assert_eq!(after(|delivery| delivery.secrets.insert(0, secret.to_owned())), Ok(()), "{secret:?}");
        let beside_another = |delivery: &mut Delivery| delivery.secrets = vec![OLD.to_owned(), secret.to_owned()];
        assert_eq!(after(beside_another), Err(Refusal::BadSignature), "{secret:?}");
    }
    let long = format!("whsec_{}", "QUJD".repeat(100));
    for secret in [OLD, LONG_ENOUGH, &long] {
        assert_eq!(check_secret(secret), Ok(()));
        let mut delivery = Delivery::published().signed_with(secret);
        delivery.secrets = vec![secret.to_owned()];
        assert_eq!(delivery.verify(), Ok(()), "{secret}");
    }
}

#[test]
fn what_is_too_large_is_not_looked_into() {
    let padded = |bytes: usize| {
        let mut delivery = Delivery::published();
        delivery.body.resize(bytes, b' ');
        delivery.signed_with(&format!("whsec_{PUBLISHED_KEY}"))
    };
    assert_eq!(padded(MAX_BODY_BYTES).verify(), Ok(()));
    let bytes = MAX_BODY_BYTES + 1;
    let mut delivery = padded(bytes);
    assert_eq!(delivery.verify(), Err(Refusal::TooLarge { bytes }));
    // The size is checked even before the secrets.
    delivery.secrets.clear();
    assert_eq!(delivery.verify(), Err(Refusal::TooLarge { bytes }));
}

#[test]
fn ids_have_a_length() {
    let named = |bytes: usize| {
        let delivery = Delivery { id: "m".repeat(bytes), ..Delivery::published() };
        delivery.signed_with(&format!("whsec_{PUBLISHED_KEY}")).verify()
    };
    assert_eq!(named(MAX_ID_BYTES), Ok(()));
    assert_eq!(named(MAX_ID_BYTES + 1), Err(Refusal::LongId { bytes: MAX_ID_BYTES + 1 }));
}

/// Two deliveries of which the same text is signed: the border between the id, the time and the body is another one.
#[test]
fn ids_have_no_full_stop() {
    let named = |id: &str, body: &[u8]| {
        let delivery = Delivery { id: id.to_owned(), body: body.to_vec(), ..Delivery::published() };
        delivery.signed_with(&format!("whsec_{PUBLISHED_KEY}"))
    };
    let original = named("msg_1", format!("{PUBLISHED_TIME}.{{}}").as_bytes());
    let moved = named(&format!("msg_1.{PUBLISHED_TIME}"), b"{}");
    assert_eq!(original.signature, moved.signature);
    assert_eq!((original.verify(), moved.verify()), (Ok(()), Err(Refusal::BadId)));
}

#[test]
fn sixteen_signatures_are_looked_at() {
    let after_others = |others: usize| {
        after(|delivery| delivery.signature = format!("{}{PUBLISHED_SIGNATURE}", "v1,bm90IHRoaXMgb25l ".repeat(others)))
    };
    assert_eq!(after_others(15), Ok(()));
    assert_eq!(after_others(16), Err(Refusal::BadSignature));
}

#[test]
fn refusals_say_what_is_wrong() {
    for (refusal, text) in [
        (Refusal::TooOld { age: 301 }, "the delivery was sent 301 s ago, and at most 300 s are accepted"),
        (Refusal::MissingHeader("svix-id"), "the header svix-id is missing"),
        (Refusal::TooLarge { bytes: 1048577 }, "the body has 1048577 bytes, and at most 1048576 are accepted"),
    ] {
        assert_eq!(refusal.to_string(), text);
    }
}

#[test]
fn an_event_is_read_as_it_stands() {
    let body = r#" {"data": { "id":"user_1",  "first_name":"\ud800" }, "object": "event",
        "type": "user.updated", "timestamp": 1716883200123, "instance_id": "ins_1", "new": {"\udc00": 1}}"#;
    let event = Event::parse(body.as_bytes()).unwrap();
    assert_eq!(event.type_, "user.updated");
    assert_eq!(event.object.unwrap().name, "users");
    assert_eq!(event.change, Change::Upsert);
    assert_eq!(event.id.as_deref(), Some("user_1"));
    assert_eq!(event.timestamp_ms, Some(1_716_883_200_123));
    assert_eq!(event.instance_id.as_deref(), Some("ins_1"));
    assert_eq!(event.data, r#"{ "id":"user_1",  "first_name":"\ud800" }"#);
}

#[test]
fn timestamps_are_seconds_or_milliseconds() {
    for (sent, read) in [
        ("1716883200", Some(1_716_883_200_000)),
        ("1716883200123", Some(1_716_883_200_123)),
        ("99999999999", Some(99_999_999_999_000)),
        ("100000000000", Some(100_000_000_000)),
        ("null", None),
    ] {
        let body = format!(r#"{{"type":"sms.created","timestamp":{sent},"data":{{}}}}"#);
        assert_eq!(Event::parse(body.as_bytes()).unwrap().timestamp_ms, read, "{sent}");
    }
    assert_eq!(Event::parse(br#"{"type":"sms.created","data":{}}"#).unwrap().timestamp_ms, None);
    // Postgres cannot store these.
    for sent in ["253402300800000", "-62135596801", "9223372036854775807", "-9223372036854775808"] {
        let body = format!(r#"{{"type":"sms.created","timestamp":{sent},"data":{{}}}}"#);
        let problem = Event::parse(body.as_bytes()).unwrap_err().problem;
        assert!(problem.contains("is no time from the year 1 to 9999"), "{sent}: {problem}");
    }
}

#[test]
fn unknown_events_have_no_object() {
    for event_type in ["email.created", "user.promoted", "user.created.again", "userx.created", "users", ""] {
        let body = format!(r#"{{"type":"{event_type}","data":null}}"#);
        let event = Event::parse(body.as_bytes()).unwrap();
        assert!(event.object.is_none(), "{event_type}");
        assert_eq!((event.id, event.data), (None, "null"));
    }
}

#[test]
fn what_is_no_event_is_an_error() {
    for (body, expected) in [
        ("", "EOF while parsing"),
        ("hello", "line 1 column 1"),
        ("\"text\"", "invalid type: string"),
        (r#"["user.created", {}, null, null]"#, "it is an array"),
        (r#"{"data": {}}"#, "missing field `type`"),
        (r#"{"type": "user.created"}"#, "missing field `data`"),
        (r#"{"type": 1, "data": {}}"#, "expected a string at line 1"),
        (r#"{"type": "user.created", "data": {"id": "user_1"}"#, "EOF while parsing an object"),
        (r#"{"type": "user.created", "data": {"id": "user_1"}} and more"#, "trailing characters"),
        (r#"{"type": "user.created", "data": {}}"#, "data.id of user.created"),
        (r#"{"type": "user.created", "data": {"id": 1}}"#, "data.id of user.created"),
        (r#"{"type": "user.created", "data": {"id": ""}}"#, "data.id of user.created"),
        (r#"{"type": "organization.deleted", "data": "org_1"}"#, "data.id of organization.deleted"),
    ] {
        let error = Event::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
    assert!(Event::parse(b"\xff\xfe").is_err());
}

/// Clerk's description of its webhooks as JSON. If the file does not exist, `None`, and a message says that the test is
/// skipped.
fn described() -> Option<Value> {
    let directory = std::env::var_os("CLERK_OPENAPI_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clerk"), PathBuf::from);
    let file = directory.join("webhooks-2025-04-15.yml");
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(serde_norway::from_str(&text).expect("the description is YAML")),
        Err(error) => {
            eprintln!("SKIPPED: {}: {error}", file.display());
            None
        }
    }
}

/// The example of an event, which may be a reference to another part of the description.
fn example<'d>(api: &'d Value, event_type: &str) -> &'d Value {
    let content = &api["x-webhooks"][event_type]["post"]["requestBody"]["content"]["application/json"];
    let example = content.get("example").unwrap_or(&content["examples"]["default"]);
    let example = match example.get("$ref").and_then(Value::as_str) {
        Some(reference) => api.pointer(reference.trim_start_matches('#')).expect(reference),
        None => example,
    };
    example.get("value").unwrap_or(example)
}

#[test]
fn every_event_that_clerk_describes_is_understood() {
    let Some(api) = described() else { return };
    for event_type in api["x-webhooks"].as_object().expect("the description has webhooks").keys() {
        let sent = example(&api, event_type);
        let body = sent.to_string();
        let event = Event::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{event_type}: {error}"));
        assert_eq!(&event.type_, event_type);
        assert_eq!(event.id.as_deref(), sent["data"]["id"].as_str(), "{event_type}");
        assert_eq!(event.instance_id.as_deref(), sent["instance_id"].as_str(), "{event_type}");
        assert!(event.timestamp_ms.is_some_and(|time| time > 1_500_000_000_000), "{event_type}");
        assert_eq!(serde_json::from_str::<Value>(event.data).unwrap(), sent["data"], "{event_type}");
    }
}

#[test]
fn every_event_of_the_catalogue_is_described() {
    let Some(api) = described() else { return };
    let described = api["x-webhooks"].as_object().expect("the description has webhooks");
    for object in OBJECTS {
        for event in object.events {
            assert!(described.contains_key(event.type_), "{} is not described", event.type_);
            let body = example(&api, event.type_).to_string();
            let parsed = Event::parse(body.as_bytes()).unwrap();
            assert_eq!(parsed.object.map(|object| object.name), Some(object.name), "{}", event.type_);
            assert_eq!(parsed.change, event.change, "{}", event.type_);
            // If the catalogue has one of the events created, updated and deleted of a kind, it has all that Clerk
            // describes.
            let kind = event.type_.split_once('.').expect("a kind and what happened").0;
            for change in ["created", "updated", "deleted"] {
                let sibling = format!("{kind}.{change}");
                let is_ours = object.events.iter().any(|event| event.type_ == sibling);
                assert!(is_ours || !described.contains_key(&sibling), "{} lacks {sibling}", object.name);
            }
        }
    }
}

/// Signed by Svix's own library (the package svix for Python): secret, id, time, body and signature.
const OF_SVIX: [(&str, &str, i64, &str, &str); 2] = [
    (
        "whsec_YSBzZWNyZXQgdGhhdCBpcyBub25lLCBmb3IgdGVzdHM=",
        "msg_2Lml0Yk6",
        1_767_225_600,
        r#"{"data":{"id":"user_ada","object":"user","first_name":"Ada \u2603"},"object":"event","type":"user.created"}"#,
        "v1,++LcmaPgyCo4sQcTayfvIWNSIXCwEvThgHf7hCJWz7Q=",
    ),
    (
        "whsec_YSBzZWNyZXQgdGhhdCBpcyBub25lLCBmb3IgdGVzdHM=",
        "msg_1",
        1_767_225_600,
        "{\"type\":\"x\",\"data\":\"日本語 \\n\"}",
        "v1,OuSDk6dCDqL4lPgGAb3H/OL/YRb6LbPvdZDhrB1Icuc=",
    ),
];

fn of_svix() -> impl Iterator<Item = Delivery> {
    OF_SVIX.into_iter().map(|(secret, id, time, body, signature)| Delivery {
        secrets: vec![secret.to_owned()],
        id: id.to_owned(),
        timestamp: time.to_string(),
        signature: signature.to_owned(),
        body: body.as_bytes().to_vec(),
        now: time,
    })
}

/// Copies of a text with one bit flipped in each, without those that are not UTF-8.
fn flipped(text: &str) -> impl Iterator<Item = String> {
    (0..text.len() * 8).filter_map(|bit| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        String::from_utf8(bytes).ok()
    })
}

#[test]
fn what_svix_signs_verifies_and_nothing_that_differs_by_a_bit() {
    for delivery in of_svix() {
        assert_eq!(delivery.verify(), Ok(()));
        for bit in 0..delivery.body.len() * 8 {
            let mut other = copy_of(&delivery);
            other.body[bit / 8] ^= 1 << (bit % 8);
            assert!(other.verify().is_err(), "bit {bit} of the body");
        }
        for id in flipped(&delivery.id) {
            assert!(Delivery { id, ..copy_of(&delivery) }.verify().is_err());
        }
        for timestamp in flipped(&delivery.timestamp) {
            // The current time is set to the changed timestamp, so that only the signature can fail.
            let now = timestamp.parse().unwrap_or(delivery.now);
            assert!(Delivery { timestamp, now, ..copy_of(&delivery) }.verify().is_err());
        }
        for signature in flipped(&delivery.signature) {
            assert!(Delivery { signature, ..copy_of(&delivery) }.verify().is_err());
        }
        // The prefix whsec_ is no part of the key, so only the rest is changed.
        for secret in flipped(&delivery.secrets[0]["whsec_".len()..]) {
            let secrets = vec![format!("whsec_{secret}")];
            assert!(Delivery { secrets, ..copy_of(&delivery) }.verify().is_err());
        }
    }
}

fn copy_of(delivery: &Delivery) -> Delivery {
    Delivery {
        secrets: delivery.secrets.clone(),
        id: delivery.id.clone(),
        timestamp: delivery.timestamp.clone(),
        signature: delivery.signature.clone(),
        body: delivery.body.clone(),
        now: delivery.now,
    }
}

/// Random bodies and headers are refused or parsed, but never accepted without a valid signature, and never cause a
/// panic.
#[test]
fn random_deliveries_are_refused_or_parsed() {
    let mut random = fastrand::Rng::with_seed(5);
    let valid: Vec<Delivery> = of_svix().collect();
    for _ in 0..20_000 {
        let original = random.choice(&valid).unwrap();
        let mut delivery = copy_of(original);
        let mut garble = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            for _ in 0..random.usize(1..6) {
                let place = random.usize(..=bytes.len());
                match random.u8(..4) {
                    0 => bytes.insert(place, random.u8(..)),
                    1 => bytes.truncate(place),
                    2 if place < bytes.len() => bytes[place] = random.u8(..),
                    _ => bytes.extend_from_slice(&bytes.clone()[place..]),
                }
            }
            bytes
        };
        delivery.body = garble(&delivery.body);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        delivery.id = text(garble(delivery.id.as_bytes()));
        delivery.signature = text(garble(delivery.signature.as_bytes()));
        delivery.timestamp = text(garble(delivery.timestamp.as_bytes()));
        let same = delivery.id == original.id && delivery.body == original.body;
        assert!(same || delivery.verify().is_err(), "{:?} {:?}", delivery.id, String::from_utf8_lossy(&delivery.body));
        let _ = Event::parse(&delivery.body);
    }
}
