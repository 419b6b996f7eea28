//! The key is nobody's business.

use std::fs;
use std::thread;
use std::time::Duration;

use clerk_sim::{Config, Fault};

use crate::support::*;

/// Keys that occur in one test each, so that they can be looked for in the server's log.
const OF_ERRORS: &str = "sk_live_Qx7Vb2Nw9Zr4Tm6Kp1Hs8Jd3";

const OF_VIEWS: &str = "sk_live_Lf5Yg0Xc3Bu8Ea1Mo6Wi9Dt2";

const OF_STATEMENTS: &str = "sk_live_Uh4Pk7Sz2Ga9Ce5Rv0Nj3Fq6";

/// The server's log so far.
fn log() -> String {
    let path = std::env::var("CLERK_FDW_SERVER_LOG").expect("CLERK_FDW_SERVER_LOG: run `make test`");
    String::from_utf8_lossy(&fs::read(path).expect("the server's log")).into_owned()
}

/// Neither the key nor any part of it that would be of use.
#[track_caller]
fn assert_hidden(secret: &str, text: &str, place: &str) {
    let body = &secret["sk_live_".len()..];
    for start in 0..body.len() - 6 {
        let part = &body[start..start + 6];
        if let Some(at) = text.find(part) {
            let around: String = text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
            panic!("{place} has {part:?} of the key, after {around}");
        }
    }
}

/// A world with the secret as its key, whose sessions log all there is to log.
fn world(secret: &str, options: &str) -> World {
    let world = World::with(Config { keys: vec![secret.to_owned()], ..small() }, options);
    let database = world.database();
    world.run(&format!(
        "ALTER DATABASE {database} SET log_min_messages = debug5;
         ALTER DATABASE {database} SET log_error_verbosity = verbose;
         ALTER DATABASE {database} SET log_min_duration_statement = 0;
         ALTER DATABASE {database} SET debug_print_plan = on"
    ));
    world
}

/// Bodies that hold the key, as something on the way may echo a request's headers.
fn echoes() -> Vec<String> {
    let mut bodies: Vec<_> = [
        r#"{"errors":[{"message":"m KEY","long_message":"l KEY","code":"c KEY"}],"clerk_trace_id":"t KEY"}"#,
        r#"{"errors":[{"code":"KEY"}]}"#,
        r#"{"errors":"KEY"}"#,
        r#"{"total_count":"KEY","data":"KEY"}"#,
        r#"{"KEY":"KEY"}"#,
        r#"["KEY","KEY"]"#,
        r#"[{"object":"KEY","created_at":"KEY"}]"#,
        r#"[{"id":["KEY"],"object":"user"}]"#,
        r#""KEY""#,
        "<html>Authorization: Bearer KEY</html>",
    ]
    .map(str::to_owned)
    .into();
    // An excerpt may end in the middle of it.
    bodies.extend((40..90).step_by(3).map(|before| format!("{}KEY{}", "x".repeat(before), "y".repeat(300))));
    bodies.into_iter().map(|body| body.replace("KEY", OF_ERRORS)).collect()
}

/// However a scan fails, and whatever comes back, the error does not show the key.
#[test]
fn errors_hide_the_key() {
    let world = world(OF_ERRORS, "max_retries '0', rate_limit_timeout_ms '0', timeout_ms '10000', page_size '20'");
    let session = world.connect();
    let queries = [
        "SELECT * FROM clerk.users",
        "SELECT * FROM clerk.users WHERE user_id = 'user_1'",
        "SELECT * FROM clerk.organization_memberships",
        "SELECT * FROM clerk.organization_memberships WHERE organization_id = 'org_1'",
    ];
    let scan = |fault: Fault| {
        let context = format!("{fault:?}").replace(OF_ERRORS, "KEY");
        world.sim.clear_faults();
        world.sim.fault(fault.always());
        for query in queries {
            if let Err(error) = session.client().query(query, &[]) {
                assert_hidden(OF_ERRORS, &format!("{error:?}"), &format!("the error of {query} after {context}"));
            }
        }
    };
    for status in [400, 401, 403, 404, 422, 429, 500, 503] {
        scan(Fault::status(status));
    }
    for fault in [Fault::reset(), Fault::cut(), Fault::cut_json(), Fault::html()] {
        scan(fault);
    }
    let set_timeout = |ms: &str| world.run(&format!("ALTER SERVER clerk OPTIONS (SET timeout_ms '{ms}')"));
    set_timeout("500");
    scan(Fault::silence());
    set_timeout("10000");
    for body in echoes() {
        for status in [200, 401, 422, 500] {
            scan(Fault::body(status, &body));
            scan(Fault::body(status, &body).on_path("/v1/users/count"));
        }
    }
    set_timeout("2000");
    for url in ["http://127.0.0.1:1/v1", "https://127.0.0.1:1/v1", "https://nowhere.invalid/v1"] {
        world.run(&format!("ALTER SERVER clerk OPTIONS (SET api_url '{url}')"));
        let error = session.error(queries[0]);
        assert_eq!(error.code().code(), "08006", "{error:?}");
        assert_hidden(OF_ERRORS, &format!("{error:?}"), url);
    }
    assert_hidden(OF_ERRORS, &log(), "the server's log");
}

