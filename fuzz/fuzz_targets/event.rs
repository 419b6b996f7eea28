//! The event in a webhook's body is what a parser of whole documents finds in it.
#![no_main]

use clerk_api::catalog::object_of_event;
use clerk_api::webhook::Event;
use clerk_fuzz::repeats_members;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let event = Event::parse(body);
    // Whoever verifies a delivery refuses a body that is no text. What is ignored of it need not be text here.
    if std::str::from_utf8(body).is_err() {
        return;
    }
    let document = serde_json::from_slice::<Value>(body).ok();
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            assert!(error.beginning.chars().count() <= 80);
            let Some(document) = document.filter(|_| !repeats_members(body)) else { return };
            let is_optional = |name: &str, is_right: fn(&Value) -> bool| {
                document.get(name).is_none_or(|value| value.is_null() || is_right(value))
            };
            let type_ = document.get("type").and_then(Value::as_str);
            let needs_id = type_.is_some_and(|type_| object_of_event(type_).is_some());
            let has_id = document["data"]["id"].as_str().is_some_and(|id| !id.is_empty());
            let is_event = type_.is_some()
                && document.get("data").is_some()
                && is_optional("timestamp", is_time)
                && is_optional("instance_id", Value::is_string)
                && (has_id || !needs_id);
            assert!(!is_event, "{error}");
            return;
        }
    };
    let data = serde_json::from_str::<Value>(event.data);
    let Some(document) = document else {
        // A number beyond all bounds is left for whoever asks for it.
        assert!(data.is_err() || serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok());
        return;
    };
    assert_eq!(document["type"], *event.type_);
    assert_eq!(data.ok().as_ref(), document.get("data"));
    assert_eq!(event.id.as_deref(), document["data"]["id"].as_str().filter(|id| !id.is_empty()));
    assert_eq!(event.instance_id.as_deref(), document["instance_id"].as_str());
    assert!(event.object.is_none() || event.id.is_some());
    let timestamp = document["timestamp"].as_i64();
    assert!(timestamp.is_none() || is_time(&document["timestamp"]));
    assert_eq!(event.timestamp_ms.is_some(), timestamp.is_some());
    if let (Some(milliseconds), Some(timestamp)) = (event.timestamp_ms, timestamp) {
        assert!(milliseconds == timestamp || milliseconds == timestamp.saturating_mul(1000));
        assert!(timestamp < 100_000_000_000 || milliseconds == timestamp, "milliseconds stay what they are");
    }
});

/// Whether a timestamp is one from the year 1 to 9999, in seconds or milliseconds.
fn is_time(timestamp: &Value) -> bool {
    timestamp.as_i64().is_some_and(|timestamp| (-62_135_596_800..=253_402_300_799_999).contains(&timestamp))
}
