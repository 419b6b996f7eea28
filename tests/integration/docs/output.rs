//! Compares what a page says that psql prints with what it prints.
//!
//! A line that consists of `...` stands for any number of lines, and `...` within a line for any text. The width of columns,
//! blank lines, times taken and the decimals that PostgreSQL 18 gives to numbers of rows do not count. A page may leave out the
//! heading `QUERY PLAN`, numbers of rows, command tags, and the buffers that PostgreSQL 18 shows without being asked.

/// Whether the output is what was expected.
pub fn is_as_expected(expected: &str, got: &str) -> bool {
    matches(&normalized(expected), &normalized(got))
}

fn matches(expected: &[String], got: &[String]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return got.iter().all(|line| may_be_left_out(line)) };
    if first == "..." {
        return (0..=got.len()).any(|skipped| matches(rest, &got[skipped..]));
    }
    let Some((line, others)) = got.split_first() else { return false };
    (is_line(first, line) && matches(rest, others)) || (may_be_left_out(line) && matches(expected, others))
}

/// Whether a line is what was expected of it.
fn is_line(expected: &str, line: &str) -> bool {
    let Some((start, expected)) = expected.split_once("...") else { return expected == line };
    let Some(mut rest) = line.strip_prefix(start) else { return false };
    let mut parts: Vec<_> = expected.split("...").collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(index) = rest.find(part) else { return false };
        rest = &rest[index + part.len()..];
    }
    rest.ends_with(end)
}

/// Whether a page may leave out a line that psql prints.
fn may_be_left_out(line: &str) -> bool {
    let tags = [
        "ALTER",
        "ANALYZE",
        "BEGIN",
        "CALL",
        "COMMENT",
        "COMMIT",
        "COPY",
        "CREATE",
        "DELETE",
        "DO",
        "DROP",
        "GRANT",
        "IMPORT",
        "INSERT",
        "PREPARE",
        "REFRESH",
        "RELEASE",
        "RESET",
        "REVOKE",
        "ROLLBACK",
        "SAVEPOINT",
        "SELECT",
        "SET",
        "START",
        "TRUNCATE",
        "UPDATE",
    ];
    let is_tag_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_tag = line.split(' ').next().is_some_and(|word| tags.contains(&word)) && line.split(' ').all(is_tag_word);
    let is_row_count = line.starts_with('(') && (line.ends_with(" rows)") || line == "(1 row)");
    is_tag || is_row_count || line == "QUERY PLAN" || line == "---" || line.starts_with("Buffers: ")
}

fn normalized(text: &str) -> Vec<String> {
    text.lines().map(normalized_line).filter(|line| !line.is_empty()).collect()
}

/// A line with what does not count made equal.
fn normalized_line(line: &str) -> String {
    let is_rule = line.contains("---") && line.bytes().all(|byte| b"-+ ".contains(&byte));
    if is_rule {
        return line.split('+').map(|_| "---").collect::<Vec<_>>().join("+");
    }
    let mut words: Vec<String> = line.split_whitespace().map(normalized_word).collect();
    for index in 1..words.len() {
        let is_number = words[index - 1].parse::<f64>().is_ok();
        if is_number && matches!(words[index].trim_end_matches(')'), "ms" | "s") {
            "?".clone_into(&mut words[index - 1]);
        }
    }
    words.join(" ")
}

fn normalized_word(word: &str) -> String {
    let (open, inside) = if let Some(inside) = word.strip_prefix('(') { ("(", inside) } else { ("", word) };
    match inside.split_once('=') {
        Some(("time", _)) => format!("{open}time=?"),
        Some(("rows", rows)) => format!("{open}rows={}", rows.strip_suffix(".00").unwrap_or(rows)),
        _ => word.to_owned(),
    }
}

#[test]
fn outputs() {
    let table = " name | count \n------+-------\n Ada  |     1\n Grace |    22\n(2 rows)\n\n";
    let plan = "   QUERY PLAN\n-----\n Scan (actual time=0.01..2.5 rows=3.00 loops=1)\n   Waited for Clerk: 1.6 ms\n(2 rows)\n";
    let right = [
        ("name | count\n---+---\nAda | 1\nGrace | 22", table),
        (" name | count\n...\n(2 rows)", table),
        ("...\n G... | 22\n", table),
        (" Scan (actual time=5.27..5.28 rows=3 loops=1)\n   Waited for Clerk: 20.0 ms", plan),
        (" Scan\n   Filter: a", " Scan\n   Filter: a\n   Buffers: shared hit=3 read=1\n"),
        ("NOTICE:  users: 1 read", "NOTICE:  users: 1 read\nCALL\n"),
        ("", "CREATE TABLE\nINSERT 0 1\n"),
    ];
    for (expected, got) in right {
        assert!(is_as_expected(expected, got), "{expected}\nis not taken for\n{got}");
    }
    let wrong = [
        ("name | count\n---+---\nAda | 1", table),
        ("name | count\n---+---\nGrace | 22\nAda | 1", table),
        ("name | count\n...\n(3 rows)", table),
        ("...\n G... | 23\n", table),
        (" Scan (actual time=5.27..5.28 rows=4 loops=1)\n   Waited for Clerk: 20.0 ms", plan),
        ("", "WARNING:  no\n"),
        ("INSERT 0 2", "INSERT 0 1\n"),
        ("a\n...\nc", "a\nb\n"),
    ];
    for (expected, got) in wrong {
        assert!(!is_as_expected(expected, got), "{expected}\nis taken for\n{got}");
    }
}
