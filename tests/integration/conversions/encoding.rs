//! Databases of other encodings than UTF-8.

use clerk_sim::{Config, Fault};
use serde_json::json;

use crate::support::*;

/// Databases of other encodings give the right rows or an error that says what they cannot hold; never garbage.
#[test]
fn latin1_sql_ascii_and_euc_jp() {
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        let words = format!("ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'");
        let world = World::of_encoding(Config { users: 0, ..small() }, "page_size '20'", &words);
        for (id, name) in [("user_a", "Ada"), ("user_b", "Zoë"), ("user_c", "李"), ("user_d", "😀")] {
            world
                .sim
                .create_user(json!({"id": id, "first_name": name, "email_address": format!("{id}@example.com")}))
                .unwrap();
        }
        for (id, name) in [("user_a", "Ada"), ("user_b", "Zoë"), ("user_c", "李"), ("user_d", "😀")] {
            for column in ["first_name", "attrs ->> 'first_name'", "coalesce(first_name, email)"] {
                let query = format!("SELECT {column} FROM clerk.users WHERE user_id = '{id}'");
                match world.client().query(&query, &[]) {
                    Ok(rows) => assert_eq!(rows[0].get::<_, &str>(0), name, "{encoding}: {query}"),
                    Err(error) => {
                        let error = error.as_db_error().unwrap_or_else(|| panic!("{encoding}: {query}: {error:?}"));
                        assert!(!name.is_ascii() && !error.message().is_empty(), "{encoding}: {query}: {error:?}");
                    }
                }
            }
        }
        assert_eq!(world.one::<i64>("SELECT count(user_id) FROM clerk.users"), 4, "{encoding}");
        let _ = world.client().query("SELECT * FROM clerk.users WHERE user_id = $1", &[&"user_é"]);
        let _ = world.client().query("SELECT * FROM clerk.users WHERE user_id = $1", &[&"user_😀"]);

        // Clerk's own words may be beyond the database's encoding as well.
        let body = r#"{"errors":[{"message":"😀 é 李","long_message":"😀 é 李 \u0000 \ud800","code":"é"}]}"#;
        world.sim.fault(Fault::body(422, body).always());
        let failed = world.client().batch_execute("SELECT * FROM clerk.users");
        let failed = failed.expect_err("an error");
        assert!(failed.as_db_error().is_some(), "{encoding}: {failed:?}");
        world.sim.clear_faults();
        assert_eq!(world.one::<i32>("SELECT 1"), 1, "{encoding}: the backend lives");
    }
}

/// The planner's questions may meet a column whose name is no text in UTF-8: an error, if at all, and not the server's end.
#[test]
fn non_utf8_column_name() {
    let words = "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
    let world = World::of_encoding(small(), "", words);
    world.run(
        "DO $$ BEGIN EXECUTE 'CREATE FOREIGN TABLE odd (user_id text, \"' || chr(233) || '\" text) SERVER clerk OPTIONS (object ''users'')';
           EXECUTE 'CREATE VIEW odd_view AS SELECT user_id, \"' || chr(233) || '\" AS e FROM odd'; END $$;
         CREATE TABLE local (e text)",
    );
    let _ = world.try_column::<String>("SELECT o.user_id FROM odd_view o JOIN local l ON l.e = o.e");
    assert_eq!(world.one::<i32>("SELECT 1"), 1);
}
