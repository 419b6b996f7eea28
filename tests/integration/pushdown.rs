//! What Clerk is asked for a condition, and that the rows are those that the condition means.

use crate::common::*;
use crate::twin::*;

/// The whole list, which a few rows make one request.
const ALL: &[&str] = &["/users"];
const NOTHING: &[&str] = &[];

/// One user by its id is a request for just that one; many are asked for by the hundred.
#[test]
fn users_by_id() {
    let twin = Twin::new(small(), "");
    twin.check(
        "SELECT user_id, email, attrs FROM clerk.users WHERE ",
        &[
            ("user_id = 'user_ada'", &["/users/user_ada"]),
            ("'user_ada' = user_id", &["/users/user_ada"]),
            ("user_id = 'user_nobody'", &["/users/user_nobody"]),
            ("user_id IN ('user_ada')", &["/users/user_ada"]),
            ("user_id IN ('user_ada', 'user_bob')", &["/users?user_id=user_ada&user_id=user_bob"]),
            ("user_id IN ('user_ada', 'user_ada', NULL)", &["/users/user_ada"]),
            ("user_id = 'user_ada' OR user_id = 'user_bob'", &["/users?user_id=user_ada&user_id=user_bob"]),
            (
                "user_id = 'user_ada' OR user_id IN ('user_bob', 'user_ada')",
                &["/users?user_id=user_ada&user_id=user_bob"],
            ),
            ("user_id = ANY('{user_ada,user_bob}')", &["/users?user_id=user_ada&user_id=user_bob"]),
            ("user_id = ANY('{{user_ada},{user_bob}}')", &["/users?user_id=user_ada&user_id=user_bob"]),
            ("user_id = ANY('{user_ada,NULL}')", &["/users/user_ada"]),
            (
                "user_id = ANY(ARRAY(SELECT 'user_' || n FROM unnest('{ada,bob}'::text[]) n))",
                &["/users?user_id=user_ada&user_id=user_bob"],
            ),
            ("user_id = (SELECT 'user_ada')", &["/users/user_ada"]),
            ("user_id IN ('user_ada', 'user_bob') AND user_id IN ('user_bob', 'user_cyd')", &["/users/user_bob"]),
            ("user_id = 'user_ada' AND banned", &["/users/user_ada"]),
            ("user_id = 'user_ada' AND email = 'x'", &["/users/user_ada"]),
            ("user_id IN ('+user_ada', 'user_bob')", &["/users/user_bob"]),
            ("user_id IN ('-user_ada', '', 'user_bob', 'user_cyd')", &["/users?user_id=user_bob&user_id=user_cyd"]),
            ("user_id IN ('-user_ada', '+user_ada')", NOTHING),
            ("user_id IN ('a,b', 'c d&e=f', 'ü🦀')", &["/users?user_id=a,b&user_id=c d&e=f&user_id=ü🦀"]),
            ("user_id = 'user_ada' AND user_id = 'user_bob'", NOTHING),
            ("user_id IN ('user_ada', 'user_bob') AND user_id = 'user_cyd'", NOTHING),
            ("user_id = NULL", NOTHING),
            ("user_id = ANY('{}')", NOTHING),
            ("user_id = ANY('{NULL,NULL}')", NOTHING),
            ("user_id = ANY(NULL)", NOTHING),
            ("user_id = ''", NOTHING),
            ("user_id <> 'user_ada'", ALL),
            ("user_id <> ALL('{user_ada,user_bob}')", ALL),
            ("user_id NOT IN ('user_ada', NULL)", ALL),
            ("user_id = ALL('{user_ada}')", ALL),
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
    let id = "'user_' || n";
    let many = |count: usize| format!("user_id = ANY(ARRAY(SELECT {id} FROM generate_series(1, {count}) n))");
    let batches = ["/users?user_id*100", "/users?user_id*100", "/users?user_id*50"];
    twin.check("SELECT * FROM clerk.users WHERE ", &[(&many(250), &batches), (&many(100), &batches[..1])]);
    // A whole table of 64 is less to read than 10,000 values.
    twin.check("SELECT * FROM clerk.users WHERE ", &[(&many(10_000), ALL)]);
}

/// What a user is known by, primary or not, is looked up at Clerk; Postgres leaves out what is not the primary one.
#[test]
fn users_by_what_they_are_known_by() {
    let twin = Twin::new(small(), "");
    let long = "x".repeat(100_000);
    twin.check(
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

/// Whether a user is banned.
#[test]
fn banned_users() {
    let twin = Twin::new(small(), "");
    let (banned, free): (&[&str], &[&str]) = (&["/users?banned=true"], &["/users?banned=false"]);
    twin.check(
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
    twin.check(
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

/// Texts in other texts. Case and the wildcards are for Postgres to judge.
#[test]
fn users_by_parts_of_texts() {
    let twin = Twin::new(small(), "");
    twin.check(
        "SELECT user_id FROM clerk.users WHERE ",
        &[
            ("email ILIKE '%ADA@%'", &["/users?email_address_query=ADA@"]),
            ("email LIKE 'ada@%'", &["/users?email_address_query=ada@"]),
            ("email LIKE '%cyd\\%100%'", &["/users?email_address_query=cyd%100"]),
            ("email LIKE '%d#%1%' ESCAPE '#'", &["/users?email_address_query=d%1"]),
            ("email ILIKE '%'", ALL),
            ("email ILIKE '%_%'", ALL),
            ("email ILIKE ''", ALL),
            ("email ~~* '%bob%example%'", &["/users?email_address_query=example"]),
            ("email NOT LIKE '%ada%'", ALL),
            ("email ILIKE NULL", NOTHING),
            ("username LIKE '%100\\%\\_%'", &["/users?username_query=100%_"]),
            ("username ILIKE '中%'", ALL),
            ("username LIKE '中%'", &["/users?username_query=中"]),
            ("phone_number LIKE '+1555010%'", &["/users?phone_number_query=+1555010"]),
            ("first_name ILIKE 'ad_'", &["/users?name_query=ad"]),
            ("first_name ILIKE '%a%' AND last_name ILIKE '%love%'", &["/users?name_query=a"]),
            ("first_name ILIKE 'çyd'", &["/users?name_query=yd"]),
            ("last_name LIKE 'ΟΔΥΣΣΕΥΣ'", &["/users?name_query=ΟΔΥ"]),
            ("last_name LIKE 'ΟΔΥΣ%'", &["/users?name_query=ΟΔΥ"]),
            ("last_name LIKE ' %'", ALL),
            ("last_name LIKE '% love%' OR first_name LIKE 'Ada%'", ALL),
            ("first_name = 'Ada'", ALL),
            ("first_name LIKE 'Ada '", &["/users?name_query=Ada"]),
            ("first_name ~ 'Ad'", ALL),
            ("first_name ^@ 'Ad'", ALL),
        ],
    );
}

/// Organizations by their ids, slugs and parts of their names.
#[test]
fn organizations() {
    let twin = Twin::new(small(), "");
    let all: &[&str] = &["/organizations"];
    twin.check(
        "SELECT organization_id, name, slug FROM clerk.organizations WHERE ",
        &[
            ("organization_id = 'org_acme'", &["/organizations/org_acme"]),
            ("organization_id = 'acme'", &["/organizations/acme"]),
            (
                "organization_id IN ('org_acme', 'org_zoo')",
                &["/organizations?organization_id=org_acme&organization_id=org_zoo"],
            ),
            ("organization_id IN ('+org_acme', '-org_zoo', 'org_zoo')", &["/organizations/org_zoo"]),
            ("organization_id = ANY('{}')", NOTHING),
            ("slug = 'acme'", &["/organizations/acme"]),
            ("slug = 'org_acme'", &["/organizations/org_acme"]),
            ("slug IN ('acme', 'zoo')", &["/organizations/acme", "/organizations/zoo"]),
            ("slug = 'acme' AND organization_id = 'org_zoo'", &["/organizations/org_zoo"]),
            ("slug = '..' OR slug = ''", NOTHING),
            ("name ILIKE '%acme%'", &["/organizations?query=acme"]),
            ("name ILIKE '%100\\%%'", &["/organizations?query=100%"]),
            ("name LIKE 'Zoö%'", &["/organizations?query=Zoö"]),
            ("name ILIKE 'ZOÖ%'", &["/organizations?query=ZO"]),
            ("slug LIKE 'ac%'", &["/organizations?query=ac"]),
            ("slug LIKE 'ac%' AND name ILIKE '%100%'", &["/organizations?query=ac"]),
            ("name = 'Nobody'", all),
            ("created_at >= '2024-03-10 12:00Z'", all),
            ("created_by IS NULL", all),
            ("name ILIKE 'x' OR slug ILIKE 'x'", all),
        ],
    );
    twin.check(
        "SELECT organization_id, members_count FROM clerk.organizations WHERE ",
        &[
            ("members_count > 3", &["/organizations?include_members_count=true"]),
            ("organization_id = 'org_acme'", &["/organizations/org_acme?include_members_count=true"]),
        ],
    );
}

/// Memberships by the organization, the user, both, and the role within an organization.
#[test]
fn memberships() {
    let twin = Twin::new(small(), "");
    let all: &[&str] = &["/organization_memberships"];
    let (acme, zoo) = ("/organizations/org_acme/memberships", "/organizations/org_zoo/memberships");
    twin.check(
        "SELECT organization_id, user_id, role FROM clerk.organization_memberships WHERE ",
        &[
            ("organization_id = 'org_acme'", &[acme]),
            ("organization_id = 'org_alone'", &["/organizations/org_alone/memberships"]),
            ("organization_id = 'org_x'", &["/organizations/org_x", "/organizations/org_x/memberships"]),
            ("organization_id IN ('org_acme', 'org_zoo')", &[acme, zoo]),
            ("organization_id = ANY('{org_acme,org_zoo,NULL,org_zoo}')", &[acme, zoo]),
            ("user_id = 'user_ada'", &["/users/user_ada/organization_memberships"]),
            ("user_id = 'user_cyd'", &["/users/user_cyd/organization_memberships"]),
            (
                "user_id IN ('user_ada', 'user_bob')",
                &["/users/user_ada/organization_memberships", "/users/user_bob/organization_memberships"],
            ),
            ("organization_id = 'org_acme' AND user_id = 'user_ada'", &[&format!("{acme}?user_id=user_ada")]),
            ("organization_id = 'org_acme' AND user_id = '+user_ada'", NOTHING),
            ("organization_id = 'org_acme' AND user_id = ''", NOTHING),
            ("organization_id = 'org_acme' AND user_id = ' user_ada'", NOTHING),
            (
                "organization_id = 'org_acme' AND user_id IN ('user_ada', 'user_bob')",
                &[&format!("{acme}?user_id=user_ada&user_id=user_bob")],
            ),
            ("organization_id = 'org_acme' AND role = 'org:admin'", &[&format!("{acme}?role=org:admin")]),
            ("organization_id = 'org_acme' AND role IN ('x', '-y')", &[&format!("{acme}?role=x")]),
            ("organization_id = 'org_acme' AND role LIKE '%admin'", &[acme]),
            ("user_id = 'user_ada' AND role = 'org:admin'", &["/users/user_ada/organization_memberships"]),
            ("role = 'org:admin'", all),
            ("organization_id = 'a' AND organization_id = 'b'", NOTHING),
            ("organization_id = ANY('{}') AND user_id = 'user_ada'", NOTHING),
            ("organization_id = '' OR organization_id = '..'", NOTHING),
            ("organization_id = 'org_acme' OR user_id = 'user_ada'", all),
            ("membership_id = 'x'", all),
            ("email = 'ada@example.com'", all),
        ],
    );
}
