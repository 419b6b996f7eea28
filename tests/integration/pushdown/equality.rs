//! Equality with one value, and conditions that no row can satisfy.

use crate::support::*;

/// The whole list, which a few rows make one request.
const ALL: &[&str] = &["/users"];

const NOTHING: &[&str] = &[];

/// One user by its id is a request for just that one; what only looks like equality reads the list.
#[test]
fn user_id() {
    let oracle = Oracle::new(small(), "");
    oracle.check(
        "SELECT user_id, email, attrs FROM clerk.users WHERE ",
        &[
            ("user_id = 'user_ada'", &["/users/user_ada"]),
            ("'user_ada' = user_id", &["/users/user_ada"]),
            ("user_id = 'user_nobody'", &["/users/user_nobody"]),
            ("user_id = 'user_ada' OR user_id = 'user_bob'", &["/users?user_id=user_ada&user_id=user_bob"]),
            ("user_id = (SELECT 'user_ada')", &["/users/user_ada"]),
            ("user_id = 'user_ada' AND banned", &["/users/user_ada"]),
            ("user_id = 'user_ada' AND email = 'x'", &["/users/user_ada"]),
            ("user_id = 'user_ada' AND user_id = 'user_bob'", NOTHING),
            ("user_id = NULL", NOTHING),
            ("user_id = ''", NOTHING),
            ("user_id <> 'user_ada'", ALL),
            ("NOT (user_id = 'user_ada')", ALL),
            ("user_id IS NOT DISTINCT FROM 'user_ada'", ALL),
            ("coalesce(user_id, '') = 'user_ada'", ALL),
            ("(user_id, username) = ('user_ada', 'ada')", &["/users/user_ada"]),
            ("(user_id, username) < ('user_b', 'x')", ALL),
            ("user_id = 'user_ada' OR username = 'true'", ALL),
            ("user_id = 'user_ada' IS NOT FALSE", ALL),
            ("user_id = username", ALL),
            ("user_id > 'user_b'", ALL),
            ("lower(user_id) = 'user_ada'", ALL),
            ("user_id = 'user_ada' || CASE WHEN random() < 2 THEN '' END", ALL),
            ("user_id COLLATE \"C\" = 'user_ada'", &["/users/user_ada"]),
            ("user_id::varchar = 'user_ada'", &["/users/user_ada"]),
            ("user_id::bpchar = 'user_ada'", ALL),
            ("user_id = 'user_ada'::name", ALL),
        ],
    );
}

/// Email addresses, phone numbers, user names and external ids are looked up at Clerk, primary or not; Postgres
/// leaves out what is not the primary one.
#[test]
fn user_identifiers() {
    let oracle = Oracle::new(small(), "");
    let long = "x".repeat(100_000);
    oracle.check(
        "SELECT user_id, email, phone_number FROM clerk.users WHERE ",
        &[
            ("email = 'ada@example.com'", &["/users?email_address=ada@example.com"]),
            ("email = 'ada@work.example'", &["/users?email_address=ada@work.example"]),
            ("email = 'Ada@Example.com'", &["/users?email_address=Ada@Example.com"]),
            ("email = 'ada@other.example'", &["/users?email_address=ada@other.example"]),
            (
                "email IN ('ada@example.com', 'bob@example.com')",
                &["/users?email_address=ada@example.com&email_address=bob@example.com"],
            ),
            ("email = ANY('{a@b.c,NULL}')", &["/users?email_address=a@b.c"]),
            ("email = 'ada@example.com' OR email = 'x'", &["/users?email_address=ada@example.com&email_address=x"]),
            ("email = 'a' AND email = 'b'", NOTHING),
            ("email IS NULL", ALL),
            ("phone_number = '+15550100001'", &["/users?phone_number=+15550100001"]),
            ("phone_number = '+15550100002'", &["/users?phone_number=+15550100002"]),
            ("phone_number = '-15550100001'", &["/users?phone_number=-15550100001"]),
            ("username = 'ada'", &["/users?username=ada"]),
            ("username IN ('ada', 'true')", &["/users?username=ada&username=true"]),
            ("username IN ('true', 'ada', 'false')", &["/users?username=ada&username=false&username=true"]),
            ("username = '中村'", &["/users?username=中村"]),
            ("username = '' OR username = 'ada'", &["/users?username=&username=ada"]),
            ("username = ''", &["/users?username="]),
            ("external_id = '+ada'", &["/users?external_id=++ada"]),
            ("external_id = '-bob'", &["/users?external_id=+-bob"]),
            ("external_id = ' Ada'", &["/users?external_id=+ Ada"]),
            ("external_id = 'a,b'", &["/users?external_id=a,b"]),
            ("external_id IN ('a,b', 'Ada', '-bob')", &["/users?external_id=+-bob&external_id=Ada&external_id=a,b"]),
            ("external_id = 'Ada' AND username = 'ada'", &["/users?external_id=Ada&username=ada"]),
            (&format!("username = '{long}'"), ALL),
            (&format!("username IN ('ada', '{long}')"), ALL),
        ],
    );
}

