//! A simulator with many objects of every kind of paging, and a list of each kind.

use std::collections::HashSet;

use clerk_api::catalog::object;
use clerk_api::{Fetch, OrderBy, Query};
use clerk_sim::{Sim, When};
use fastrand::Rng;
use serde_json::{Value, json};

use super::*;

/// The user who is the owner of many API keys and sessions.
const OWNER: &str = "user_ownerownerownerownerowner00";

/// The machine that many tokens are for.
const MACHINE: &str = "mch_ownerownerownerownerowner00";

/// A list, its endpoint, and the ids of the rows that it contains.
pub struct List {
    pub name: &'static str,
    pub path: String,
    pub read: Fetch,
    pub expected: Vec<String>,
    /// What the simulator calls the objects of the list.
    pub objects: &'static str,
    /// The fields by which a new object belongs to the list.
    pub belongs: Value,
    now: fn(&Sim) -> Vec<String>,
}

impl List {
    fn new(sim: &Sim, name: &'static str, read: Fetch, path: &str, now: fn(&Sim) -> Vec<String>) -> List {
        List {
            name,
            path: format!("/v1{path}"),
            objects: read.object.name,
            read,
            expected: sorted(now(sim)),
            belongs: json!({}),
            now,
        }
    }

    fn belongs(self, belongs: Value) -> List {
        List { belongs, ..self }
    }

    /// Whose rows are parts of other objects.
    fn of(self, objects: &'static str) -> List {
        List { objects, ..self }
    }

    /// The ids of the rows that the list contains now.
    pub fn now(&self, sim: &Sim) -> HashSet<String> {
        (self.now)(sim).into_iter().collect()
    }

    /// Whether the pages contain no total, and the list has no other count either. Where all pages of such a list end
    /// too early, nothing shows it.
    pub fn is_uncounted(&self) -> bool {
        matches!(self.name, "bare" | "in two parts" | "a user's sessions")
    }

    /// Whether objects of the list can be created and deleted.
    pub fn changes(&self) -> bool {
        self.name != "single"
    }

    /// Whether the list comes in the order of creation, in which objects keep their positions.
    pub fn is_sorted_by_time(&self) -> bool {
        let is_unsorted = ["users by change", "a user's", "bare", "unsorted", "a user's sessions", "a user's API keys"];
        !is_unsorted.contains(&self.name) && self.name != "a machine's tokens"
    }

    /// Deletes and creates up to `most` objects of the list just before its `nth` request is answered. Some of the new
    /// ones have an old time of creation.
    pub fn change_before(&self, sim: &Sim, nth: u64, most: usize, mut random: Rng) {
        let (objects, belongs) = (self.objects, self.belongs.clone());
        let ids: Vec<_> = match objects {
            "users" => every("users", sim),
            _ => self.expected.clone(),
        };
        sim.before(When::path(&self.path).nth(nth), move |state| {
            for _ in 0..random.usize(0..most) {
                let id = &ids[random.usize(..ids.len())];
                // The object may already be deleted. The owner of the others stays.
                let _ = (id != OWNER).then(|| state.delete(objects, id));
            }
            for _ in 0..random.usize(0..most) {
                let mut fields = belongs.clone();
                if random.bool() {
                    fields["created_at"] = json!(1_700_000_000_000_i64 + random.i64(0..1100));
                }
                if objects == "organization_memberships" {
                    // Somebody is a member of an organization only once.
                    let (other, id) = match fields.get("user_id") {
                        Some(_) => ("organization_id", state.create_organization(json!({}))),
                        None => ("user_id", state.create_user(json!({}))),
                    };
                    fields[other] = json!(id.expect("another one"));
                }
                state.create(objects, fields).expect("another one");
            }
        });
    }

    /// What is wrong with the rows that came while objects were created and deleted: each that was there the whole time
    /// has to come once.
    pub fn harm(&self, sim: &Sim, read: &[String]) -> Option<String> {
        let came: HashSet<&String> = read.iter().collect();
        let now = self.now(sim);
        let missing = self.expected.iter().filter(|id| now.contains(*id) && !came.contains(id)).count();
        let twice = read.len() - came.len();
        let all = self.expected.len();
        (missing + twice > 0).then(|| format!("{missing} of {all} are missing, {twice} came again"))
    }
}

fn in_order(name: &str, parameter: &'static str, descending: bool) -> Fetch {
    let order = Some(OrderBy { parameter, is_descending: descending });
    Fetch { query: Query::List { filters: vec![], order }, ..all(name, 8) }
}

/// What the endpoint of a key column lists for one value.
fn found_by(name: &str, column: &str, value: &str) -> Fetch {
    let object = object(name).expect(name);
    let key = object.key_column(column).expect(column);
    let query = Query::Lookup { key, values: vec![value.to_owned()], filters: vec![], order: None };
    Fetch { query, page_size: 8, ..Fetch::all(object, vec![]) }
}

