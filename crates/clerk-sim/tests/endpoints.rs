//! Every endpoint, asked about everything that there is, against Clerk's OpenAPI description; and the objects that are
//! generated.

mod support;

use std::collections::HashSet;

use clerk_sim::{Config, ENDPOINTS, RateLimit, Sim};
use serde_json::Value;
use support::description::{self, Checker};
use support::{get, parse};

const FILE: &str = "bapi-2026-05-12.yml";

/// The names of all objects.
const OBJECTS: &[&str] = &[
    "users",
    "organizations",
    "organization_memberships",
    "invitations",
    "organization_invitations",
    "organization_domains",
    "organization_roles",
    "organization_permissions",
    "role_sets",
    "sessions",
    "waitlist_entries",
    "allowlist_identifiers",
    "blocklist_identifiers",
    "domains",
    "redirect_urls",
    "jwt_templates",
    "oauth_applications",
    "saml_connections",
    "enterprise_connections",
    "directories",
    "machines",
    "api_keys",
    "m2m_tokens",
    "organization_settings",
    "plans",
    "prices",
    "subscriptions",
    "subscription_items",
    "statements",
    "payment_attempts",
];

fn start(seed: u64) -> Sim {
    let sizes = Config { users: 60, organizations: 9, memberships: 90, others: 40, ..Config::default() };
    Sim::start(Config { seed, rate_limit: RateLimit::Off, ..sizes }).expect("a simulator")
}

fn ids(sim: &Sim, object: &str) -> Vec<String> {
    sim.objects(object).into_iter().map(|object| object.id).collect()
}

/// The kind of objects whose ids a part of a path stands for.
fn object_of(part: &str) -> &'static str {
    match part {
        "user_id" => "users",
        "organization_id" => "organizations",
        "session_id" => "sessions",
        "permission_id" => "organization_permissions",
        "organization_role_id" => "organization_roles",
        "role_set_key_or_id" => "role_sets",
        "id" => "redirect_urls",
        "template_id" => "jwt_templates",
        "oauth_application_id" => "oauth_applications",
        "saml_connection_id" => "saml_connections",
        "enterprise_connection_id" => "enterprise_connections",
        "directory_id" => "directories",
        "machine_id" => "machines",
        "apiKeyID" => "api_keys",
        "statementID" => "statements",
        other => panic!("{other} is not known to the test"),
    }
}

/// Every request that can be made to an endpoint with the ids that there are.
fn targets(sim: &Sim, path: &str) -> Vec<String> {
    let with = |name: &str, objects: &[&str], rest: &str| -> Vec<String> {
        let ids = objects.iter().flat_map(|object| ids(sim, object));
        ids.map(|id| format!("{path}?{name}={id}{rest}")).collect()
    };
    let of_users = |array: &str| -> Vec<String> {
        let users = sim.users().into_iter().map(|user| parse(&user.json));
        let ids = users.flat_map(|user| user[array].as_array().cloned().unwrap_or_default());
        ids.map(|object| format!("/{array}/{}", object["id"].as_str().expect("an id"))).collect()
    };
    match path {
        "/email_addresses/{email_address_id}" => return of_users("email_addresses"),
        "/phone_numbers/{phone_number_id}" => return of_users("phone_numbers"),
        "/sessions" => return with("user_id", &["users"], "&limit=500"),
        "/api_keys" => return with("subject", &["users", "organizations"], "&include_invalid=true&limit=100"),
        "/m2m_tokens" => return with("subject", &["machines"], "&revoked=true&expired=true&limit=100"),
        "/billing/subscription_items" => return vec![format!("{path}?include_free=true&limit=500")],
        "/organizations/{organization_id}/invitations/{invitation_id}" => {
            let invitations = sim.objects("organization_invitations").into_iter();
            return invitations
                .map(|invitation| {
                    let organization = parse(&invitation.json)["organization_id"].as_str().expect("an id").to_owned();
                    format!("/organizations/{organization}/invitations/{}", invitation.id)
                })
                .collect();
        }
        _ => {}
    }
    let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.path == path).expect("an endpoint");
    let rest = if endpoint.parameter_names().any(|name| name == "limit") { "?limit=500" } else { "" };
    match path.split_once('{') {
        None => vec![format!("{path}{rest}")],
        Some((before, after)) => {
            let (part, after) = after.split_once('}').expect("a part");
            ids(sim, object_of(part)).into_iter().map(|id| format!("{before}{id}{after}{rest}")).collect()
        }
    }
}

fn objects(answer: &Value) -> Vec<Value> {
    let list = answer.get("data").or(answer.get("m2m_tokens")).unwrap_or(answer);
    list.as_array().cloned().unwrap_or_else(|| vec![answer.clone()])
}

/// Every answer of every endpoint is as Clerk's OpenAPI file describes it.
#[test]
fn every_endpoint_answers_as_described() {
    let Some(description) = description::read(FILE) else {
        return;
    };
    let checker = Checker::new(description);
    for seed in [1, 2, 77] {
        let sim = start(seed);
        for endpoint in ENDPOINTS {
            let path = endpoint.path;
            let mut found = 0;
            for target in targets(&sim, path) {
                let reply = get(&sim, &target);
                let may_be_missing = path.ends_with("/billing/subscription");
                assert!(reply.status == 200 || reply.status == 404 && may_be_missing, "{target}: {}", reply.body);
                let answer = reply.json();
                checker.check(path, reply.status, &answer);
                found += if reply.status == 200 { objects(&answer).len() } else { 0 };
            }
            assert!(found > 0, "{path} has nothing");
            if let Some((before, after)) = path.split_once('{') {
                let (_, after) = after.split_once('}').expect("a part");
                let target = format!("{before}unknown{}", after.replace(['{', '}'], ""));
                let reply = get(&sim, &target);
                assert_eq!(reply.status, 404, "{target}: {}", reply.body);
                checker.check(path, 404, &reply.json());
            }
        }
    }
}

