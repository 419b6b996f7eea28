//! The parameters of the lists: filters, orders and limits.

mod support;

use std::collections::BTreeSet;

use clerk_sim::{Config, ENDPOINTS, Fault, RateLimit, Sim};
use serde_json::Value;
use support::{encode, get, id, parse};

fn start(seed: u64) -> Sim {
    let sizes = Config { users: 80, organizations: 8, memberships: 120, others: 60, ..Config::default() };
    Sim::start(Config { seed, rate_limit: RateLimit::Off, ..sizes }).expect("a simulator")
}

fn objects(sim: &Sim, target: &str) -> Vec<Value> {
    let reply = get(sim, target);
    assert_eq!(reply.status, 200, "{target}: {}", reply.body);
    let json = reply.json();
    let list = json.get("data").or(json.get("m2m_tokens")).unwrap_or(&json);
    list.as_array().expect("a list").clone()
}

/// The id with most objects in the list, for lists of one owner.
fn busiest(sim: &Sim, object: &str, field: &str) -> String {
    let owners: Vec<String> = sim
        .objects(object)
        .iter()
        .filter_map(|object| parse(&object.json)[field].as_str().map(str::to_owned))
        .collect();
    let most = owners.iter().max_by_key(|owner| owners.iter().filter(|other| other == owner).count());
    most.expect("an owner").clone()
}

/// Whether an object belongs to the answer for a value of a parameter.
type Belongs = fn(&Value, &str) -> bool;

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

fn has(object: &Value, field: &str, part: &str) -> bool {
    text(object, field).to_lowercase().contains(&part.to_lowercase())
}

/// Checks that a parameter selects exactly those of the list that belong to each value; at least one value has to
/// select some but not all of them.
fn check(sim: &Sim, list: &str, parameter: &str, values: &[String], belongs: Belongs) {
    let all = objects(sim, list);
    let mut selects = false;
    for value in values {
        let selected: Vec<String> =
            objects(sim, &format!("{list}&{parameter}={}", encode(value))).iter().map(id).collect();
        let expected: Vec<String> = all.iter().filter(|object| belongs(object, value)).map(id).collect();
        assert_eq!(selected, expected, "{list} {parameter}={value}");
        selects |= !selected.is_empty() && selected.len() < all.len();
    }
    assert!(selects, "{list} {parameter} selects something");
}