/// A simulator with many objects that were created in the same millisecond as others: twelve times three, twelve times
/// two, and twenty at once.
pub fn world() -> Sim {
    let sim = simulator(0, 0, 0);
    sim.change(|state| {
        let at = |n: i64| match n {
            0..36 => 1_700_000_000_000 + n / 3,
            36..56 => 1_700_000_000_500,
            _ => 1_700_000_001_000 + n / 2,
        };
        let users: Vec<_> = (0..80)
            .map(|n| {
                let mut fields = json!({"created_at": at(n), "updated_at": at(n)});
                if n == 0 {
                    fields["id"] = json!(OWNER);
                }
                let addresses: Vec<_> = (0..n % 3).map(|number| format!("u{n}-{number}@example.com")).collect();
                if !addresses.is_empty() {
                    fields["email_address"] = json!(addresses);
                }
                state.create_user(fields).expect("a user")
            })
            .collect();
        let organizations: Vec<_> = (0..80)
            .map(|n| state.create_organization(json!({"created_at": at(n)})).expect("an organization"))
            .collect();
        for (n, (user, organization)) in (0..).zip(users.iter().zip(&organizations)) {
            let created_at = json!({"created_at": at(n)});
            state.create_membership(user, &organizations[0], &created_at).expect("a membership");
            if n > 0 {
                state.create_membership(&users[0], organization, &created_at).expect("a membership");
            }
        }
        state.create("machines", json!({"id": MACHINE})).expect("a machine");
        for n in 0..80 {
            let mut create = |object: &str, mut fields: Value| {
                fields["created_at"] = json!(at(n));
                state.create(object, fields).expect(object);
            };
            create("blocklist_identifiers", json!({}));
            create("allowlist_identifiers", json!({}));
            create("enterprise_connections", json!({}));
            let status = ["pending", "revoked", "accepted"][n as usize % 3];
            create("invitations", json!({"status": status}));
            create("sessions", json!({"user_id": OWNER}));
            create("m2m_tokens", json!({"subject": MACHINE, "revoked": n % 5 == 0, "expired": n % 7 == 0}));
            for _ in 0..if n < 20 { 10 } else { 1 } {
                create("api_keys", json!({"subject": OWNER, "revoked": n % 5 == 0, "expired": n % 7 == 0}));
            }
        }
    });
    sim
}

/// One list of every kind.
pub fn lists(sim: &Sim) -> Vec<List> {
    let (user, organization) = (OWNER, sim.organizations()[0].id.clone());
    let list = |name, read, path: &str, now| List::new(sim, name, read, path, now);
    let members = format!("/organizations/{organization}/memberships");
    vec![
        list("users", all("users", 8), "/users", |sim| every("users", sim)),
        list("users in order", in_order("users", "created_at", false), "/users", |sim| every("users", sim)),
        list("the newest users", in_order("users", "created_at", true), "/users", |sim| every("users", sim)),
        list("users by change", in_order("users", "updated_at", true), "/users", |sim| every("users", sim)),
        list("organizations", all("organizations", 8), "/organizations", |sim| every("organizations", sim)),
        list("the newest", in_order("organizations", "created_at", true), "/organizations", |sim| {
            every("organizations", sim)
        }),
        list("memberships", all("organization_memberships", 8), "/organization_memberships", |sim| {
            every("organization_memberships", sim)
        })
        .belongs(json!({"organization_id": organization})),
        list("members", below(&organization, 8), &members, |sim| {
            having(sim, "organization_memberships", &["organization", "id"], &sim.organizations()[0].id)
        })
        .belongs(json!({"organization_id": organization})),
        list(
            "a user's",
            found_by("organization_memberships", "user_id", user),
            &format!("/users/{user}/organization_memberships"),
            |sim| having(sim, "organization_memberships", &["public_user_data", "user_id"], OWNER),
        )
        .belongs(json!({"user_id": user})),
        list("elements", all("user_email_addresses", 8), "/users", |sim| elements(sim, "email_addresses")).of("users"),
        list("unpaged", all("blocklist_identifiers", 8), "/blocklist_identifiers", |sim| {
            every("blocklist_identifiers", sim)
        }),
        list("bare", all("allowlist_identifiers", 8), "/allowlist_identifiers", |sim| {
            every("allowlist_identifiers", sim)
        }),
        list("in two parts", all("invitations", 8), "/invitations", |sim| every("invitations", sim)),
        list("unsorted", all("enterprise_connections", 8), "/enterprise_connections", |sim| {
            every("enterprise_connections", sim)
        }),
        list("a user's sessions", found_by("sessions", "user_id", user), "/sessions", |sim| {
            having(sim, "sessions", &["user_id"], OWNER)
        })
        .belongs(json!({"user_id": user})),
        list("a user's API keys", found_by("api_keys", "subject", user), "/api_keys", |sim| {
            having(sim, "api_keys", &["subject"], OWNER)
        })
        .belongs(json!({"subject": user})),
        list("a machine's tokens", found_by("m2m_tokens", "subject", MACHINE), "/m2m_tokens", |sim| {
            having(sim, "m2m_tokens", &["subject"], MACHINE)
        })
        .belongs(json!({"subject": MACHINE})),
        list("single", all("instance", 8), "/instance", |sim| vec![sim.instance()]),
    ]
}

/// The ids of the objects that have a value somewhere.
fn having(sim: &Sim, objects: &str, path: &[&str], value: &str) -> Vec<String> {
    let has_it = |json: &str| {
        let object: Value = serde_json::from_str(json).expect("an object");
        path.iter().fold(&object, |inner, member| &inner[member]) == value
    };
    sim.objects(objects).into_iter().filter(|object| has_it(&object.json)).map(|object| object.id).collect()
}

/// The ids of the elements of one member of all users.
fn elements(sim: &Sim, member: &str) -> Vec<String> {
    let users = sim.users();
    let users = users.iter().map(|user| serde_json::from_str::<Value>(&user.json).expect("a user"));
    let ids = |user: Value| user[member].as_array().into_iter().flatten().map(|one| one["id"].clone()).collect();
    let ids: Vec<Value> = users.flat_map(|user| -> Vec<Value> { ids(user) }).collect();
    ids.iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}
