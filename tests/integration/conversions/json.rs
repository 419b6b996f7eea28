//! Whatever JSON Clerk can hold.

use clerk_sim::{Config, Fault};
use serde_json::json;

use crate::support::*;

/// The same JSON as Postgres can store it: U+FFFD for `\u0000` and for halves of surrogate pairs.
fn storable(json: &str) -> String {
    let mut out = String::new();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let unit = |text: &str| {
            let digits = text.strip_prefix("\\u").and_then(|digits| digits.get(..4));
            digits.map(|digits| u16::from_str_radix(digits, 16).expect("hexadecimal digits"))
        };
        let length = match unit(rest) {
            None => 2,
            Some(0xD800..=0xDBFF)
                if rest.get(6..).and_then(unit).is_some_and(|low| (0xDC00..=0xDFFF).contains(&low)) =>
            {
                12
            }
            Some(0 | 0xD800..=0xDFFF) => {
                out.push_str(r"\ufffd");
                rest = &rest[6..];
                continue;
            }
            Some(_) => 6,
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out + rest
}

/// attrs is every object as Clerk sent it, but for what Postgres cannot store.
#[test]
fn attrs_jsonb_is_the_whole_object() {
    let world = World::new(Config { users: 1500, organizations: 100, memberships: 600, ..small() });
    for (table, id, objects) in [
        ("users", "user_id", world.sim.users()),
        ("organizations", "organization_id", world.sim.organizations()),
        ("organization_memberships", "membership_id", world.sim.memberships()),
    ] {
        let known: Vec<_> = objects.iter().map(|object| object.id.as_str()).collect();
        let json: Vec<_> = objects.iter().map(|object| storable(&object.json)).collect();
        let query = format!(
            "SELECT coalesce(t.{id}, e.id), t.attrs::text, e.json
             FROM clerk.{table} t FULL JOIN unnest($1::text[], $2::text[]) AS e(id, json) ON t.{id} = e.id
             WHERE t.attrs IS DISTINCT FROM e.json::jsonb"
        );
        let wrong = world.rows_of(&query, &[&known, &json]);
        assert!(wrong.is_empty(), "{} of {table}, the first: {:?}", wrong.len(), wrong.first());
    }
}

/// As json, attrs is the same to the byte.
#[test]
fn attrs_json_is_the_same_bytes() {
    let world = World::new(Config { users: 500, lone_surrogates: false, ..small() });
    world.run("CREATE FOREIGN TABLE bytes (id text, attrs json) SERVER clerk OPTIONS (object 'users')");
    let rows = world.rows("SELECT id, attrs::text FROM bytes");
    let users = world.sim.users();
    assert_eq!(rows.len(), users.len());
    for row in rows {
        let user = users.iter().find(|user| user.id == row.get::<_, &str>(0)).expect("a user of that id");
        assert_eq!(row.get::<_, &str>(1), storable(&user.json));
    }
}

/// Names in any script, and escapes of every kind, arrive as they were meant.
#[test]
fn unicode_names_and_escapes() {
    let world = World::new(Config { users: 0, organizations: 0, memberships: 0, ..small() });
    let names = [
        (r#""Zoë""#, "Zoë"),
        (r#""Дмитрий 李小龙 سارة नमस्ते""#, "Дмитрий 李小龙 سارة नमस्ते"),
        (r#""👩‍👩‍👧‍👦🏳️‍🌈""#, "👩‍👩‍👧‍👦🏳️‍🌈"),
        (r#""\ud83d\ude00\u00e9\u4e2d""#, "😀é中"),
        (r#""a\u0000b""#, "a\u{FFFD}b"),
        (r#""\u0000""#, "\u{FFFD}"),
        (r#""x\ud800y""#, "x\u{FFFD}y"),
        (r#""\udc00\ud800""#, "\u{FFFD}\u{FFFD}"),
        (r#""\ud800\ud83d\ude00""#, "\u{FFFD}😀"),
        (r#""\ud83d\u0041""#, "\u{FFFD}A"),
        (r#""\\u0000 \\\ud800""#, "\\u0000 \\\u{FFFD}"),
        (r#""\" \\ \/ \b\f\n\r\t""#, "\" \\ / \u{8}\u{C}\n\r\t"),
        (r#""""#, ""),
        (r#"" ""#, " "),
        ("\"\u{7f}\u{80}\u{2028}\u{feff}\u{10ffff}\"", "\u{7f}\u{80}\u{2028}\u{feff}\u{10ffff}"),
        (r#""'; DROP TABLE users; -- %s %n $1 {}""#, "'; DROP TABLE users; -- %s %n $1 {}"),
    ];
    let users = names.iter().enumerate().map(|(number, (json, _))| {
        let id = format!("user_{number:02}");
        format!(r#"{{"id":"{id}","first_name":{json},"created_at":{number},"public_metadata":{{{json}:[{json}]}}}}"#)
    });
    let page = format!("[{}]", users.collect::<Vec<_>>().join(","));
    world.sim.fault(Fault::body(200, page).on_path("/v1/users"));
    let rows = world.rows(
        "SELECT first_name, attrs ->> 'first_name', (jsonb_each(public_metadata)).key, public_metadata::text
         FROM clerk.users ORDER BY user_id",
    );
    assert_eq!(rows.len(), names.len());
    for (row, (json, meant)) in rows.iter().zip(names) {
        assert_eq!(row.get::<_, &str>(0), meant, "{json}");
        assert_eq!(row.get::<_, &str>(1), meant, "{json} in attrs");
        assert_eq!(row.get::<_, &str>(2), meant, "{json} as a key");
    }
}

/// Metadata as large as Clerk lets it be, and as deep as Postgres takes it, arrives whole; deeper is an error.
#[test]
fn large_and_deep_metadata() {
    let world = World::new(Config { users: 1, ..small() });
    let large = "ä🦀\"\\".repeat(1024);
    world.sim.create_user(json!({"public_metadata": {"large": large}, "id": "user_large"})).unwrap();
    let query = "SELECT public_metadata ->> 'large' FROM clerk.users WHERE user_id = 'user_large'";
    assert_eq!(world.one::<String>(query), large);

    for depth in [100, 1000, 100_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let user =
            format!(r#"{{"id":"user_deep","object":"user","created_at":1,"public_metadata":{{"deep":{deep}}}}}"#);
        world.sim.fault(Fault::body(200, user).on_path("/v1/users/user_deep"));
        match world.try_column::<String>("SELECT public_metadata::text FROM clerk.users WHERE user_id = 'user_deep'") {
            Ok(rows) => assert_eq!(rows[0].len(), depth * 2 + "{\"deep\": }".len()),
            Err(error) => assert!(depth > 1000, "{depth}: {error:?}"),
        }
        world.sim.clear_faults();
    }
    assert_eq!(world.rows("SELECT * FROM clerk.users").len(), 2, "the backend lives");
}

/// Fields that are missing are NULL, fields that nobody knows yet are kept, and a value of the wrong kind is an error
/// that names object and column.
#[test]
fn missing_unknown_and_mistyped_fields() {
    let world = World::new(Config { users: 0, ..small() });
    let answer = |object: &str| world.sim.fault(Fault::body(200, object).on_path("/v1/users/user_1"));
    answer(r#"{"id":"user_1","new_field":{"x":[1.50,1e3,-0]}}"#);
    let [row] = &world.rows("SELECT *, attrs::text AS whole FROM clerk.users WHERE user_id = 'user_1'")[..] else {
        panic!("one row")
    };
    for column in ["first_name", "email", "phone_number"] {
        assert_eq!(row.get::<_, Option<String>>(column), None, "{column}");
    }
    assert_eq!(row.get::<_, String>("whole"), r#"{"id": "user_1", "new_field": {"x": [1.50, 1000, 0]}}"#);

    for (fields, column) in [
        (r#""created_at":"yesterday""#, "created_at"),
        (r#""banned":"no""#, "banned"),
        (r#""created_at":1e300"#, "created_at"),
        (r#""created_at":1700000000000.00000000000000001"#, "created_at"),
        (r#""created_at":{}"#, "created_at"),
    ] {
        answer(&format!(r#"{{"id":"user_1",{fields}}}"#));
        let error = world.error("SELECT * FROM clerk.users WHERE user_id = 'user_1'");
        assert!(error.message().contains("user_1") && error.message().contains(column), "{fields}: {error:?}");
        world.sim.clear_faults();
    }
}

/// The tables of the first release, as people wrote them, still show what they showed.
#[test]
fn tables_of_the_first_release() {
    let world = World::new(Config { lone_surrogates: false, ..small() });
    world.run(
        "create foreign table clerk_users (user_id text, first_name text, last_name text, email text, gender text,
           created_at bigint, updated_at bigint, last_sign_in_at bigint, phone_numbers bigint, username text, attrs jsonb)
           server clerk options (object 'users');
         create foreign table clerk_organizations (organization_id text, name text, slug text, created_at bigint,
           updated_at bigint, created_by text, attrs jsonb) server clerk options (object 'organizations');
         create foreign table clerk_organization_memberships (user_id text, organization_id text, role text)
           server clerk options (object 'organization_memberships')",
    );
    let same = "SELECT count(*) FROM clerk_users o JOIN clerk.users n USING (user_id)
                WHERE o.created_at = (n.attrs ->> 'created_at')::bigint AND o.attrs = n.attrs
                  AND o.email IS NOT DISTINCT FROM n.email AND o.first_name IS NOT DISTINCT FROM n.first_name
                  AND o.phone_numbers IS NOT DISTINCT FROM ltrim(n.phone_number, '+')::bigint
                  AND o.created_at = round(extract(epoch FROM n.created_at) * 1000)";
    assert_eq!(world.one::<i64>(same), 60);
    assert_eq!(world.rows("SELECT * FROM clerk_organizations").len(), 8);
    assert_eq!(world.rows("SELECT * FROM clerk_organization_memberships WHERE role LIKE 'org:%'").len(), 100);
}
