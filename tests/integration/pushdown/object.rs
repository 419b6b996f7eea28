//! The conditions on organizations and on memberships.

use clerk_sim::Config;

use crate::support::*;

const NOTHING: &[&str] = &[];

/// Organizations by their ids, slugs and parts of their names.
#[test]
fn organization_conditions() {
    let oracle = Oracle::new(small(), "");
    let all: &[&str] = &["/organizations"];
    oracle.check(
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
    oracle.check(
        "SELECT organization_id, members_count FROM clerk.organizations WHERE ",
        &[
            ("members_count > 3", &["/organizations?include_members_count=true"]),
            ("organization_id = 'org_acme'", &["/organizations/org_acme?include_members_count=true"]),
        ],
    );
}

/// Memberships by the organization, the user, both, and the role within an organization.
#[test]
fn membership_conditions() {
    let oracle = Oracle::new(small(), "");
    let all: &[&str] = &["/organization_memberships"];
    let (acme, zoo) = ("/organizations/org_acme/memberships", "/organizations/org_zoo/memberships");
    oracle.check(
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
            ("identifier = 'ada@example.com'", all),
        ],
    );
}

/// Members are counted by Clerk only for queries that use the count.
#[test]
fn members_count_only_when_used() {
    let world = World::with(small(), "page_size '3'");
    world.rows("SELECT organization_id, name, attrs FROM clerk.organizations");
    assert!(world.requests().iter().all(|request| request.parameter("include_members_count").is_none()));

    let total: i64 = world.one("SELECT sum(members_count)::bigint FROM clerk.organizations");
    assert_eq!(total, world.sim.memberships().len() as i64);
    let requests = world.requests();
    assert!(requests.len() > 2 && requests.iter().all(|r| r.parameter("include_members_count") == Some("true")));

    world.rows("SELECT name FROM clerk.organizations WHERE members_count > 3");
    assert!(world.requests().iter().all(|request| request.parameter("include_members_count") == Some("true")));

    let id = world.sim.organizations()[0].id.clone();
    world.one::<i64>(&format!("SELECT members_count FROM clerk.organizations WHERE organization_id = '{id}'"));
    assert_eq!(world.targets(), [format!("/v1/organizations/{id}?include_members_count=true")]);
}

/// The members of one organization are read from that organization alone, however many they are.
#[test]
fn memberships_of_one_organization() {
    let world = World::with(Config { users: 200, memberships: 700, ..small() }, "page_size '10'");
    let memberships = world.sim.memberships();
    for organization in world.sim.organizations() {
        let id = &organization.id;
        let expected: Vec<_> = memberships.iter().filter(|membership| membership.json.contains(id)).cloned().collect();
        let query = format!("SELECT membership_id FROM clerk.organization_memberships WHERE organization_id = '{id}'");
        assert_eq!(sorted(world.column::<String>(&query)), ids(&expected));
        let paths: Vec<_> = world.requests().into_iter().map(|request| request.path).collect();
        assert!(paths.iter().all(|path| *path == format!("/v1/organizations/{id}/memberships")), "{paths:?}");
    }
    let nobody = "SELECT * FROM clerk.organization_memberships WHERE organization_id = 'org_nobody'";
    assert_eq!(world.rows(nobody).len(), 0);
}
