//! JSON values in columns of all types: the value that Postgres itself makes of the same JSON, or an error that says why
//! not; NULL for null alone.

use clerk_sim::Fault;
use serde_json::Value;

use super::{fuzz, user_error};
use crate::support::*;

/// A type of column, and which values are right in it.
struct Type {
    name: &'static str,
    /// The JSON type that it takes; any if there is none here.
    takes: Option<&'static str>,
    /// Whether the column's value `r` is right for the JSON value `j`, whose text is `raw`.
    is_right: &'static str,
}

const fn of(name: &'static str, takes: Option<&'static str>, is_right: &'static str) -> Type {
    Type { name, takes, is_right }
}

const TIME: &str = "extract(epoch FROM r) * 1000 = j::numeric";

const TYPES: &[Type] = &[
    of("boolean", Some("boolean"), "r = j::boolean"),
    of("smallint", Some("number"), "r = j::numeric"),
    of("integer", Some("number"), "r = j::numeric"),
    of("bigint", Some("number"), "r = j::numeric"),
    of("numeric", Some("number"), "r = j::numeric"),
    of("numeric(12,2)", Some("number"), "r = round(j::numeric, 2)"),
    of("double precision", Some("number"), "r = j::float8"),
    of("real", Some("number"), "r = j::real"),
    of("text", None, "r = CASE jsonb_typeof(j) WHEN 'string' THEN j #>> '{}' ELSE raw END"),
    of("varchar(8)", None, "r = CASE jsonb_typeof(j) WHEN 'string' THEN j #>> '{}' ELSE raw END OR length(r) = 8"),
    of("json", None, "r::text = raw"),
    of("jsonb", None, "r = j"),
    of("timestamptz", Some("number"), TIME),
    of("timestamp", Some("number"), TIME),
    of("timestamptz(0)", Some("number"), "abs(extract(epoch FROM r) * 1000 - j::numeric) <= 500"),
    of("date", Some("number"), "r - date '1970-01-01' = floor(j::numeric / 86400000)"),
    of("uuid", Some("string"), "r = (j #>> '{}')::uuid"),
    of("inet", Some("string"), "r = (j #>> '{}')::inet"),
    of(
        "text[]",
        Some("array"),
        "CASE WHEN j @? 'strict $[*] ? (@.type() != \"string\")' THEN true ELSE r = ARRAY(SELECT jsonb_array_elements_text(j)) END",
    ),
    of(
        "integer[]",
        Some("array"),
        "CASE WHEN j @? 'strict $[*] ? (@.type() != \"number\")' THEN true
              ELSE r = ARRAY(SELECT jsonb_array_elements_text(j)::integer) END",
    ),
    of("positive", Some("number"), "r = j::numeric AND r > 0"),
];

const SEEDS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    "7",
    "1780000000000",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1.5",
    "9007199254740993.0",
    "1e3",
    "12345678901234567e2",
    "-0",
    "-0.0",
    "1E-400",
    "1e309",
    "0.1e1",
    "1.00000000000000000000001",
    "100000000000000000000e-20",
    "-211813488000000",
    "9224318015999999",
    "\"\"",
    "\"ada\"",
    "\"\\u0000\\ud800\\ud83d\\ude00\"",
    "\"a\\\"b\\\\c\"",
    "\"2026-01-01\"",
    "\"127.0.0.1/8\"",
    "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
    "\"{a,b}\"",
    "[]",
    "[\"a\", null, \"NULL\", \"\", \"{,}\\\"\\\\\"]",
    "[1, 2.0, -3]",
    "[[1], [2]]",
    "[[], {}]",
    "{}",
    "{\"a\": [1, {\"b\": null}], \"a\": 2}",
    "\"12345678        \"",
];

const WORDS: &[&str] =
    &["null", "true", "e5", "E-5", ".0", "99999999", "\\u0000", "\\ud800", "\\\"", "[", "]", "{\"a\":", "}", "\"", ","];

