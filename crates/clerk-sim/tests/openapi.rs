//! The simulator against Clerk's OpenAPI description.
//!
//! Without the description these tests say that they were skipped.

mod support;

use std::collections::BTreeSet;

use clerk_sim::ENDPOINTS;
use serde_json::json;
use support::description::{self, Checker, resolve};
use support::{encode, get, id, request, start};

const FILE: &str = "bapi-2026-05-12.yml";

/// Answers are as Clerk's OpenAPI file describes them.
#[test]
fn answers_match_the_description() {
    let Some(description) = description::read(FILE) else {
        return;
    };
    let checker = Checker::new(description);
    let sim = start(500, 20, 600);
    let user = &sim.users()[0].id;
    let organization = &sim.organizations()[0].id;
    let many: String = (0..101).map(|n| format!("&user_id=user_{n}")).collect();

    for (path, target, status) in [
        ("/instance", "/instance".to_owned(), 200),
        ("/users", "/users?limit=500".to_owned(), 200),
        ("/users", "/users?limit=0".to_owned(), 422),
        ("/users", format!("/users?limit=1{many}"), 422),
        ("/users", "/users?starting_after=user_gone".to_owned(), 422),
        ("/users/count", "/users/count".to_owned(), 200),
        ("/users/count", format!("/users/count?a=b{many}"), 422),
        ("/users/{user_id}", format!("/users/{user}"), 200),
        ("/users/{user_id}", "/users/user_unknown".to_owned(), 404),
        ("/users/{user_id}/organization_memberships", format!("/users/{user}/organization_memberships"), 200),
        ("/organizations", "/organizations?limit=500".to_owned(), 200),
        (
            "/organizations",
            "/organizations?include_members_count=true\
             &include_missing_member_with_elevated_permissions=true"
                .to_owned(),
            200,
        ),
        ("/organizations", "/organizations?order_by=slug".to_owned(), 422),
        ("/organizations/{organization_id}", format!("/organizations/{organization}?include_members_count=true"), 200),
        ("/organizations/{organization_id}", "/organizations/no-such-slug".to_owned(), 404),
        (
            "/organizations/{organization_id}/memberships",
            format!("/organizations/{organization}/memberships?limit=500"),
            200,
        ),
        (
            "/organizations/{organization_id}/memberships",
            format!("/organizations/{organization}/memberships?limit=501"),
            422,
        ),
        ("/organization_memberships", "/organization_memberships?limit=500".to_owned(), 200),
        ("/organization_memberships", "/organization_memberships?offset=-1".to_owned(), 422),
    ] {
        let reply = get(&sim, &target);
        assert_eq!(reply.status, status, "{target}: {}", reply.body);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        checker.check(path, status, &reply.json());
    }
    let mut wrong = get(&sim, "/users").json();
    wrong[0]["created_at"] = json!("yesterday");
    assert_eq!(checker.errors("/users", 200, &wrong).len(), 1, "the check has teeth");

    let reply = request(&sim, "GET", "/v1/users", "", "").expect("an answer");
    assert_eq!(reply.status, 401);
    checker.check("/users", 401, &reply.json());
}

/// What tests create is as Clerk's OpenAPI file describes it.
#[test]
fn created_objects_match_the_description() {
    let Some(description) = description::read(FILE) else {
        return;
    };
    let checker = Checker::new(description);
    let sim = start(0, 0, 0);
    let user = sim
        .create_user(json!({
            "first_name": "Ada",
            "email_address": ["ada@example.com", "lovelace@example.com"],
            "phone_number": "+12015550123",
            "web3_wallet": "0x00",
        }))
        .expect("a user");
    let organization = sim.create_organization(json!({ "name": "Engines" })).expect("an organization");
    sim.create_membership(&user, &organization, json!({ "role": "org:admin" })).expect("a membership");
    for path in ["/users", "/organizations", "/organization_memberships"] {
        let reply = get(&sim, path);
        assert_eq!(reply.objects().len(), 1);
        checker.check(path, 200, &reply.json());
    }
    let email = encode("ADA@example.com");
    assert_eq!(get(&sim, &format!("/users?email_address={email}")).ids(), [user]);
    assert_eq!(id(&get(&sim, "/organization_memberships").objects()[0]["organization"]), organization);
}

/// Every parameter that is documented is known.
#[test]
fn every_documented_parameter_is_known() {
    let Some(description) = description::read(FILE) else {
        return;
    };
    for endpoint in ENDPOINTS {
        let get = &description["paths"][endpoint.path]["get"];
        assert!(get.is_object(), "{} is documented", endpoint.path);
        let parameters = get["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let documented: BTreeSet<&str> = parameters
            .iter()
            .map(|parameter| resolve(&description, parameter))
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let known: BTreeSet<&str> = endpoint.parameter_names().collect();
        assert_eq!(known, documented, "{}", endpoint.path);
    }
}
