//! Finds values in JSON text without building a tree: each value is a slice of the text.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Rewrites, in place, the escapes that Postgres cannot store (`\u0000` and lone surrogates) to `\ufffd`.
///
/// An escape and its replacement both take six bytes, so the rest of the text keeps its position. Outside of strings
/// JSON has no backslash, so every backslash begins an escape; text that is not JSON is left for the parser to refuse.
pub fn replace_unstorable_escapes(text: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &text[at..]) {
        at += found;
        match escaped_unit(text, at) {
            None => at += 2,
            Some(0xD800..=0xDBFF) => match escaped_unit(text, at + 6) {
                Some(0xDC00..=0xDFFF) => at += 12,
                _ => at = replace(text, at),
            },
            Some(0 | 0xDC00..=0xDFFF) => at = replace(text, at),
            Some(_) => at += 6,
        }
        if at >= text.len() {
            break;
        }
    }
}

fn replace(text: &mut [u8], at: usize) -> usize {
    text[at..at + 6].copy_from_slice(br"\ufffd");
    at + 6
}

/// The UTF-16 code unit of the escape `\uXXXX` at this position; `None` if there is no such escape.
fn escaped_unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)? as u16;
        Some(unit << 4 | digit)
    })
}

/// The value that a path of keys leads to, as a slice of the text; `None` where there is none.
///
/// A key that is a number picks that element of an array, counted from 0.
pub fn find<'j>(text: &'j str, path: &[String]) -> Option<&'j str> {
    let Some((key, rest)) = path.split_first() else { return Some(text) };
    let found = if text.starts_with('[') {
        let index: usize = key.parse().ok()?;
        serde_json::from_str::<Vec<&RawValue>>(text).ok()?.get(index)?.get()
    } else {
        member(text, key)?
    };
    find(found, rest)
}

/// One member of a JSON object, as a slice of the text. Where a key is repeated, the last member counts, as in jsonb.
pub fn member<'j>(text: &'j str, key: &str) -> Option<&'j str> {
    struct Member<'k>(&'k str);
    impl<'de> Visitor<'de> for Member<'_> {
        type Value = Option<&'de RawValue>;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(key) = map.next_key_seed(Key)? {
                if key == self.0 {
                    found = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Member(key)).ok()?.map(RawValue::get)
}

/// Deserializes an object's key, borrowed from the text where it has no escapes.
pub(crate) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
        Borrowed::deserialize(deserializer).map(|key| key.0)
    }
}

/// The text of a JSON string without quotes and escapes; `None` for any other kind of value.
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(text).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// Why a number is no integer of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoInteger {
    /// It is not whole.
    Fraction,
    OutOfRange,
}

/// The value of a JSON number that is whole, such as `12`, `12.0` or `1.2e1`, without any rounding.
///
/// # Errors
/// If the number is not whole, or has more than 64 bits.
pub fn integer(number: &str) -> Result<i64, NoInteger> {
    if let Ok(integer) = number.parse() {
        return Ok(integer);
    }
    let (mantissa, exponent) = mantissa_and_exponent(number);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, whole) = if let Some(whole) = whole.strip_prefix('-') { ("-", whole) } else { ("", whole) };
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // The power of ten of the last digit that counts. An exponent of so many digits that it does not fit is far beyond
    // anything that counts.
    let exponent: i64 = match exponent.trim_start_matches('+') {
        "" => 0,
        text => text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }),
    };
    let zeros = digits.len() as i64 - significant.len() as i64 - fraction.len() as i64;
    match exponent.saturating_add(zeros) {
        ..0 => Err(NoInteger::Fraction),
        // 19 digits are the most that 64 bits can have.
        power @ 0..=19 => {
            let zeros = "0".repeat(power as usize);
            format!("{sign}{significant}{zeros}").parse().map_err(|_| NoInteger::OutOfRange)
        }
        _ => Err(NoInteger::OutOfRange),
    }
}

/// Whether a JSON number is zero as it is written.
pub fn is_zero(number: &str) -> bool {
    !mantissa_and_exponent(number).0.contains(|digit| matches!(digit, '1'..='9'))
}

/// The parts of a JSON number before and after the letter e.
fn mantissa_and_exponent(number: &str) -> (&str, &str) {
    number.split_once(['e', 'E']).unwrap_or((number, ""))
}

/// The deepest nesting of objects and arrays that is written to Clerk. What reads JSON by recursion, here and elsewhere,
/// copes with that.
pub const MAX_DEPTH: usize = 100;