fn words(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// A value of a field for every object of a list that has one.
fn values(sim: &Sim, list: &str, field: &str) -> Vec<String> {
    let values: BTreeSet<String> = objects(sim, list).iter().map(|object| text(object, field).to_owned()).collect();
    values.into_iter().filter(|value| !value.is_empty()).take(8).collect()
}

const STATUSES: &[&str] = &["pending", "accepted", "revoked", "expired"];
const MODES: &[&str] = &["manual_invitation", "automatic_invitation", "automatic_suggestion", "enterprise_sso"];

fn status(object: &Value, value: &str) -> bool {
    object["status"] == value
}

fn mode(object: &Value, value: &str) -> bool {
    match value.strip_prefix('-') {
        Some(value) => object["enrollment_mode"] != value,
        None => object["enrollment_mode"] == value,
    }
}

fn verified(object: &Value, value: &str) -> bool {
    (object["verification"]["status"] == "verified") == (value == "true")
}

/// Every documented filter of an invitation, a domain, a role or a session selects what it says.
#[test]
fn filters_of_people_and_organizations() {
    let sim = start(1);
    let list = "/organization_invitations?limit=500";
    check(&sim, list, "status", &words(STATUSES), status);
    check(&sim, list, "query", &words(&[".1", "EXAMPLE.ORG"]), |one, part| has(one, "email_address", part));

    let organization = busiest(&sim, "organization_invitations", "organization_id");
    let list = format!("/organizations/{organization}/invitations?limit=500");
    check(&sim, &list, "status", &words(STATUSES), status);
    let emails = values(&sim, &list, "email_address");
    check(&sim, &list, "email_address", &emails, |one, email| one["email_address"] == email);
    let pending = objects(&sim, &format!("/organizations/{organization}/invitations/pending?limit=500"));
    let expected = objects(&sim, &format!("{list}&status=pending"));
    assert!(!pending.is_empty());
    assert_eq!(pending, expected);

    // A user's invitations are those to one of the user's addresses.
    let invited: Vec<String> = sim
        .users()
        .into_iter()
        .map(|user| user.id)
        .filter(|user| !objects(&sim, &format!("/users/{user}/organization_invitations")).is_empty())
        .collect();
    assert!(!invited.is_empty());
    let user = parse(&get(&sim, &format!("/users/{}", invited[0])).body);
    let email = user["email_addresses"].as_array().expect("addresses");
    for invitation in objects(&sim, &format!("/users/{}/organization_invitations", invited[0])) {
        assert!(email.iter().any(|email| email["email_address"] == invitation["email_address"]));
        let list = format!("/users/{}/organization_invitations", invited[0]);
        let shown = objects(&sim, &format!("{list}?status={}", text(&invitation, "status")));
        assert!(shown.contains(&invitation));
        assert!(shown.iter().all(|other| other["status"] == invitation["status"]));
    }

    let list = "/organization_domains?limit=500";
    let organizations = values(&sim, list, "organization_id");
    check(&sim, list, "organization_id", &organizations, |one, id| one["organization_id"] == id);
    check(&sim, list, "query", &organizations, |one, id| one["organization_id"] == id);
    check(&sim, list, "query", &words(&["-1", "EXAMPLE"]), |one, part| has(one, "name", part));
    let names = values(&sim, list, "name");
    check(&sim, list, "domains", &names, |one, name| one["name"] == name);
    let two = objects(&sim, &format!("{list}&domains={}&domains={}", names[0], names[1]));
    assert_eq!(two.len(), 2);
    let excluded: Vec<String> = MODES.iter().map(|mode| format!("-{mode}")).collect();
    let organization = busiest(&sim, "organization_domains", "organization_id");
    for list in [list.to_owned(), format!("/organizations/{organization}/domains?limit=500")] {
        check(&sim, &list, "verified", &words(&["true", "false"]), verified);
        check(&sim, &list, "enrollment_mode", &words(MODES), mode);
        check(&sim, &list, "enrollment_mode", &excluded, mode);
        let both = format!("{list}&enrollment_mode={}&enrollment_mode=-{}", MODES[0], MODES[1]);
        assert!(objects(&sim, &both).iter().all(|one| one["enrollment_mode"] == MODES[0]));
        assert_eq!(get(&sim, &format!("{list}&enrollment_mode=whatever")).status, 422);
    }
    assert_eq!(get(&sim, "/organization_domains?query=").status, 422);
    assert_eq!(get(&sim, "/organization_domains?query=%20").status, 422);

    for list in ["/organization_roles?limit=500", "/organization_permissions?limit=500", "/role_sets?limit=500"] {
        check(&sim, list, "query", &values(&sim, list, "id"), |one, id| one["id"] == id);
        let any = |one: &Value, part: &str| has(one, "name", part) || has(one, "key", part);
        check(&sim, list, "query", &words(&["adm", "BILLING", "default", "RECHNUNGEN", "legacy"]), any);
    }

    let user = busiest(&sim, "sessions", "user_id");
    let list = format!("/sessions?user_id={user}&limit=500");
    let all = objects(&sim, &list);
    assert!(all.len() > 1 && all.iter().all(|session| session["user_id"] == user.as_str()));
    let client = text(&all[0], "client_id");
    assert_eq!(objects(&sim, &format!("/sessions?client_id={client}&limit=500")), all);
    check(&sim, &list, "status", &words(&["active", "ended", "expired", "removed", "revoked"]), status);
    assert!(objects(&sim, "/sessions?user_id=user_unknown").is_empty());
    assert!(objects(&sim, &format!("/sessions?user_id={user}&client_id=client_other")).is_empty());
    for target in ["/sessions", "/sessions?user_id=", "/sessions?status=active", "/sessions?user_id=a&status=odd"] {
        assert_eq!(get(&sim, target).status, 422, "{target}");
    }
}

/// So does every other documented filter.
#[test]
fn filters_of_everything_else() {
    let sim = start(2);
    let all = sim.objects("invitations");
    let revoked = objects(&sim, "/invitations?status=revoked&limit=500");
    let list = "/invitations?limit=500";
    assert_eq!(objects(&sim, list).len() + revoked.len(), all.len());
    assert!(!revoked.is_empty() && revoked.iter().all(|one| one["status"] == "revoked"));
    check(&sim, list, "status", &words(&["pending", "accepted", "expired"]), status);
    check(&sim, list, "query", &words(&[".1", "@"]), |one, part| has(one, "email_address", part));
    check(&sim, list, "query", &values(&sim, list, "id"), |one, id| one["id"] == id);

    let list = "/waitlist_entries?limit=500";
    check(&sim, list, "status", &words(&["pending", "invited", "completed", "rejected"]), status);
    check(&sim, list, "query", &words(&[".2", "@"]), |one, part| has(one, "email_address", part));
    check(&sim, list, "query", &values(&sim, list, "id"), |one, id| one["id"] == id);

    let list = "/oauth_applications?limit=500";
    check(&sim, list, "name_query", &words(&["BÜRO", "1"]), |one, part| {
        has(one, "name", part) || one["client_id"] == part
    });
    check(&sim, list, "name_query", &values(&sim, list, "client_id"), |one, id| one["client_id"] == id);

    let list = "/saml_connections?limit=500";
    check(&sim, list, "query", &words(&["büro", "2"]), |one, part| has(one, "name", part));
    let organizations = values(&sim, list, "organization_id");
    check(&sim, list, "organization_id", &organizations, |one, id| one["organization_id"] == id);
    let excluded: Vec<String> = organizations.iter().map(|id| format!("-{id}")).collect();
    check(&sim, list, "organization_id", &excluded, |one, id| one["organization_id"] != id[1..]);

    let list = "/enterprise_connections?limit=500";
    let organizations = values(&sim, list, "organization_id");
    check(&sim, list, "organization_id", &organizations, |one, id| one["organization_id"] == id);
    check(&sim, list, "active", &words(&["true", "false"]), |one, active| one["active"] == (active == "true"));

    let list = "/machines?limit=500";
    check(&sim, list, "query", &words(&["ACME", "3"]), |one, part| has(one, "name", part));
    check(&sim, list, "query", &values(&sim, list, "id"), |one, id| one["id"] == id);

    let subject = busiest(&sim, "api_keys", "subject");
    let list = format!("/api_keys?subject={subject}&include_invalid=true&limit=100");
    let keys = objects(&sim, &list);
    let valid = objects(&sim, &format!("/api_keys?subject={subject}&limit=100"));
    assert!(!valid.is_empty() && valid.len() < keys.len());
    assert!(keys.iter().all(|key| key["subject"] == subject.as_str()));
    assert!(valid.iter().all(|key| key["revoked"] == false && key["expired"] == false));
    let names = values(&sim, &list, "name");
    check(&sim, &list, "query", &names, |one, name| has(one, "name", name));
    assert_eq!(objects(&sim, &format!("{list}&type=api_key")), keys);
    assert!(objects(&sim, &format!("{list}&type=other")).is_empty());
    assert!(objects(&sim, "/api_keys?subject=user_000000000000000000000000000").is_empty());
    let subjects: BTreeSet<String> =
        sim.objects("api_keys").iter().map(|key| text(&parse(&key.json), "subject")[..4].to_owned()).collect();
    assert_eq!(subjects, BTreeSet::from(["org_".to_owned(), "user".to_owned()]));

    let machine = busiest(&sim, "m2m_tokens", "subject");
    let count = |rest: &str| objects(&sim, &format!("/m2m_tokens?subject={machine}&limit=100{rest}")).len();
    let all = sim.objects("m2m_tokens");
    let mine = all.iter().map(|token| parse(&token.json)).filter(|token| token["subject"] == machine.as_str());
    let mine: Vec<Value> = mine.collect();
    let expected = |revoked: bool, expired: bool| {
        let shown = mine
            .iter()
            .filter(|token| (revoked || token["revoked"] == false) && (expired || token["expired"] == false));
        shown.count()
    };
    assert_eq!(count(""), expected(false, false));
    assert_eq!(count("&revoked=true"), expected(true, false));
    assert_eq!(count("&expired=true"), expected(false, true));
    assert_eq!(count("&expired=true&revoked=true"), mine.len());
    assert!(mine.len() > 1);
    for target in ["/api_keys", "/m2m_tokens", "/m2m_tokens?subject="] {
        assert_eq!(get(&sim, target).status, 400, "{target}");
    }

    check(&sim, "/billing/plans?limit=500", "payer_type", &words(&["user", "org"]), |one, payer| {
        one["for_payer_type"] == payer
    });
    let list = "/billing/prices?limit=500";
    check(&sim, list, "plan_id", &values(&sim, list, "plan_id"), |one, plan| one["plan_id"] == plan);
    let list = "/billing/subscription_items?include_free=true&limit=500";
    check(&sim, list, "status", &words(&["active", "ended", "past_due", "upcoming", "free_trial"]), |one, value| {
        match value {
            "free_trial" => one["is_free_trial"] == true && one["status"] == "active",
            _ => one["status"] == value,
        }
    });
    check(&sim, list, "payer_type", &words(&["user", "org"]), |one, payer| {
        one["payer"]["user_id"].is_null() == (payer == "org")
    });
    check(&sim, list, "plan_id", &values(&sim, list, "plan_id"), |one, plan| one["plan_id"] == plan);
    let user = objects(&sim, list).iter().find_map(|one| one["payer"]["user_id"].as_str().map(str::to_owned));
    check(&sim, list, "query", &[user.expect("a user")], |one, user| one["payer"]["user_id"] == user);
    let free = objects(&sim, list).len() - objects(&sim, "/billing/subscription_items?limit=500").len();
    assert!(free > 0);
    let statement = busiest(&sim, "payment_attempts", "statement_id");
    let attempts = objects(&sim, &format!("/billing/statements/{statement}/payment_attempts"));
    assert!(attempts.len() > 1 && attempts.iter().all(|one| one["statement_id"] == statement.as_str()));
    let groups = get(&sim, &format!("/billing/statements/{statement}")).json()["groups"].clone();
    let items: usize =
        groups.as_array().expect("groups").iter().map(|group| group["items"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(items, attempts.len());
}

/// Every documented order sorts, in both directions.
#[test]
fn orders() {
    let sim = start(3);
    let organization = busiest(&sim, "organization_invitations", "organization_id");
    let of_organization = format!("/organizations/{organization}/invitations");
    for (path, fields) in [
        ("/invitations", &["created_at", "email_address", "expires_at"][..]),
        ("/organization_invitations", &["created_at", "email_address"]),
        (&of_organization, &["created_at", "email_address"]),
        ("/organization_domains", &["name", "created_at"]),
        ("/organization_roles", &["created_at", "name", "key"]),
        ("/organization_permissions", &["created_at", "name", "key"]),
        ("/role_sets", &["created_at", "name", "key"]),
        ("/waitlist_entries", &["created_at", "email_address"]),
        ("/oauth_applications", &["created_at", "name"]),
        ("/saml_connections", &["created_at"]),
        ("/machines", &["created_at", "name"]),
    ] {
        for field in fields {
            let ordered = |order: &str| objects(&sim, &format!("{path}?limit=500&order_by={}", encode(order)));
            let ascending = ordered(field);
            assert!(ascending.len() > 1, "{path}");
            assert_eq!(ordered(&format!("+{field}")), ascending, "{path} {field}");
            let mut descending = ordered(&format!("-{field}"));
            let default = objects(&sim, &format!("{path}?limit=500"));
            if *field == "created_at" {
                let expected = if path == "/oauth_applications" { &ascending } else { &descending };
                assert_eq!(&default, expected, "{path}");
            }
            descending.reverse();
            assert_eq!(descending, ascending, "{path} {field}");
            // Objects without a value come last.
            let key = |one: &Value| {
                (one[*field].is_null(), one[*field].as_i64().unwrap_or_default(), text(one, field).to_owned())
            };
            assert!(ascending.is_sorted_by_key(key), "{path} {field}");
        }
        let refused = get(&sim, &format!("{path}?order_by=sideways"));
        assert_eq!((refused.status, refused.code().as_str()), (422, "form_param_value_invalid"), "{path}");
    }
    let invited = objects(&sim, "/waitlist_entries?limit=500&order_by=invited_at");
    assert!(invited.is_sorted_by_key(|one| one["status"] != "invited" && one["status"] != "completed"));
}

/// The path of every list with a limit, asked about something that is there.
fn lists(sim: &Sim) -> Vec<String> {
    let mut lists = Vec::new();
    for endpoint in ENDPOINTS {
        if !endpoint.parameter_names().any(|name| name == "limit") {
            continue;
        }
        let user = match endpoint.path {
            "/users/{user_id}/organization_invitations" => sim.users()[0].id.clone(),
            _ => busiest(sim, "sessions", "user_id"),
        };
        let organization = match endpoint.path {
            path if path.ends_with("/domains") => busiest(sim, "organization_domains", "organization_id"),
            _ => busiest(sim, "organization_invitations", "organization_id"),
        };
        let path = endpoint
            .path
            .replace("{user_id}", &user)
            .replace("{organization_id}", &organization)
            .replace("{statementID}", &busiest(sim, "payment_attempts", "statement_id"));
        lists.push(match endpoint.path {
            "/sessions" => format!("{path}?user_id={user}&"),
            "/api_keys" => format!("{path}?subject={}&", busiest(sim, "api_keys", "subject")),
            "/m2m_tokens" => format!("{path}?subject={}&", busiest(sim, "m2m_tokens", "subject")),
            _ => format!("{path}?"),
        });
    }
    lists
}

/// Pages neither lose nor repeat anything, and their size is limited.
#[test]
fn pages() {
    let sim = start(4);
    let lists = lists(&sim);
    assert!(lists.len() > 25);
    for list in lists {
        let is_small = list.starts_with("/api_keys") || list.starts_with("/m2m_tokens");
        let (most, refusal) = if is_small { (100, 400) } else { (500, 422) };
        let all = objects(&sim, &format!("{list}limit={most}"));
        let mut paged = Vec::new();
        while paged.len() < all.len() {
            let page = objects(&sim, &format!("{list}limit=3&offset={}", paged.len()));
            assert_eq!(page.len(), 3.min(all.len() - paged.len()), "{list}");
            paged.extend(page);
        }
        assert_eq!(paged, all, "{list}");
        assert_eq!(objects(&sim, &list).len(), all.len().min(10), "{list}");
        let total = get(&sim, &format!("{list}limit=1")).json()["total_count"].as_u64();
        assert!(total.is_none_or(|total| total == all.len() as u64), "{list}");
        for wrong in [format!("limit={}", most + 1), "limit=0".to_owned(), "offset=-1".to_owned(), "limit=a".to_owned()]
        {
            assert_eq!(get(&sim, &format!("{list}{wrong}")).status, refusal, "{list}{wrong}");
        }
    }
    for path in ["/invitations", "/allowlist_identifiers", "/redirect_urls", "/jwt_templates"] {
        let bare = get(&sim, path).json();
        assert!(bare.is_array(), "{path}");
        assert_eq!(get(&sim, &format!("{path}?paginated=true")).json(), bare, "{path}");
    }
    // These have no pages.
    assert_eq!(objects(&sim, "/blocklist_identifiers?limit=2").len(), 60);
    assert_eq!(objects(&sim, "/domains").len(), sim.objects("domains").len());
}

/// Faults make the answers of these lists as wrong as those of the others.
#[test]
fn faults() {
    let sim = start(5);
    sim.fault(Fault::status(500).on_path("/v1/invitations"));
    assert_eq!(get(&sim, "/invitations").status, 500);
    assert_eq!(get(&sim, "/invitations").status, 200);

    sim.fault(Fault::short_page(2).under("/v1/").times(2));
    assert_eq!(objects(&sim, "/machines").len(), 2);
    assert_eq!(objects(&sim, "/blocklist_identifiers").len(), 2);
    sim.fault(Fault::miscount(5).on_path("/v1/machines"));
    assert_eq!(get(&sim, "/machines").total(), 65);
    sim.fault(Fault::no_count().on_path("/v1/m2m_tokens"));
    let tokens = format!("/m2m_tokens?subject={}", busiest(&sim, "m2m_tokens", "subject"));
    assert!(get(&sim, &tokens).json().get("total_count").is_none());
    assert!(get(&sim, &tokens).json()["total_count"].is_u64());

    sim.fault(Fault::repeat_page().on_path("/v1/redirect_urls").nth(2));
    let first = objects(&sim, "/redirect_urls?limit=3");
    assert_eq!(objects(&sim, "/redirect_urls?limit=3&offset=3"), first);

    let stable: Vec<String> = objects(&sim, "/machines?limit=500").iter().map(id).collect();
    sim.fault(Fault::unstable_ties().on_path("/v1/machines").always());
    let differs = (0..20).any(|_| {
        let shuffled: Vec<String> = objects(&sim, "/machines?limit=500").iter().map(id).collect();
        shuffled != stable
    });
    assert!(differs);

    let post = support::request(&sim, "PUT", "/v1/invitations", "Authorization: Bearer sk_test_simulator\r\n", "");
    assert_eq!(post.expect("an answer").status, 405);
    assert_eq!(get(&sim, "/users//organization_invitations").status, 404);
}
