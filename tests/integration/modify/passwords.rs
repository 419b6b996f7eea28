//! What is given to be written may be a password, which is nobody else's business.

use std::fs;

use clerk_sim::Fault;

use crate::support::*;

/// One that is looked for in the server's log.
const PASSWORD: &str = "kX9-tulip-Vr4-granite";

fn log() -> String {
    let path = std::env::var("CLERK_FDW_SERVER_LOG").expect("CLERK_FDW_SERVER_LOG: run `make test`");
    String::from_utf8_lossy(&fs::read(path).expect("the server's log")).into_owned()
}

/// However a write fails, neither the error nor the server's log has what was to be written, nor does EXPLAIN.
#[test]
fn hidden() {
    let world = writable_with(small(), "timeout_ms '1500', max_retries '0'");
    let user = world.sim.users()[0].id.clone();
    let attrs = |more: &str| format!("{{\"password\": \"{PASSWORD}\"{more}}}");
    // What is sent, and what is refused before.
    let given =
        [attrs(""), attrs(", \"first_name\": 7"), attrs(", \"colour\": \"red\""), attrs(", \"locked\": \"no\"")];
    let faults = [
        None,
        Some(Fault::status(500)),
        Some(Fault::status(422)),
        Some(Fault::reset()),
        Some(Fault::cut()),
        Some(Fault::silence()),
    ];
    let too_short = "{\"password\": \"kX9-tul\"}";
    let mut failed = 0;
    for given in given.iter().map(String::as_str).chain([too_short]) {
        for fault in &faults {
            for statement in [
                format!("INSERT INTO clerk.users (attrs) VALUES ('{given}')"),
                format!("INSERT INTO clerk.users (attrs) VALUES ('{given}'), ('{given}') RETURNING user_id"),
                format!("UPDATE clerk.users SET attrs = '{given}' WHERE user_id = '{user}'"),
                format!("PREPARE p (jsonb) AS INSERT INTO clerk.users (attrs) VALUES ($1); EXECUTE p ('{given}')"),
            ] {
                if let Some(fault) = fault {
                    let fault = fault.clone().always();
                    world.sim.fault(fault.on_method(if statement.starts_with("UPDATE") { "PATCH" } else { "POST" }));
                }
                if let Err(error) = world.client().batch_execute(&statement) {
                    failed += 1;
                    let text = format!("{error:?}");
                    assert!(!text.contains(&PASSWORD[..7]), "{fault:?}: {text}");
                }
                world.run("DEALLOCATE ALL");
                world.sim.clear_faults();
            }
        }
    }
    assert!(failed > 60, "{failed} failed");
    for statement in [
        format!("EXPLAIN INSERT INTO clerk.users (attrs) VALUES ('{}')", attrs("")),
        format!("EXPLAIN ANALYZE INSERT INTO clerk.users (attrs) VALUES ('{}')", attrs("")),
        format!("EXPLAIN (FORMAT JSON) UPDATE clerk.users SET attrs = '{}' WHERE user_id = '{user}'", attrs("")),
    ] {
        let plan = world.client().simple_query(&statement).unwrap();
        assert!(!format!("{plan:?}").contains(&PASSWORD[..7]), "{plan:?}");
    }
    let told = format!("{:?}", world.notices());
    assert!(!told.contains(&PASSWORD[..7]), "{told}");
    // The rows of this test's database alone: others print what they like.
    let log = log();
    if let Some(at) = log.find(&PASSWORD[..7]) {
        let from = log[..at].rfind('\n').map_or(0, |line| log[..line].rfind('\n').unwrap_or(0));
        panic!("the server's log: {}", &log[from..(at + 60).min(log.len())]);
    }
}

/// What else could show it: the functions, a view's check, a value that JSON cannot express, and what Clerk has made of it.
#[test]
fn hidden_elsewhere() {
    const OTHER: &str = "pQ7-maple-Zt2-basalt";
    let world = writable_with(small(), "max_retries '0'");
    let body = |more: &str| format!("{{\"password\": \"{OTHER}\"{more}}}");
    world.run(
        "CREATE VIEW public.kings AS SELECT * FROM clerk.users WHERE last_name = 'King' WITH CHECK OPTION;
         CREATE FOREIGN TABLE clerk.odd (user_id text, email text, created_at timestamptz, image_url integer, attrs jsonb)
           SERVER clerk OPTIONS (object 'users')",
    );
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    for statement in [
        format!(
            "SELECT clerk_fdw.request('clerk', 'POST', '/users', body => '{}')",
            body(", \"email_address\": [\"nobody\"]")
        ),
        format!("SELECT clerk_fdw.request('clerk', 'POST', '/../users', body => '{}')", body("")),
        format!("SELECT clerk_fdw.request('clerk', 'GET', '/users', body => '{}')", body("")),
        format!(
            "SELECT clerk_fdw.request('clerk', 'POST', '/users', body => '{}')",
            body(&format!(", \"deep\": {deep}"))
        ),
        format!("SELECT clerk_fdw.merge_user_metadata('clerk', '..', '{}')", body("")),
        format!("INSERT INTO public.kings (last_name, attrs) VALUES ('Hopper', '{}')", body("")),
        format!("INSERT INTO clerk.odd (created_at, attrs) VALUES ('infinity', '{}')", body("")),
        format!("INSERT INTO clerk.odd (email, attrs) VALUES ('odd@example.com', '{}') RETURNING image_url", body("")),
    ] {
        let error = world.error(&statement);
        assert!(!format!("{error:?}").contains(&OTHER[..7]), "{error:?}");
    }
    assert!(!log().contains(&OTHER[..7]), "the server's log has it");
}
