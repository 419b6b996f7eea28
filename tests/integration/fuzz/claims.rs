//! The claims of a token: who asks is who Postgres' own JSON functions say, or nobody.

use super::{fuzz, user_error};
use crate::support::*;

const SEEDS: &[&str] = &[
    "",
    "{}",
    "null",
    "[]",
    "\"user_1\"",
    "{\"sub\": \"user_1\"}",
    "{\"sub\": 5, \"sub\": \"user_2\"}",
    "{\"sub\": \"user_1\", \"o\": {\"id\": \"org_1\", \"rol\": \"admin\", \"slg\": \"acme\"}, \"v\": 2}",
    "{\"sub\": \"user_1\", \"org_id\": \"org_1\", \"org_role\": \"org:member\", \"o\": null}",
    "{\"sub\": \"a\\u0000b\\ud83d\\ude00\"}",
    "{\"sub\": \"\\ud800\"}",
    "{\"o\": [{\"id\": \"org_1\"}], \"org_id\": \"\"}",
    "{\"o\": {\"rol\": \"org:\"}, \"org_role\": \"x\"}",
];

#[test]
fn of_a_request() {
    let world = World::new(small());
    let expected = "WITH c(c) AS (SELECT CASE WHEN $1 = '' THEN '{}' ELSE $1::text::jsonb END),
           o(c, o) AS (SELECT c, CASE jsonb_typeof(c -> 'o') WHEN 'object' THEN c -> 'o' ELSE '{}' END FROM c),
           t(sub, id, role) AS (SELECT c #> '{sub}', coalesce(nullif(CASE jsonb_typeof(o -> 'id') WHEN 'string' THEN o ->> 'id' END, ''),
                 CASE jsonb_typeof(c -> 'org_id') WHEN 'string' THEN c ->> 'org_id' END),
             coalesce(nullif(CASE jsonb_typeof(o -> 'rol') WHEN 'string' THEN o ->> 'rol' END, ''),
                 CASE jsonb_typeof(c -> 'org_role') WHEN 'string' THEN c ->> 'org_role' END) FROM o)
         SELECT nullif(CASE jsonb_typeof(sub) WHEN 'string' THEN sub #>> '{}' END, ''), nullif(id, ''),
                CASE WHEN role <> '' THEN 'org:' || regexp_replace(role, '^org:', '') END
           FROM t";
    fuzz(SEEDS, &["\\u0000", "user_1", "org:", "\"sub\":", "\"o\":", "{", "}", "\"", "\\ud800", "null"], |_, input| {
        world.rows_of("SELECT set_config('request.jwt.claims', $1, false)", &[&input]);
        let texts = |row: postgres::Row| [0, 1, 2].map(|column| row.get::<_, Option<String>>(column));
        let query = "SELECT clerk_fdw.current_user_id(), clerk_fdw.current_org_id(), clerk_fdw.current_org_role()";
        let found = world.client().query_one(query, &[]).map(texts);
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let error = user_error(&error)?;
                let is_json =
                    serde_json::from_str::<serde_json::Value>(input).is_ok_and(|_| !input.contains("\\u0000"));
                return match !is_json && error.code().code() == "22P02" {
                    true => Ok(()),
                    false => Err(format!("{}: {}", error.code().code(), error_text(&error))),
                };
            }
        };
        if found.iter().flatten().any(|text| text.contains('\0')) {
            return Err(format!("a text with a NUL, which Postgres cannot have: {found:?}"));
        }
        let expected = world.client().query_one(expected, &[&input]).map(texts);
        match expected {
            Ok(expected) if expected == found => Ok(()),
            // Postgres refuses what it cannot store, wherever it is.
            Err(_) if input.contains('\\') || input.contains(['e', 'E']) => Ok(()),
            expected => Err(format!("{found:?}, not {expected:?}")),
        }
    });
}