/// Lists show exactly the objects that there are.
#[test]
fn lists_show_every_object() {
    let sim = start(5);
    for (path, object) in [
        ("/organization_invitations", "organization_invitations"),
        ("/organization_domains", "organization_domains"),
        ("/organization_roles", "organization_roles"),
        ("/organization_permissions", "organization_permissions"),
        ("/role_sets", "role_sets"),
        ("/sessions", "sessions"),
        ("/waitlist_entries", "waitlist_entries"),
        ("/allowlist_identifiers", "allowlist_identifiers"),
        ("/blocklist_identifiers", "blocklist_identifiers"),
        ("/domains", "domains"),
        ("/redirect_urls", "redirect_urls"),
        ("/jwt_templates", "jwt_templates"),
        ("/oauth_applications", "oauth_applications"),
        ("/saml_connections", "saml_connections"),
        ("/enterprise_connections", "enterprise_connections"),
        ("/directories", "directories"),
        ("/machines", "machines"),
        ("/api_keys", "api_keys"),
        ("/m2m_tokens", "m2m_tokens"),
        ("/instance/organization_settings", "organization_settings"),
        ("/billing/plans", "plans"),
        ("/billing/prices", "prices"),
        ("/billing/subscription_items", "billing_subscription_items"),
        ("/billing/statements", "statements"),
        ("/billing/statements/{statementID}/payment_attempts", "payment_attempts"),
        ("/users/{user_id}/billing/subscription", "user_billing_subscriptions"),
        ("/organizations/{organization_id}/billing/subscription", "organization_billing_subscriptions"),
    ] {
        let targets = targets(&sim, path);
        let replies = targets.iter().map(|target| get(&sim, target)).filter(|reply| reply.status == 200);
        let shown: HashSet<String> =
            replies.flat_map(|reply| objects(&reply.json())).map(|object| object.to_string()).collect();
        let all: HashSet<String> = sim.objects(object).iter().map(|object| parse(&object.json).to_string()).collect();
        assert_eq!(shown, all, "{path}");
    }
    let subscriptions = sim.objects("subscriptions");
    let items: usize = subscriptions
        .iter()
        .map(|subscription| parse(&subscription.json)["subscription_items"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(items, sim.objects("subscription_items").len());
    assert!(sim.objects("dragons").is_empty());
}

/// There are as many objects as are configured, of all shapes.
#[test]
fn variety_of_objects() {
    let sim = start(1);
    for object in OBJECTS {
        let all = sim.objects(object);
        assert!(all.len() >= 3 || *object == "organization_settings", "{object}: {}", all.len());
        let distinct: HashSet<&str> = all.iter().map(|object| object.id.as_str()).collect();
        assert_eq!(distinct.len(), all.len(), "{object}");
        assert!(all.is_sorted_by_key(|object| (object.created_at, object.id.clone())));
    }
    for object in ["invitations", "redirect_urls", "machines", "allowlist_identifiers"] {
        let all = sim.objects(object);
        assert_eq!(all.len(), 40, "{object}");
        assert!(all.windows(2).any(|pair| pair[0].created_at == pair[1].created_at), "{object}");
    }
    let text: String = OBJECTS.iter().flat_map(|object| sim.objects(object)).map(|object| object.json).collect();
    for part in ["größe", "株式会社", "🚀", "null"] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("sk_live") && !text.contains("BEGIN CERTIFICATE"));
}

/// The same seed makes the same objects, and their number changes nothing about users, organizations and memberships.
#[test]
fn objects_are_reproducible() {
    let all = |seed, others| {
        let sim = Sim::start(Config { seed, others, ..Config::default() }).expect("a simulator");
        OBJECTS.iter().map(|object| sim.objects(object)).collect::<Vec<_>>()
    };
    let once = all(3, 25);
    assert_eq!(all(3, 25), once);
    let none = all(3, 0);
    assert_eq!(none[..3], once[..3]);
    assert!(none[3].is_empty());
    let other_seed = all(4, 25);
    assert!(other_seed.iter().zip(&once).all(|(one, other)| one != other));
}

/// What needs users or organizations is not there without them.
#[test]
fn nothing_belongs_to_nobody() {
    let sim = support::start(0, 0, 0);
    for object in OBJECTS {
        let needs_others = matches!(
            *object,
            "users"
                | "organizations"
                | "organization_memberships"
                | "organization_invitations"
                | "organization_domains"
                | "sessions"
                | "api_keys"
                | "subscriptions"
                | "subscription_items"
                | "statements"
                | "payment_attempts"
        );
        assert_eq!(sim.objects(object).is_empty(), needs_others, "{object}");
    }
    let refused = sim.create("sessions", serde_json::json!({})).expect_err("there is no user");
    assert!(refused.to_string().contains("owner"));
}
