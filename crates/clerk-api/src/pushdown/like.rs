//! Extracts from a LIKE pattern the text that Clerk can search for.

/// The longest literal part of a LIKE pattern, which every matching value contains; `None` if there is none.
///
/// For `ILIKE` only ASCII characters are used, because Clerk and the database may fold the case of others differently.
/// A capital sigma is never used, because its lower case depends on the next character. Spaces at either end are
/// removed, because Clerk searches in the first and last name together, without the spaces around them.
pub(super) fn literal_part(pattern: &str, ignores_case: bool) -> Option<String> {
    let mut parts = vec![String::new()];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '%' | '_' => None,
            // Postgres raises an error for a pattern that ends with a backslash, so nothing is pushed down.
            '\\' => Some(characters.next()?),
            other => Some(other),
        };
        let is_sure = |literal: &char| literal.is_ascii() || !ignores_case && *literal != 'Σ';
        match (literal.filter(is_sure), parts.last_mut()) {
            (Some(literal), Some(part)) => part.push(literal),
            _ => parts.push(String::new()),
        }
    }
    let parts = parts.iter().map(|part| part.trim());
    parts.max_by_key(|part| part.len()).filter(|part| !part.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_keeps_the_longest_literal_part() {
        for (pattern, ignores_case, expected) in [
            ("%ada%", false, Some("ada")),
            ("a_lovelace%b", false, Some("lovelace")),
            ("% ada %", false, Some("ada")),
            (r"%100\%%", false, Some("100%")),
            ("%%", false, None),
            ("% _ %", false, None),
            ("", false, None),
            (r"broken\", false, None),
            ("%jürgen%", true, Some("rgen")),
            ("%jürgen%", false, Some("jürgen")),
            ("%ΣΟΦΙΑ%", false, Some("ΟΦΙΑ")),
        ] {
            assert_eq!(literal_part(pattern, ignores_case).as_deref(), expected, "{pattern}");
        }
    }
}
