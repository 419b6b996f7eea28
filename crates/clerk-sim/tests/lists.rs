//! Lists: paging, orders, filters, and what is refused.

mod support;

use std::collections::HashSet;

use clerk_sim::{Config, RateLimit, Sim};
use serde_json::Value;
use support::{encode, get, id, parse, request, start};

/// Every user as JSON, the oldest first.
fn users(sim: &Sim) -> Vec<Value> {
    sim.users().iter().map(|user| parse(&user.json)).collect()
}

fn ids(objects: impl IntoIterator<Item = Value>) -> Vec<String> {
    objects.into_iter().map(|object| id(&object)).collect()
}

/// The same seed makes the same bytes.
#[test]
fn seed_is_reproducible() {
    let all = |seed| {
        let sizes = Config { users: 300, organizations: 20, memberships: 600, ..Config::default() };
        let sim = Sim::start(Config { seed, ..sizes }).expect("a simulator");
        (sim.users(), sim.organizations(), sim.memberships())
    };
    let (users, organizations, memberships) = all(7);
    assert_eq!(all(7), (users.clone(), organizations.clone(), memberships.clone()));
    assert_ne!(all(8).0, users);
    assert_eq!((users.len(), organizations.len(), memberships.len()), (300, 20, 600));
    let pairs: HashSet<(String, String)> = memberships
        .iter()
        .map(|membership| parse(&membership.json))
        .map(|membership| {
            let user = &membership["public_user_data"]["user_id"];
            (user.to_string(), id(&membership["organization"]))
        })
        .collect();
    assert_eq!(pairs.len(), 600, "nobody is a member twice");
}