/// Nothing that a running or finished query leaves to be seen shows the key.
#[test]
fn explain_and_activity_hide_the_key() {
    let world = world(OF_VIEWS, "");
    let session = world.connect();
    // A Postgres built without contrib has no auto_explain.
    let has_auto_explain = "SELECT EXISTS (SELECT FROM pg_config() c, pg_ls_dir(c.setting) file
        WHERE c.name = 'PKGLIBDIR' AND file LIKE 'auto_explain.%')";
    if world.one::<bool>(has_auto_explain) {
        session.run("SET auto_explain.log_min_duration = 0; LOAD 'auto_explain'; SET auto_explain.log_verbose = on");
    }
    for format in ["text", "json"] {
        for query in [
            "SELECT * FROM clerk.users",
            "SELECT * FROM clerk.users u JOIN clerk.organization_memberships m USING (user_id) WHERE m.organization_id = 'org_1'",
        ] {
            for options in ["VERBOSE", "ANALYZE, VERBOSE, BUFFERS"] {
                let plan = session.rows(&format!("EXPLAIN ({options}, FORMAT {format}) {query}"));
                // The plan's text, however it is framed.
                let plan: Vec<String> = match format {
                    "text" => plan.iter().map(|row| row.get(0)).collect(),
                    _ => vec![format!("{plan:?}")],
                };
                assert_hidden(OF_VIEWS, &plan.join("\n"), query);
            }
        }
    }

    world.sim.fault(Fault::silence().always());
    let canceller = session.canceller();
    thread::scope(|scope| {
        let scan = scope.spawn(move || session.error("SELECT * FROM clerk.users"));
        let mut seen = Vec::new();
        wait_until("the scan is shown", || {
            thread::sleep(Duration::from_millis(300));
            seen = world.column::<String>("SELECT a::text FROM pg_stat_activity a");
            seen.iter().any(|row| row.contains("clerk.users"))
        });
        assert_hidden(OF_VIEWS, &seen.join("\n"), "pg_stat_activity");
        canceller.cancel_query(postgres::NoTls).unwrap();
        scan.join().unwrap();
    });
    assert_hidden(OF_VIEWS, &log(), "the server's log");
}

/// A statement that fails because of another option is not logged with the key in it.
#[test]
fn failed_ddl_with_a_key_is_not_logged() {
    let world = World::new(small());
    let session = world.connect();
    let role = world.role("mapped");
    session.run(&format!("SET log_min_messages = debug1; SET log_error_verbosity = verbose; CREATE ROLE {role}"));
    for statement in [
        "CREATE SERVER other FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_key 'KEY', page_size '0')",
        "CREATE SERVER other FOREIGN DATA WRAPPER clerk_fdw OPTIONS (page_size '0', api_key 'KEY')",
        "CREATE SERVER other FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_kee 'KEY')",
        "CREATE SERVER other FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_key 'KEY KEY')",
        "ALTER SERVER clerk OPTIONS (ADD api_key 'KEY', SET rate_limit '-1')",
        "ALTER SERVER clerk OPTIONS (ADD api_key 'KEY\n')",
        "CREATE USER MAPPING FOR ROLE SERVER clerk OPTIONS (api_key 'KEY', page_size '1')",
        "CREATE USER MAPPING FOR ROLE SERVER clerk OPTIONS (api_kye 'KEY')",
        "CREATE USER MAPPING FOR ROLE SERVER clerk OPTIONS (key 'KEY')",
        "ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key 'KEY ')",
        "ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key 'KEY', ADD timeout '1')",
        "CREATE FOREIGN TABLE other (id text) SERVER clerk OPTIONS (object 'users', api_key 'KEY')",
    ] {
        let error = session.error(&statement.replace("ROLE", &role).replace("KEY", OF_STATEMENTS));
        assert_eq!(&error.code().code()[..2], "HV", "{statement}: {error:?}");
        assert_hidden(OF_STATEMENTS, &log(), &format!("the log of {statement}"));
    }
    session.run(&format!("DROP ROLE {role}"));
    let text = log();
    assert!(text.contains("invalid option \"api_kee\""), "the errors themselves are logged");
    // Other statements are logged as ever.
    session.error("SELECT no_such_column_4711");
    assert!(log().contains("STATEMENT:  SELECT no_such_column_4711"));
}

/// The key of the server process's environment goes to Clerk alone, unless the server says that it may go elsewhere.
#[test]
fn environment_key_goes_to_clerk_alone() {
    let environment = vec![("CLERK_SECRET_KEY", KEY.to_owned())];
    let cluster = Cluster::in_environment("", environment);
    let world = World::at(cluster.host(), small(), "", "");
    world.run(&format!(
        "CREATE SERVER bare FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url '{}');
         CREATE FOREIGN TABLE people (user_id text) SERVER bare OPTIONS (object 'users')",
        world.sim.url()
    ));
    let error = world.error("SELECT * FROM people");
    assert_eq!(error.code().code(), "HV00N");
    assert!(error_text(&error).contains("environment_key"), "{}", error_text(&error));
    assert_eq!(world.requests().len(), 0);
    world.run("ALTER SERVER bare OPTIONS (ADD environment_key 'true')");
    assert_eq!(world.rows("SELECT * FROM people").len(), 60);
    // It belongs to whoever runs the process: nobody else's server spends it.
    world.run("CREATE ROLE somebody; GRANT USAGE ON FOREIGN DATA WRAPPER clerk_fdw TO somebody; ALTER SERVER bare OWNER TO somebody");
    assert_eq!(world.error("SELECT * FROM people").code().code(), "HV00N");
}