/// Whether objects and arrays are nested deeper than [`MAX_DEPTH`] in a JSON text. What is in its strings does not count:
/// whoever takes the text of a string for JSON has to look at that text in turn.
pub fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut is_in_string) = (0_usize, false);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_in_string = !is_in_string,
            // What a backslash escapes, a quote for instance, does not end the string.
            b'\\' if is_in_string => {
                bytes.next();
            }
            b'{' | b'[' if !is_in_string => depth += 1,
            b'}' | b']' if !is_in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// What kind of JSON value a text holds, for error messages.
pub fn kind(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'"') => "string",
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        replace_unstorable_escapes(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn only_what_postgres_cannot_store_is_replaced() {
        for (from, to) in [
            (r#""a\u0000b""#, r#""a\ufffdb""#),
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\udc00\ud800x""#, r#""\ufffd\ufffdx""#),
            (r#""\uD83D\uDE00""#, r#""\uD83D\uDE00""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\u0000""#, r#""\\u0000""#),
            (r#""\\\u0000""#, r#""\\\ufffd""#),
            (r#""\u00e9 \n \" \u0001""#, r#""\u00e9 \n \" \u0001""#),
            (r#""\u12"#, r#""\u12"#),
            (r"\", r"\"),
            ("", ""),
        ] {
            assert_eq!(replaced(from), to, "{from}");
        }
    }

    #[test]
    fn paths_lead_into_objects_and_arrays() {
        let text = r#"{"a": {"b": [1, {"c": "x"}], "a.b": 2}, "a": {"b": [3]}, "\u00e9": null}"#;
        let at = |path: &[&str]| find(text, &path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(at(&["a", "b", "0"]), Some("3"), "the last of repeated keys");
        assert_eq!(at(&["a", "b", "1"]), None);
        assert_eq!(at(&["é"]), Some("null"));
        assert_eq!(at(&["a", "b", "x"]), None);
        assert_eq!(at(&["a", "b", "0", "deeper"]), None);
        assert_eq!(at(&[]), Some(text));
    }

    #[test]
    fn only_nesting_counts_as_depth() {
        let nested = |open: &str, close: &str, depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), ("\n [", "]"), (r#"["]", {"\"}": "#, "}]")] {
            let levels = open.matches(['[', '{']).count();
            assert!(!is_too_deep(&nested(open, close, MAX_DEPTH / levels)), "{open}");
            assert!(is_too_deep(&nested(open, close, MAX_DEPTH / levels + 1)), "{open}");
        }
        assert!(is_too_deep(&format!(r#"{{"a": "}}", "b": {}}}"#, nested("[", "]", MAX_DEPTH))));
        for text in [r#""[""#, r#"["\\", "\"["]"#, "[], {}", "[[1], {}, 2]"] {
            let text = format!("[{}]", [text; 2 * MAX_DEPTH].join(","));
            assert!(!is_too_deep(&text), "{text}");
        }
        for text in [format!("\"{}\"", "[".repeat(200)), "[".repeat(MAX_DEPTH), "]".repeat(200), String::new()] {
            assert!(!is_too_deep(&text), "{text}");
        }
    }

    #[test]
    fn integers_are_exact() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("-0.0e7", Ok(0)),
            ("0e99999999999999999999", Ok(0)),
            ("12", Ok(12)),
            ("-12.000", Ok(-12)),
            ("1.2e1", Ok(12)),
            ("1200E-2", Ok(12)),
            ("1e+3", Ok(1000)),
            ("9007199254740993.0", Ok(9_007_199_254_740_993)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9.223372036854775808e18", Ok(i64::MIN)),
            ("9223372036854775808", Err(NoInteger::OutOfRange)),
            ("1e19", Err(NoInteger::OutOfRange)),
            ("1e99999999999999999999", Err(NoInteger::OutOfRange)),
            ("1.00000000000000000000001", Err(NoInteger::Fraction)),
            ("12e-1", Err(NoInteger::Fraction)),
            ("1e-400", Err(NoInteger::Fraction)),
            ("1e-99999999999999999999", Err(NoInteger::Fraction)),
        ] {
            assert_eq!(integer(text), expected, "{text}");
        }
        for (text, expected) in [("0", true), ("-0.00E5", true), ("0.001", false), ("1e-400", false), ("-7", false)] {
            assert_eq!(is_zero(text), expected, "{text}");
        }
    }

    #[test]
    fn strings_and_kinds() {
        assert_eq!(string(r#""plain""#).as_deref(), Some("plain"));
        assert_eq!(string(r#""\u00e9\n""#).as_deref(), Some("é\n"));
        assert_eq!(string("1"), None);
        assert_eq!(kind("-1"), "number");
        assert_eq!(kind("{}"), "object");
    }
}
