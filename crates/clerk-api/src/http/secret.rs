//! Finds the secrets in the body of a request, so that they can be removed from messages.

use serde_json::Value;

/// Parts of the names of members whose values are secrets, such as `password_digest` or `client_secret`.
const NAMES: &[&str] = &["password", "secret", "digest", "token", "code", "signing_key", "api_key", "certificate"];

/// Shorter texts are not looked for: they would be found in texts that have nothing to do with them.
const MIN_LENGTH: usize = 4;

/// The texts in a body that are the values of members with such a name, or below one: as they are, and as JSON writes
/// them.
pub(super) fn secrets_of(body: &str) -> Vec<String> {
    let mut secrets = Vec::new();
    if let Ok(body) = serde_json::from_str(body) {
        collect(&body, false, &mut secrets);
    }
    let escaped: Vec<_> = secrets.iter().flat_map(|secret| [in_json(secret), in_ascii(&in_json(secret))]).collect();
    secrets.extend(escaped);
    // What contains another secret is removed before it.
    secrets.sort_by_key(|secret: &String| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

/// A text between the quotes of JSON.
fn in_json(text: &str) -> String {
    let json = Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// A text of JSON with escapes for all that is not ASCII, as some servers write it.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            ascii.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

fn collect(value: &Value, is_secret: bool, secrets: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let is_named_so = NAMES.iter().any(|part| name.contains(part));
            collect(value, is_secret || is_named_so, secrets);
        }),
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, is_secret, secrets)),
        Value::String(text) if is_secret && text.len() >= MIN_LENGTH => secrets.push(text.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_the_names_of_their_members() {
        let body = r#"[{"first_name": "Ada", "password": "correct horse", "backup_codes": ["one1", "two22"],
                        "skip_password_checks": true, "oidc": {"client_secret": "correct"}}]"#;
        assert_eq!(secrets_of(body), ["correct horse", "correct", "two22", "one1"]);
        assert!(secrets_of("no JSON").is_empty());
    }

    #[test]
    fn secrets_are_found_as_json_writes_them() {
        let secrets = secrets_of(r#"{"password": "a\"ü\\😀b"}"#);
        assert_eq!(secrets, [r#"a\"\u00fc\\\ud83d\ude00b"#, r#"a\"ü\\😀b"#, "a\"ü\\😀b"]);
    }
}