#[test]
fn json_values() {
    let world = World::new(clerk_sim::Config { users: 0, organizations: 0, memberships: 0, ..small() });
    world.run("CREATE DOMAIN positive AS bigint CHECK (VALUE > 0)");
    let columns: Vec<_> =
        TYPES.iter().enumerate().map(|(number, of)| format!("c{number} {} OPTIONS (path 'v')", of.name)).collect();
    world.run(&format!(
        "CREATE FOREIGN TABLE t (id text, {}) SERVER clerk OPTIONS (object 'users')",
        columns.join(", ")
    ));
    fuzz(SEEDS, WORDS, |_, input| {
        // Whatever is no JSON is no value of a column.
        if serde_json::from_str::<Value>(input).is_err() && !input.contains("\\u") {
            return Ok(());
        }
        let mut stored = input.as_bytes().to_vec();
        clerk_api::json::replace_unstorable_escapes(&mut stored);
        let raw = String::from_utf8_lossy(&stored);
        let raw = raw.trim_matches([' ', '\n', '\t', '\r']);
        let Ok(value) = serde_json::from_str::<Value>(raw) else { return Ok(()) };
        // What jsonb cannot store, such as a number of too many digits, has no value to compare with.
        if world.client().query("SELECT $1::text::jsonb", &[&raw]).is_err() {
            return Ok(());
        }
        world.sim.clear_faults();
        let body = format!("{{\"id\":\"user_1\",\"v\":{input}}}");
        world.sim.fault(Fault::body(200, body).on_path("/v1/users/user_1").always());
        for (number, of) in TYPES.iter().enumerate() {
            check(&world, of, number, raw, &value).map_err(|wrong| format!("as {}: {wrong}", of.name))?;
        }
        Ok(())
    });
}

fn check(world: &World, of: &Type, number: usize, raw: &str, value: &Value) -> Result<(), String> {
    let query = format!("SELECT c{number} IS NULL, c{number}::text FROM t WHERE id = 'user_1'");
    let row = match world.client().query_one(&query, &[]) {
        Ok(row) => row,
        Err(error) => {
            let error = user_error(&error)?;
            let code = error.code().code();
            if !["22", "23", "HV", "54"].iter().any(|class| code.starts_with(class)) {
                return Err(format!("{code}: {}", error_text(&error)));
            }
            return match fits(of, value) {
                true => Err(format!("it fits, but: {code}: {}", error_text(&error))),
                false => Ok(()),
            };
        }
    };
    let (is_null, text): (bool, Option<String>) = (row.get(0), row.get(1));
    if is_null != value.is_null() {
        return Err(format!("it became {text:?}"));
    }
    if is_null {
        return Ok(());
    }
    let kind = match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        _ => "object",
    };
    if of.takes.is_some_and(|takes| takes != kind) {
        return Err(format!("of a {kind} it made {text:?}"));
    }
    if text.as_deref().unwrap_or_default().contains('\0') {
        return Err("it has a NUL".to_owned());
    }
    let query = format!(
        "SELECT coalesce({}, false) FROM (SELECT $1::text::{}, $2::text, $2::text::jsonb) o(r, raw, j)",
        of.is_right, of.name
    );
    match world.client().query_one(&query, &[&text, &raw]) {
        Ok(row) if row.get(0) => Ok(()),
        Ok(_) => Err(format!("it became {text:?}")),
        Err(error) => Err(format!("it became {text:?}, and Postgres says {:?}", user_error(&error)?.message())),
    }
}

/// Whether a value certainly fits a type.
fn fits(of: &Type, value: &Value) -> bool {
    match of.name {
        "boolean" => value.is_boolean(),
        "smallint" => value.as_i64().is_some_and(|number| i16::try_from(number).is_ok()),
        "integer" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "bigint" => value.is_i64(),
        // Up to the year 9999.
        "timestamptz" | "timestamp" | "date" | "timestamptz(0)" => {
            value.as_i64().is_some_and(|time| (0..253_402_300_800_000).contains(&time))
        }
        "positive" => value.as_i64().is_some_and(|number| number > 0),
        "text" | "json" | "jsonb" => true,
        "text[]" => value.as_array().is_some_and(|elements| elements.iter().all(|element| !element.is_array())),
        _ => value.is_null(),
    }
}
