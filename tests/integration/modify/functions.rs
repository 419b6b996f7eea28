//! The functions that write, and the one that checks a server.

use clerk_sim::{Config, Fault};
use postgres::error::SqlState;
use serde_json::Value;

use crate::support::*;

/// A world that may be written to.
fn writable() -> World {
    World::with(small(), "updatable 'true', max_retries '1'")
}

/// Method, target and body of the requests since this was last asked.
fn sent(world: &World) -> Vec<(String, String, Option<Value>)> {
    let requests = world.requests().into_iter();
    let body = |body: Option<String>| body.map(|body| serde_json::from_str(&body).expect("a body of JSON"));
    requests.map(|request| (request.method, request.target, body(request.body))).collect()
}

#[test]
fn ready_made_functions_send_one_request() {
    let world = writable();
    let user = world.sim.users()[0].id.clone();
    let organization = world.sim.organizations()[0].id.clone();
    let session =
        world.one::<String>(&format!("SELECT session_id FROM clerk.sessions WHERE user_id = '{user}' LIMIT 1"));
    world.requests();
    let cases = [
        (format!("ban_user('clerk', '{user}') ->> 'banned'"), "true", "POST", format!("/users/{user}/ban"), None),
        (format!("unban_user('clerk', '{user}') ->> 'banned'"), "false", "POST", format!("/users/{user}/unban"), None),
        (format!("lock_user('clerk', '{user}') ->> 'locked'"), "true", "POST", format!("/users/{user}/lock"), None),
        (
            format!("unlock_user('clerk', '{user}') ->> 'locked'"),
            "false",
            "POST",
            format!("/users/{user}/unlock"),
            None,
        ),
        (
            format!("revoke_session('clerk', '{session}') ->> 'status'"),
            "revoked",
            "POST",
            format!("/sessions/{session}/revoke"),
            None,
        ),
        (
            format!(
                "merge_user_metadata('clerk', '{user}', private_metadata => '{{\"a\": 12345678901234567890.10}}') ->> 'id'"
            ),
            &user,
            "PATCH",
            format!("/users/{user}/metadata"),
            Some(r#"{"private_metadata":{"a": 12345678901234567890.10}}"#),
        ),
        (
            format!(
                "merge_organization_metadata('clerk', '{organization}', '{{\"a\": null}}', '{{\"b\": []}}') ->> 'id'"
            ),
            &organization,
            "PATCH",
            format!("/organizations/{organization}/metadata"),
            Some(r#"{"public_metadata":{"a": null},"private_metadata":{"b": []}}"#),
        ),
    ];
    for (call, answer, method, path, body) in cases {
        assert_eq!(world.one::<String>(&format!("SELECT clerk_fdw.{call}")), answer, "{call}");
        let requests = world.requests();
        let found: Vec<_> =
            requests.iter().map(|request| (&*request.method, &*request.target, request.body.as_deref())).collect();
        assert_eq!(found, [(method, &*format!("/v1{path}"), body)], "{call}");
    }
}

#[test]
fn any_request_can_be_sent() {
    let world = writable();
    let ids: Vec<String> = world.sim.users()[..2].iter().map(|user| user.id.clone()).collect();
    let query = serde_json::json!({"user_id": ids, "limit": 2, "banned": false});
    let found =
        world.one::<i32>(&format!("SELECT jsonb_array_length(clerk_fdw.request('clerk', 'get', '/users', '{query}'))"));
    assert_eq!(found, 2);
    let target = format!("/v1/users?banned=false&limit=2&user_id={}&user_id={}", ids[0], ids[1]);
    assert_eq!(sent(&world), [("GET".to_owned(), target, None)]);
    let name = world.one::<String>(
        "SELECT clerk_fdw.request('clerk', 'POST', '/organizations', body => '{\"name\": \"Acme\"}') ->> 'name'",
    );
    assert_eq!(name, "Acme");
    assert_eq!(sent(&world).len(), 1);
    assert!(
        world.one::<bool>(
            "SELECT clerk_fdw.request('clerk', 'PATCH', '/instance', body => '{\"test_mode\": true}') IS NULL"
        ),
        "an empty body is null"
    );
    let error = world.error("SELECT clerk_fdw.request('clerk', 'GET', '/users/user_nobody')");
    assert_eq!(error.code().code(), "HV000", "{error:?}");
    world.requests();
    for (arguments, why) in [
        ("'PURGE', '/users'", "neither GET"),
        ("'GET', '/users', body => '{}'", "a GET has no body"),
        ("'GET', '/users', '[1]'", "not a JSON object"),
        ("'GET', '/users', '{\"a\": {}}'", "neither a text"),
        ("NULL, '/users'", "must not be null"),
    ] {
        let error = world.error(&format!("SELECT clerk_fdw.request('clerk', {arguments})"));
        assert!(error.message().contains(why), "{arguments}: {error:?}");
    }
    assert_eq!(sent(&world), []);
}

/// No path leads out of the API, in whatever encoding.
#[test]
fn attacks_on_paths_send_nothing() {
    let world = writable();
    let attacks = [
        "",
        "users",
        "/",
        "//evil.example",
        "/users/",
        "/users//x",
        "https://evil.example",
        "@evil.example",
        "/..",
        "/.",
        "/users/../organizations",
        "/%2e%2e/organizations",
        "/users/%2E%2e/organizations",
        "/users/.%2e/x",
        "/%252e%252e/x",
        "/%25252e%25252e/x",
        "/users/%2e%2e%2forganizations",
        "/users/a%2fb",
        "/users/a%252Fb",
        "/users/a\\b",
        "/users/%5c",
        "/users?limit=1",
        "/users%3flimit=1",
        "/users#x",
        "/users%23x",
        "/users/%00",
        "/users/%0d%0aHost:%20evil",
        "/users/a\nb",
        "/users/a\tb",
        "/users/%7f",
        "/users/%ff",
        "/users/..;/x",
    ];
    for path in attacks {
        for method in ["GET", "DELETE"] {
            let result =
                world.client().query("SELECT clerk_fdw.request('clerk', $1, $2)", &[&method, &path]).map(|_| ());
            let error = result.expect_err(path);
            assert_eq!(error.code(), Some(&SqlState::INVALID_PARAMETER_VALUE), "{path:?}: {error}");
        }
    }
    assert_eq!(sent(&world), []);
    // What an id has of such characters is data.
    let error = world.error("SELECT clerk_fdw.ban_user('clerk', '../organizations?x#y%2f')");
    assert_eq!(error.code().code(), "HV000");
    assert_eq!(sent(&world)[0].1, "/v1/users/..%2Forganizations%3Fx%23y%252f/ban");
    for id in ["", ".", ".."] {
        assert_eq!(world.error(&format!("SELECT clerk_fdw.ban_user('clerk', '{id}')")).code().code(), "22023");
    }
    assert_eq!(sent(&world), []);
}

#[test]
fn functions_need_rights_and_the_option() {
    let world = World::new(small());
    let user = world.sim.users()[0].id.clone();
    let writes = [
        format!("ban_user('clerk', '{user}')"),
        "revoke_session('clerk', 'sess_1')".to_owned(),
        format!("merge_user_metadata('clerk', '{user}', '{{}}')"),
        "merge_organization_metadata('clerk', 'org_1', '{}')".to_owned(),
        "ensure_organization('clerk', 'acme', 'Acme')".to_owned(),
        format!("request('clerk', 'DELETE', '/users/{user}')"),
        "request('clerk', 'POST', '/organizations', body => '{\"name\": \"x\"}')".to_owned(),
    ];
    for call in &writes {
        let error = world.error(&format!("SELECT clerk_fdw.{call}"));
        assert_eq!(error.code().code(), "55000", "{call}: {error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("updatable 'true'")), "{call}: {error:?}");
    }
    world.run("ALTER SERVER clerk OPTIONS (ADD updatable 'true')");
    for call in &writes {
        let error = world.error(&format!("BEGIN READ ONLY; SELECT clerk_fdw.{call}"));
        world.run("ROLLBACK");
        assert_eq!(error.code().code(), "25006", "{call}: {error:?}");
    }
    let role = world.role("nobody");
    world.run(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA clerk_fdw TO {role};
         GRANT EXECUTE ON ALL ROUTINES IN SCHEMA clerk_fdw TO {role}; SET ROLE {role}"
    ));
    for call in writes.iter().map(String::as_str).chain(["request('clerk', 'GET', '/users')", "check_server('clerk')"])
    {
        let error = world.error(&format!("SELECT clerk_fdw.{call}"));
        assert_eq!(error.code().code(), "42501", "{call}: {error:?}");
    }
    world.run(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"));
    world.run("CREATE FOREIGN DATA WRAPPER other; CREATE SERVER other FOREIGN DATA WRAPPER other");
    assert_eq!(world.error("SELECT clerk_fdw.request('other', 'GET', '/users')").code().code(), "42809");
    assert_eq!(world.error("SELECT clerk_fdw.request('nothing', 'GET', '/users')").code().code(), "42704");
    assert_eq!(sent(&world), []);
}

#[test]
fn a_server_can_be_checked() {
    let world = World::with(small(), "rate_limit '40', max_retries '0', timeout_ms '500'");
    let row = |world: &World| {
        let rows = world.rows("SELECT ok, environment, instance_id, api_version, latency_ms, remaining_budget, error, hint FROM clerk_fdw.check_server('clerk')");
        let [row] = &rows[..] else { panic!("{} rows", rows.len()) };
        (
            row.get::<_, bool>(0),
            row.get::<_, Option<String>>(1),
            row.get::<_, Option<String>>(2),
            row.get::<_, Option<String>>(6),
            row.get::<_, Option<String>>(7),
        )
    };
    assert_eq!(row(&world), (true, Some("production".into()), Some(world.sim.instance()), None, None));
    let left = |world: &World| world.one::<i32>("SELECT remaining_budget FROM clerk_fdw.check_server('clerk')");
    let before = left(&world);
    assert!(before < 40 && left(&world) < before, "each check takes one");
    assert!(
        world.one::<bool>("SELECT latency_ms > 0 AND api_version = '2026-05-12' FROM clerk_fdw.check_server('clerk')")
    );
    world.sim.fault(Fault::status(503).on_path("/v1/instance"));
    let (ok, _, _, error, _) = row(&world);
    assert!(!ok && error.as_deref().is_some_and(|error| error.contains("status 503")), "{error:?}");
    world.run("ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key 'sk_live_wrong')");
    let (ok, _, instance, error, hint) = row(&world);
    assert!(!ok && instance.is_none(), "{error:?}");
    assert!(error.is_some_and(|error| error.contains("status 401") && !error.contains("sk_live_wrong")));
    assert_eq!(hint.as_deref(), Some("Check the key of server \"clerk\"."));
    world.run("DROP USER MAPPING FOR CURRENT_USER SERVER clerk");
    let (ok, _, _, error, hint) = row(&world);
    assert!(!ok && error.is_some_and(|error| error.contains("no API key")), "and says where it looked");
    assert!(hint.is_some_and(|hint| hint.contains("CREATE USER MAPPING")));
    world.run("CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_live_x'); ALTER SERVER clerk OPTIONS (SET api_url 'http://127.0.0.1:1')");
    let (ok, _, _, error, _) = row(&world);
    assert!(!ok && error.is_some_and(|error| error.contains("could not be reached")));
}

#[test]
fn an_organization_is_made_once() {
    let world = writable();
    let user = world.sim.users()[0].id.clone();
    let call = format!("SELECT clerk_fdw.ensure_organization('clerk', 'acme', 'Acme', '{user}') ->> 'id'");
    let id = world.one::<String>(&call);
    let paths: Vec<String> = sent(&world).into_iter().map(|(method, target, _)| format!("{method} {target}")).collect();
    assert_eq!(
        paths,
        ["GET /v1/organizations/acme", "GET /v1/instance/organization_settings", "POST /v1/organizations"]
    );
    assert_eq!(world.one::<String>(&call), id, "it is there");
    assert_eq!(sent(&world).len(), 1);
    let role = world.one::<String>(&format!(
        "SELECT role FROM clerk.organization_memberships WHERE organization_id = '{id}' AND user_id = '{user}'"
    ));
    assert_eq!(role, "org:admin");
    // An id is no slug.
    world.requests();
    let error = world.error(&format!("SELECT clerk_fdw.ensure_organization('clerk', '{id}', 'Acme')"));
    assert_eq!(error.code().code(), "HV000", "Clerk refuses such a slug: {error:?}");
    // Whatever becomes of the answer, there is one.
    let faults = [Fault::lose_answer(), Fault::status(500), Fault::reset(), Fault::too_many_requests(0), Fault::cut()];
    for (number, fault) in faults.into_iter().enumerate() {
        world.sim.fault(fault.on_path("/v1/organizations").on_method("POST"));
        let call = format!("SELECT clerk_fdw.ensure_organization('clerk', 'lost-{number}', 'Lost') ->> 'slug'");
        if let Err(error) = world.try_column::<String>(&call) {
            assert_eq!(error.code().code(), "08007", "{number}: {error:?}");
        }
        world.sim.clear_faults();
        assert_eq!(world.one::<String>(&call), format!("lost-{number}"));
        let slug = format!("\"lost-{number}\"");
        let made = world.sim.organizations().iter().filter(|made| made.json.contains(&slug)).count();
        assert_eq!(made, 1, "fault {number}");
    }
}

/// In databases of other encodings as well.
#[test]
fn other_encodings() {
    let words = "ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'";
    let world = World::of_encoding(small(), "updatable 'true'", words);
    let made: String = world.one(
        "SELECT clerk_fdw.request('clerk', 'POST', '/organizations', body => '{\"name\": \"Größe\", \"slug\": \"g\"}') ->> 'name'",
    );
    assert_eq!(made, "Größe");
    let id: String = world.one("SELECT clerk_fdw.ensure_organization('clerk', 'g', 'Größe') ->> 'id'");
    let merged: String = world.one(&format!(
        "SELECT clerk_fdw.merge_organization_metadata('clerk', '{id}', '{{\"k\": \"é\"}}') #>> '{{public_metadata,k}}'"
    ));
    assert_eq!(merged, "é");
    assert_eq!(world.error("SELECT * FROM clerk_fdw.check_server('é')").code().code(), "42704");
}

/// Where slugs are turned off, an organization could not be found again: nothing is made.
#[test]
fn without_slugs_nothing_is_made() {
    let world = writable();
    world.run("UPDATE clerk.organization_settings SET slug_disabled = true");
    let before = world.sim.organizations().len();
    let error = world.error("SELECT clerk_fdw.ensure_organization('clerk', 'acme', 'Acme')");
    assert!(error.message().contains("slug_disabled"), "{error:?}");
    assert_eq!(world.sim.organizations().len(), before);
}

/// Two hundred sessions at once want ten organizations.
#[test]
fn two_hundred_at_once_make_ten_organizations() {
    let cluster = Cluster::with("max_connections = 250");
    let config = Config { organizations: 3, ..small() };
    let world = World::at(cluster.host(), config, "updatable 'true'", "");
    let user = world.sim.users()[0].id.clone();
    let ids: Vec<(usize, String)> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..200)
            .map(|number| {
                let (address, user) = (world.address(), &user);
                scope.spawn(move || {
                    let slug = number % 10;
                    let call = format!(
                        "SELECT clerk_fdw.ensure_organization('clerk', 'tenant-{slug}', 'Tenant', '{user}') ->> 'id'"
                    );
                    (slug, address.connect().one::<String>(&call))
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("an organization")).collect()
    });
    assert_eq!(world.sim.organizations().len(), 3 + 10);
    for slug in 0..10 {
        let of_slug: std::collections::BTreeSet<_> =
            ids.iter().filter(|(other, _)| *other == slug).map(|(_, id)| id).collect();
        assert_eq!(of_slug.len(), 1, "tenant-{slug}");
    }
}