/// There are users of every kind.
#[test]
fn every_kind_of_user() {
    let sim = start(1000, 10, 100);
    let raw = sim.users();
    let users = users(&sim);
    let any = |test: &dyn Fn(&Value) -> bool| users.iter().any(test);
    assert!(any(&|user| user["first_name"].is_null()));
    assert!(any(&|user| user["username"].is_null()));
    assert!(any(&|user| user["banned"] == true));
    assert!(any(&|user| user["locked"] == true));
    assert!(any(&|user| user["two_factor_enabled"] == true));
    assert!(any(&|user| user["last_sign_in_at"].is_null() && user["last_active_at"].is_null()));
    assert!(any(&|user| user["email_addresses"] == Value::Array(vec![])));
    assert!(any(&|user| {
        let emails = user["email_addresses"].as_array().expect("addresses");
        emails.len() > 1 && emails[emails.len() - 1]["id"] == user["primary_email_address_id"]
    }));
    assert!(raw.iter().any(|user| user.json.contains(r"\u0000")));
    assert!(raw.iter().any(|user| user.json.contains(r#"["\ud800""#)));
    assert!(raw.iter().any(|user| user.json.len() > 8192));
    assert!(raw.windows(2).any(|pair| pair[0].created_at == pair[1].created_at));
    let emails: Vec<&Value> =
        users.iter().flat_map(|user| user["email_addresses"].as_array().expect("array")).collect();
    let distinct: HashSet<&str> = emails.iter().filter_map(|email| email["email_address"].as_str()).collect();
    assert_eq!(distinct.len(), emails.len());
}

/// A cursor neither loses nor repeats anyone.
#[test]
fn starting_after() {
    let sim = start(1000, 0, 0);
    let oldest_first: Vec<String> = sim.users().into_iter().map(|user| user.id).collect();
    for (order, expected) in
        [("+created_at", oldest_first.clone()), ("-created_at", oldest_first.iter().rev().cloned().collect())]
    {
        // 7 falls within the users of one millisecond again and again.
        let base = format!("/users?limit=7&order_by={}", encode(order));
        let mut walked = get(&sim, &base).ids();
        while let Some(last) = walked.last() {
            let page = get(&sim, &format!("{base}&starting_after={last}")).ids();
            walked.extend_from_slice(&page);
            if page.len() < 7 {
                break;
            }
        }
        assert_eq!(walked, expected);
    }
}

/// A cursor starts anywhere within a range of times.
#[test]
fn starting_after_within_a_range() {
    let sim = start(300, 0, 0);
    let users = sim.users();
    let (after, before) = (users[50].created_at, users[250].created_at);
    let range: Vec<&String> =
        users.iter().filter(|user| user.created_at > after && user.created_at < before).map(|user| &user.id).collect();
    let base = format!("/users?limit=500&created_at_after={after}&created_at_before={before}");
    assert_eq!(get(&sim, &format!("{base}&order_by=created_at")).ids().iter().collect::<Vec<_>>(), range);
    // The cursors lie before, within and after the range.
    for place in [0, 150, 299] {
        let cursor = &users[place].id;
        let later = users[place + 1..].iter().map(|user| &user.id);
        let expected: Vec<&String> = later.filter(|id| range.contains(id)).collect();
        let page = get(&sim, &format!("{base}&order_by=created_at&starting_after={cursor}")).ids();
        assert_eq!(page.iter().collect::<Vec<_>>(), expected);
        let page = get(&sim, &format!("{base}&starting_after={cursor}")).ids();
        let earlier = users[..place].iter().rev().map(|user| &user.id);
        let expected: Vec<&String> = earlier.filter(|id| range.contains(id)).collect();
        assert_eq!(page.iter().collect::<Vec<_>>(), expected);
    }
}

/// An offset walks every list once.
#[test]
fn offset() {
    let sim = start(120, 30, 250);
    for (path, all, orders) in [
        ("/users", sim.users(), &["created_at", "-first_name", "last_sign_in_at", "web3wallet"][..]),
        ("/organizations", sim.organizations(), &["created_at", "-name", "members_count"]),
        ("/organization_memberships", sim.memberships(), &["created_at", "-email_address"]),
    ] {
        for order in orders {
            let mut walked = Vec::new();
            loop {
                let target = format!("{path}?limit=11&order_by={order}&offset={}", walked.len());
                let page = get(&sim, &target).ids();
                if page.is_empty() {
                    break;
                }
                walked.extend(page);
            }
            let mut expected: Vec<String> = all.iter().map(|object| object.id.clone()).collect();
            if *order != "created_at" {
                walked.sort();
                expected.sort();
            }
            assert_eq!(walked, expected, "{path} by {order}");
        }
    }
}

/// Lists come in the order that was asked for.
#[test]
fn order_by() {
    let sim = start(200, 0, 0);
    let names = |order: &str| -> Vec<Option<String>> {
        let users = get(&sim, &format!("/users?limit=200&order_by={order}")).objects();
        users.iter().map(|user| user["first_name"].as_str().map(str::to_owned)).collect()
    };
    let mut expected = names("created_at");
    // A missing name comes after all others, as Postgres has it.
    expected.sort_by_key(|name| (name.is_none(), name.clone()));
    assert_eq!(names("first_name"), expected);
    assert_eq!(names("%2Bfirst_name"), expected);
    assert_eq!(names("+first_name"), expected, "a plus sign that was not escaped");
    expected.reverse();
    assert_eq!(names("-first_name"), expected);
    assert_eq!(names("-first_name&order_by=nonsense"), expected, "the first one counts");
    let newest: Vec<String> = sim.users().into_iter().rev().take(10).map(|user| user.id).collect();
    assert_eq!(get(&sim, "/users").ids(), newest, "ten, the newest first");
}

/// What Clerk refuses is refused.
#[test]
fn status_422() {
    let sim = start(30, 3, 30);
    let user = &sim.users()[3].id;
    let values = |count: usize| -> String { (0..count).map(|n| format!("&user_id={n}")).collect() };
    assert_eq!(get(&sim, &format!("/users?a=b{}", values(100))).status, 200);
    for (target, code) in [
        ("/users?limit=0".to_owned(), "form_param_value_invalid"),
        ("/users?limit=501".to_owned(), "form_param_value_too_large"),
        ("/users?limit=ten".to_owned(), "form_param_type_invalid"),
        ("/users?offset=-1".to_owned(), "form_param_value_invalid"),
        ("/users?order_by=shoe_size".to_owned(), "form_param_value_invalid"),
        ("/users?banned=perhaps".to_owned(), "form_param_type_invalid"),
        ("/users?created_at_after=2024-01-01".to_owned(), "form_param_type_invalid"),
        (format!("/users?a=b{}", values(101)), "form_param_array_size_exceeded"),
        (format!("/users/count?a=b{}", values(101)), "form_param_array_size_exceeded"),
        (format!("/organizations?a=b{}", values(101)), "form_param_array_size_exceeded"),
        (format!("/users?starting_after={user}&offset=1"), "form_conditional_param_disallowed"),
        (format!("/users?starting_after={user}&order_by=username"), "form_param_value_invalid"),
        ("/users?starting_after=user_deleted".to_owned(), "form_resource_not_found"),
        ("/users?provider=oauth_google".to_owned(), "form_conditional_param_missing"),
        ("/users?provider_user_id=1".to_owned(), "form_conditional_param_missing"),
        ("/organizations?order_by=slug".to_owned(), "form_param_value_invalid"),
        ("/organization_memberships?order_by=role".to_owned(), "form_param_value_invalid"),
    ] {
        let reply = get(&sim, &target);
        assert_eq!((reply.status, reply.code().as_str()), (422, code), "{target}");
    }
    assert_eq!(get(&sim, &format!("/users?starting_after={user}&offset=0")).status, 200);
    assert_eq!(get(&sim, "/users?unknown=parameter").status, 200);
    assert_eq!(get(&sim, "/users?limit=&offset=&order_by=&starting_after=&query=&banned=").ids().len(), 10);
    assert!(get(&sim, "/users?user_id=").ids().is_empty(), "nobody has an empty id");
}

/// What is not there is not found.
#[test]
fn status_404() {
    let sim = start(3, 2, 4);
    for target in [
        "/users/user_unknown",
        "/users/user_unknown/organization_memberships",
        "/users/..%2Forganizations",
        "/users/",
        "/organizations/unknown",
        "/organizations/unknown/memberships",
        "/dragons",
    ] {
        let reply = get(&sim, target);
        assert_eq!((reply.status, reply.code().as_str()), (404, "resource_not_found"), "{target}");
    }
    let organization = parse(&sim.organizations()[0].json);
    let slug = organization["slug"].as_str().expect("a slug");
    assert_eq!(get(&sim, &format!("/organizations/{slug}")).json(), organization);

    let key = "Authorization: Bearer sk_test_simulator\r\n";
    let reply = request(&sim, "PUT", "/v1/users", key, "{}").expect("an answer");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, POST")));
    let reply = request(&sim, "POST", "/v1/instance", key, "{}").expect("an answer");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, PATCH")));
    let reply = request(&sim, "GET", "/v1/users", "", "").expect("an answer");
    assert_eq!((reply.status, reply.code().as_str()), (401, "authorization_header_format_invalid"));
    let key = "Authorization: Bearer sk_test_another\r\n";
    let reply = request(&sim, "GET", "/v1/users", key, "").expect("an answer");
    assert_eq!((reply.status, reply.code().as_str()), (401, "clerk_key_invalid"));
}

/// Filters let through whom they should.
#[test]
fn filters() {
    let sim = start(400, 10, 300);
    let all = users(&sim);
    let text = |user: &Value, field: &str| user[field].as_str().unwrap_or_default().to_lowercase();
    let any = |user: &Value, array: &str, field: &str, test: &dyn Fn(&str) -> bool| {
        let objects = user[array].as_array().expect("an array");
        objects.iter().any(|object| test(object[field].as_str().expect("a text")))
    };
    let email = all.iter().find_map(|user| user["email_addresses"][1]["email_address"].as_str()).expect("a second one");
    let phone = all.iter().find_map(|user| user["phone_numbers"][0]["phone_number"].as_str()).expect("a number");
    let wallet = all.iter().find_map(|user| user["web3_wallets"][0]["web3_wallet"].as_str()).expect("a wallet");
    let account = all.iter().map(|user| &user["external_accounts"][0]).find(|account| !account.is_null());
    let account = account.expect("an account")["provider_user_id"].as_str().expect("an id");
    let provider = all.iter().map(|user| &user["external_accounts"][0]);
    let provider =
        provider.filter(|other| other["provider_user_id"] == account).map(|other| other["provider"].as_str());
    let provider = provider.flatten().next().expect("a provider");
    let middle = |field: &str| {
        let mut times: Vec<i64> = all.iter().filter_map(|user| user[field].as_i64()).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (active, sign_in) = (middle("last_active_at"), middle("last_sign_in_at"));
    let created = all[200]["created_at"].as_i64().expect("a time");
    type Test<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let cases: Vec<(String, Test)> = vec![
        (
            format!("email_address={}&email_address=nobody@example.com", encode(email)),
            Box::new(|user| any(user, "email_addresses", "email_address", &|value| value == email)),
        ),
        (
            format!("phone_number={}", encode(phone)),
            Box::new(|user| any(user, "phone_numbers", "phone_number", &|value| value == phone)),
        ),
        (
            format!("phone_number={phone}"),
            Box::new(|user| any(user, "phone_numbers", "phone_number", &|value| value == phone)),
        ),
        (
            format!("web3_wallet={wallet}"),
            Box::new(|user| any(user, "web3_wallets", "web3_wallet", &|value| value == wallet)),
        ),
        (
            "email_address_query=EXAMPLE.org".to_owned(),
            Box::new(|user| any(user, "email_addresses", "email_address", &|value| value.contains("example.org"))),
        ),
        (
            "phone_number_query=55501".to_owned(),
            Box::new(|user| any(user, "phone_numbers", "phone_number", &|value| value.contains("55501"))),
        ),
        ("username_query=AR".to_owned(), Box::new(|user| text(user, "username").contains("ar"))),
        (
            "name_query=an".to_owned(),
            Box::new(|user| text(user, "first_name").contains("an") || text(user, "last_name").contains("an")),
        ),
        ("banned=true".to_owned(), Box::new(|user| user["banned"] == true)),
        ("banned=false".to_owned(), Box::new(|user| user["banned"] == false)),
        (
            format!("last_active_at_after={active}"),
            Box::new(|user| user["last_active_at"].as_i64().is_some_and(|time| time > active)),
        ),
        (
            format!("last_active_at_since={active}"),
            Box::new(|user| user["last_active_at"].as_i64().is_some_and(|time| time >= active)),
        ),
        (
            format!("last_active_at_before={active}"),
            Box::new(|user| user["last_active_at"].as_i64().is_some_and(|time| time < active)),
        ),
        (
            format!("last_sign_in_at_before={sign_in}"),
            Box::new(|user| user["last_sign_in_at"].as_i64().is_some_and(|time| time < sign_in)),
        ),
        (
            format!("last_sign_in_at_after={sign_in}&created_at_after={created}"),
            Box::new(|user| {
                user["last_sign_in_at"].as_i64().is_some_and(|time| time > sign_in)
                    && user["created_at"].as_i64().is_some_and(|time| time > created)
            }),
        ),
        (
            format!("provider={provider}&provider_user_id={account}"),
            Box::new(|user| any(user, "external_accounts", "provider_user_id", &|value| value == account)),
        ),
        (
            format!("created_at_before={created}"),
            Box::new(|user| user["created_at"].as_i64().is_some_and(|time| time < created)),
        ),
    ];
    for (query, test) in cases {
        let expected = ids(all.iter().filter(|user| test(user)).cloned());
        assert!(!expected.is_empty(), "{query} is no test");
        assert_eq!(get(&sim, &format!("/users?limit=500&order_by=created_at&{query}")).ids(), expected, "{query}");
        assert_eq!(get(&sim, &format!("/users/count?{query}")).total(), expected.len() as u64, "{query}");
    }
}

/// A plus includes and a minus excludes.
#[test]
fn plus_and_minus_filters() {
    let sim = start(60, 6, 90);
    let users = sim.users();
    let (one, two) = (&users[10].id, &users[20].id);
    let all = "/users?limit=500&order_by=created_at";
    assert_eq!(get(&sim, &format!("{all}&user_id={two}&user_id={one}")).ids(), [one.clone(), two.clone()]);
    for plus in ["%2B", "+", "%20"] {
        assert_eq!(get(&sim, &format!("{all}&user_id={plus}{one}")).ids(), std::slice::from_ref(one));
    }
    let without = get(&sim, &format!("{all}&user_id=-{one}")).ids();
    assert_eq!(without.len(), 59);
    assert!(!without.contains(one));
    assert_eq!(get(&sim, &format!("/users/count?user_id=-{one}")).total(), 59);

    let members = |organization: &str| -> HashSet<String> {
        let memberships = sim.memberships();
        let memberships = memberships.iter().map(|membership| parse(&membership.json));
        memberships
            .filter(|membership| membership["organization"]["id"] == organization)
            .map(|membership| membership["public_user_data"]["user_id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let organizations = sim.organizations();
    let (big, other) = (&organizations[0].id, &organizations[1].id);
    let (of_big, of_other) = (members(big), members(other));
    let listed = |query: &str| -> HashSet<String> { get(&sim, &format!("{all}&{query}")).ids().into_iter().collect() };
    assert_eq!(listed(&format!("organization_id={big}")), of_big);
    assert_eq!(
        listed(&format!("organization_id={big}&organization_id=%2B{other}")),
        of_big.union(&of_other).cloned().collect()
    );
    assert_eq!(
        listed(&format!("organization_id={big}&organization_id=-{other}")),
        of_big.difference(&of_other).cloned().collect()
    );
    assert_eq!(get(&sim, &format!("/users/count?organization_id=-{big}")).total(), 60 - of_big.len() as u64);

    let member = of_big.iter().next().expect("a member");
    let of_member = get(&sim, &format!("/organizations?limit=500&user_id={member}"));
    assert!(of_member.ids().contains(big));
    assert_eq!(of_member.total(), get(&sim, &format!("/users/{member}/organization_memberships")).total());
    let rest = get(&sim, &format!("/organizations?limit=500&user_id=-{member}&organization_id=-{other}"));
    assert!(!rest.ids().contains(big) && !rest.ids().contains(other));
}

/// Memberships are filtered by their users and roles.
#[test]
fn membership_filters() {
    let sim = start(100, 3, 150);
    let organization = &get(&sim, "/organizations?order_by=-members_count&include_members_count=true").objects()[0];
    let members = format!("/organizations/{}/memberships?limit=500", id(organization));
    let all = get(&sim, &members);
    assert_eq!(organization["members_count"], all.total());
    assert!(all.objects()[0]["organization"].get("members_count").is_none());

    let admins = get(&sim, &format!("{members}&role=org:admin&role=org:none"));
    let expected: Vec<Value> =
        all.objects().into_iter().filter(|membership| membership["role"] == "org:admin").collect();
    assert_eq!(admins.objects(), expected);

    let user = all.objects()[0]["public_user_data"]["user_id"].as_str().expect("an id").to_owned();
    assert_eq!(get(&sim, &format!("{members}&user_id={user}")).total(), 1);
    assert_eq!(get(&sim, &format!("{members}&user_id=-{user}")).total(), all.total() - 1);
    let query = get(&sim, &format!("{members}&email_address_query=example.net")).ids();
    let matching: HashSet<String> =
        get(&sim, "/users?limit=500&email_address_query=example.net").ids().into_iter().collect();
    let expected: Vec<String> = all
        .objects()
        .iter()
        .filter(|membership| matching.contains(membership["public_user_data"]["user_id"].as_str().expect("an id")))
        .map(id)
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(query, expected);
}

/// Past the rate limit comes 429.
#[test]
fn rate_limit_429() {
    let config = Config { users: 1, rate_limit: RateLimit::Requests(3), ..Config::default() };
    let sim = Sim::start(config).expect("a simulator");
    for _ in 0..3 {
        assert_eq!(get(&sim, "/users").status, 200);
    }
    let reply = get(&sim, "/users");
    assert_eq!((reply.status, reply.code().as_str()), (429, "too_many_requests"));
    let wait: u64 = reply.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=10).contains(&wait));
}

/// By default the rate limit is Clerk's own.
#[test]
fn default_rate_limit() {
    let keys = vec!["sk_test_simulator".to_owned(), "sk_live_simulator".to_owned()];
    let sim = Sim::start(Config { users: 1, keys, ..Config::default() }).expect("a simulator");
    let statuses: Vec<u16> = (0..101).map(|_| get(&sim, "/users/count").status).collect();
    assert_eq!(statuses.iter().position(|status| *status == 429), Some(100));
    let live = "Authorization: Bearer sk_live_simulator\r\n";
    let reply = request(&sim, "GET", "/v1/users", live, "").expect("an answer");
    assert_eq!(reply.status, 200, "each key has its own");
    assert_eq!(sim.requests().last().and_then(|request| request.key), Some(1));
}