/// Conditions on whether a user is banned are sent to Clerk in whichever form they are written.
#[test]
fn boolean_banned() {
    let oracle = Oracle::new(small(), "");
    let (banned, free): (&[&str], &[&str]) = (&["/users?banned=true"], &["/users?banned=false"]);
    oracle.check(
        "SELECT user_id FROM clerk.users WHERE ",
        &[
            ("banned", banned),
            ("NOT banned", free),
            ("banned = true", banned),
            ("banned = false", free),
            ("true = banned", banned),
            ("banned <> true", free),
            ("banned IS TRUE", banned),
            ("banned IS FALSE", free),
            ("banned = (SELECT true)", banned),
            ("banned IN (true)", banned),
            ("banned AND NOT banned", NOTHING),
            ("banned = (SELECT NULL::boolean)", NOTHING),
            ("banned IS NOT TRUE", ALL),
            ("banned IS NOT NULL", ALL),
            ("banned IS UNKNOWN", ALL),
            ("banned OR username = 'ada'", ALL),
            ("banned = (SELECT true) OR banned = (SELECT false)", ALL),
            ("banned IN (true, false)", ALL),
            ("locked", ALL),
        ],
    );
    oracle.check(
        "SET plan_cache_mode = force_generic_plan; PREPARE p(boolean) AS SELECT user_id FROM clerk.users WHERE ",
        &[
            ("banned = $1; EXECUTE p(true)", banned),
            ("banned = $1; EXECUTE p(false)", free),
            ("banned = $1; EXECUTE p(NULL)", NOTHING),
            ("banned = $1 OR banned = NOT $1; EXECUTE p(true)", ALL),
            ("banned = ANY(ARRAY[$1]); EXECUTE p(true)", ALL),
        ],
    );
}

/// LIMIT 0 and conditions that are false ask for nothing.
#[test]
fn false_and_null_make_no_request() {
    let world = World::new(small());
    world.run(
        "PREPARE by_id(text) AS SELECT * FROM clerk.users WHERE user_id = $1; SET plan_cache_mode = force_generic_plan",
    );
    for query in [
        "SELECT * FROM clerk.users LIMIT 0",
        "SELECT * FROM clerk.users WHERE user_id = NULL",
        "SELECT * FROM clerk.users WHERE false",
        "EXECUTE by_id(NULL)",
        "EXECUTE by_id(NULL)",
        "SELECT * FROM clerk.users WHERE user_id = (SELECT NULL::text)",
        "SELECT * FROM clerk.organization_memberships WHERE organization_id = (SELECT NULL::text)",
        "EXPLAIN (VERBOSE) SELECT * FROM clerk.users",
    ] {
        let _ = world.rows(query);
        assert_eq!(world.targets(), [""; 0], "{query}");
    }
}

/// One user or organization by its id is one request for just that one.
#[test]
fn id_is_one_request() {
    let world = World::new(small());
    let user = world.sim.users()[17].id.clone();
    let organization = world.sim.organizations()[3].id.clone();
    for (query, id, path) in [
        ("SELECT user_id FROM clerk.users WHERE user_id = '{}'", &user, "/v1/users"),
        ("SELECT user_id FROM clerk.users WHERE '{}' = user_id AND email <> ''", &user, "/v1/users"),
        ("SELECT user_id FROM clerk.users WHERE user_id = (SELECT '{}')", &user, "/v1/users"),
        (
            "SELECT organization_id FROM clerk.organizations WHERE organization_id = '{}' LIMIT 1",
            &organization,
            "/v1/organizations",
        ),
    ] {
        assert_eq!(world.column::<String>(&query.replace("{}", id)), [id.as_str()], "{query}");
        assert_eq!(world.targets(), [format!("{path}/{id}")], "{query}");
    }
    assert_eq!(world.rows("SELECT * FROM clerk.users WHERE user_id = 'user_nobody'").len(), 0);
    assert_eq!(world.targets(), ["/v1/users/user_nobody"]);
}

/// A slug in the place of an id finds the organization at Clerk, but it is not what the query asked for.
#[test]
fn slug_is_no_organization_id() {
    let world = World::new(small());
    let slug: String = world.one("SELECT slug FROM clerk.organizations LIMIT 1");
    assert_eq!(world.rows(&format!("SELECT * FROM clerk.organizations WHERE organization_id = '{slug}'")).len(), 0);
    let members = format!("SELECT * FROM clerk.organization_memberships WHERE organization_id = '{slug}'");
    assert_eq!(world.rows(&members).len(), 0);
}
