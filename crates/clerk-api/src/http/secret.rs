//! Finds the secrets in the body of a request, so that they can be removed from messages.

use serde_json::Value;

/// Parts of the names of members whose values are secrets, such as `password_digest` or `client_secret`.
const NAMES: &[&str] = &["password", "secret", "digest", "token", "code", "signing_key", "api_key", "certificate"];

/// Shorter texts are not looked for: they would be found in texts that have nothing to do with them.
const MIN_LENGTH: usize = 4;

/// The texts in a body that are the values of members with such a name, or below one.
pub(super) fn secrets_of(body: &str) -> Vec<String> {
    let mut secrets = Vec::new();
    if let Ok(body) = serde_json::from_str(body) {
        collect(&body, false, &mut secrets);
    }
    // What contains another secret is removed before it.
    secrets.sort_by_key(|secret: &String| std::cmp::Reverse(secret.len()));
    secrets
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
}
