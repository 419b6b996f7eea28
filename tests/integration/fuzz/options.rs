//! Options of servers, user mappings, tables and columns: what the validator accepts is kept, is of use, and no error shows a
//! key.

use super::{fuzz, user_error};
use crate::support::*;

const KEY: &str = "sk_test_simulator";

/// An option, the statement that sets it, and what holds for every value that is accepted.
struct Case {
    name: &'static str,
    statement: fn(&str) -> String,
    is_fine: fn(&str) -> bool,
}

fn server(option: &str) -> String {
    format!("CREATE SERVER s FOREIGN DATA WRAPPER clerk_fdw OPTIONS ({option})")
}

fn mapping(option: &str) -> String {
    format!("CREATE USER MAPPING FOR public SERVER clerk OPTIONS ({option})")
}

fn table(option: &str) -> String {
    format!("CREATE FOREIGN TABLE t (id text) SERVER clerk OPTIONS (object 'users', {option})")
}

fn object(option: &str) -> String {
    format!("CREATE FOREIGN TABLE t (id text) SERVER clerk OPTIONS ({option})")
}

fn column(option: &str) -> String {
    format!("CREATE FOREIGN TABLE t (id text, v text OPTIONS ({option})) SERVER clerk OPTIONS (object 'users')")
}

fn number(text: &str, from: u64, to: u64) -> bool {
    text.trim().parse::<u64>().is_ok_and(|number| (from..=to).contains(&number))
}

fn boolean(text: &str) -> bool {
    let names = ["true", "false", "t", "f", "on", "off", "yes", "no", "y", "n", "1", "0"];
    names.iter().any(|name| name.eq_ignore_ascii_case(text))
}

const CASES: &[Case] = &[
    Case { name: "api_key", statement: server, is_fine: |text| text.bytes().all(|byte| byte.is_ascii_graphic()) },
    Case { name: "api_key", statement: mapping, is_fine: |text| text.bytes().all(|byte| byte.is_ascii_graphic()) },
    Case { name: "api_key_id", statement: server, is_fine: |_| true },
    Case { name: "api_url", statement: server, is_fine: |text| text.contains(':') },
    Case { name: "api_version", statement: server, is_fine: |text| text.bytes().all(|byte| byte.is_ascii_graphic()) },
    Case { name: "rate_limit", statement: server, is_fine: |text| number(text, 1, 1_000_000) },
    Case { name: "page_size", statement: server, is_fine: |text| number(text, 1, 500) },
    Case { name: "max_concurrency", statement: server, is_fine: |text| number(text, 1, 32) },
    Case { name: "timeout_ms", statement: server, is_fine: |text| number(text, 1, 3_600_000) },
    Case { name: "max_retries", statement: server, is_fine: |text| number(text, 0, 100) },
    Case { name: "environment_key", statement: server, is_fine: boolean },
    Case { name: "updatable", statement: server, is_fine: boolean },
    Case { name: "page_size", statement: table, is_fine: |text| number(text, 1, 500) },
    Case { name: "updatable", statement: table, is_fine: boolean },
    Case {
        name: "startup_cost",
        statement: table,
        is_fine: |text| text.trim().parse::<f64>().is_ok_and(|cost| cost >= 0.0),
    },
    Case { name: "rowid_column", statement: table, is_fine: |_| true },
    Case {
        name: "object",
        statement: object,
        is_fine: |text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
    },
    Case { name: "path", statement: column, is_fine: |text| !text.split('.').any(str::is_empty) },
];

const SEEDS: &[&str] = &[
    KEY,
    "https://api.clerk.com/v1",
    "http://127.0.0.1:8080",
    "http://localhost/x",
    "https://user@evil.example",
    "0",
    "1",
    "500",
    "501",
    "32",
    "1000000",
    "3600000",
    "-1",
    " 7 ",
    "+7",
    "1.5",
    "1e3",
    "NaN",
    "infinity",
    "true",
    "off",
    "Y",
    "2026-05-12",
    "users",
    "organization_memberships",
    "public_metadata.plan",
    "a..b",
    "email_addresses.0.id",
    "",
    "\u{661}",
    "api_key=sk_test_simulator",
];

#[test]
fn values() {
    let world = World::new(small());
    fuzz(SEEDS, &[KEY, "=", "'", "http://", "https://", "127.0.0.1", "@", "\\", ".", "users"], |mutator, input| {
        let case = &CASES[mutator.random.usize(..CASES.len())];
        let literal = format!("{} '{}'", case.name, input.replace('\'', "''"));
        let statement = (case.statement)(&literal);
        world.run("BEGIN");
        let result = world.client().batch_execute(&statement);
        let wrong = match &result {
            Err(error) => {
                let error = user_error(error)?;
                // A key in the place of another option is not quoted: errors go into logs.
                let shows = input.contains(KEY) && error_text(&error).contains(KEY);
                let is_one = error.code().code().starts_with("HV") || ["22023", "42601"].contains(&error.code().code());
                (shows || !is_one).then(|| format!("{}: {}", error.code().code(), error_text(&error)))
            }
            Ok(()) if !(case.is_fine)(input) => Some("it was accepted".to_owned()),
            Ok(()) => use_it(&world, case, input),
        };
        world.run("ROLLBACK");
        wrong.map_or(Ok(()), |wrong| Err(format!("{statement}\n{wrong}")))
    });
}

/// What is wrong with an option that was accepted: it is kept as it is, and a query works or says why not.
fn use_it(world: &World, case: &Case, value: &str) -> Option<String> {
    let kept = "SELECT option_value FROM (
          SELECT srvoptions FROM pg_foreign_server WHERE srvname = 's'
          UNION ALL SELECT umoptions FROM pg_user_mapping WHERE umuser = 0
          UNION ALL SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = to_regclass('t')
          UNION ALL SELECT attfdwoptions FROM pg_attribute WHERE attrelid = to_regclass('t')) o(options),
          pg_options_to_table(options) WHERE option_name = $1";
    let kept: Vec<String> = world.rows_of(kept, &[&case.name]).iter().map(|row| row.get(0)).collect();
    if kept != [value] {
        return Some(format!("it was kept as {kept:?}"));
    }
    // To other hosts than this machine no request is made, and none that could take long.
    let query = match (case.name, (case.statement)("")) {
        ("api_url" | "api_key_id", _) => return None,
        (_, statement) if statement.contains("TABLE t") => "SELECT * FROM t LIMIT 1".to_owned(),
        (_, statement) if statement.contains("SERVER s") => format!(
            "ALTER SERVER s OPTIONS (ADD api_url '{}'); SET LOCAL statement_timeout = 2000;
             SELECT * FROM clerk_fdw.check_server('s')",
            world.sim.url()
        ),
        _ => return None,
    };
    let result = world.client().batch_execute(&query);
    match result {
        Ok(()) => None,
        Err(error) => user_error(&error).err(),
    }
}
