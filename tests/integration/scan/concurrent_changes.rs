//! Clerk's data changes while it is read: what was there all the time appears exactly once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use clerk_sim::{ChangeError, Config, Object, Request, Sim, State, When};
use fastrand::Rng;
use serde_json::json;

use crate::support::*;

/// A list whose objects come and go.
#[derive(Clone, Copy)]
struct List {
    query: &'static str,
    path: &'static str,
    all: fn(&Sim) -> Vec<Object>,
    create: fn(&mut State, &Model, i64) -> Result<String, ChangeError>,
    delete: fn(&mut State, &str) -> Result<(), ChangeError>,
}

const USERS: List = List {
    query: "SELECT user_id FROM clerk.users",
    path: "/v1/users",
    all: Sim::users,
    create: |state, _, at| state.create_user(json!({"created_at": at})),
    delete: State::delete_user,
};

const ORGANIZATIONS: List = List {
    query: "SELECT organization_id FROM clerk.organizations",
    path: "/v1/organizations",
    all: Sim::organizations,
    create: |state, _, at| state.create_organization(json!({"created_at": at})),
    delete: State::delete_organization,
};

const MEMBERSHIPS: List = List {
    query: "SELECT membership_id FROM clerk.organization_memberships",
    path: "/v1/organization_memberships",
    all: Sim::memberships,
    create: |state, model, at| state.create_membership(&model.user, &model.organization, json!({"created_at": at})),
    delete: State::delete_membership,
};

/// What the changes know of the list, and what they did.
struct Model {
    /// The objects before the scan, the oldest first.
    before: Vec<Object>,
    /// Where in that order the request stood for which the change is made.
    place: usize,
    created: HashSet<String>,
    done: Vec<String>,
    user: String,
    organization: String,
}

impl Model {
    /// By `starting_after`, by `offset`, or from the beginning.
    fn place(&self, request: &Request) -> usize {
        let cursor = request.parameter("starting_after");
        let after = cursor.and_then(|id| self.before.iter().position(|object| object.id == id));
        let offset = request.parameter("offset").and_then(|offset| offset.parse().ok());
        after.or(offset).unwrap_or(0)
    }
}

fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().unwrap()
}

/// One change, by the words it is told with.
fn change(list: List, kind: u8, page: usize, seed: u64, state: &mut State, model: &mut Model) {
    let mut random = Rng::with_seed(seed);
    let last = model.before.len() - 1;
    let place = model.place.min(last);
    let (what, delete, create) = match kind {
        0 => ("the object that the request starts from goes", place..place + 1, 0),
        1 => ("it goes, and another comes", place..place + 1, 1),
        2 => ("what lies just before goes", place.saturating_sub(3)..place + 1, 0),
        3 => ("more than a page before goes", place.saturating_sub(page + page / 2)..place + 1, 0),
        4 => ("more than a page ahead goes", place..(place + page + page / 2).min(last) + 1, 0),
        5 => ("the beginning goes", 0..random.usize(1..=page), 0),
        6 => ("as many come as go", place.saturating_sub(2)..place + 1, 3),
        7 => ("some come at the end", 0..0, 5),
        8 => ("some come in the middle", 0..0, 3),
        _ => {
            let first = random.usize(0..=last);
            ("some go somewhere, others come", first..last.min(first + 2) + 1, random.usize(0..3))
        }
    };
    for index in delete {
        // It may be gone already.
        let _ = (list.delete)(state, &model.before[index].id);
    }
    for _ in 0..create {
        // The instance's clock stands behind all that it has; imports bring older times along.
        let at = match kind {
            8 => model.before[random.usize(0..=last)].created_at + random.i64(0..2),
            _ => 1_793_491_200_000 + random.i64(0..1000),
        };
        let id = (list.create)(state, model, at).expect("an object");
        model.created.insert(id);
    }
    model.done.push(format!("at {place}: {what}"));
}

/// Scans while changes are made before some of its requests; `kinds` says which changes.
fn scan_during_changes(list: List, config: Config, page: usize, rounds: u64, kinds: &[u8]) {
    let world = World::with(config.clone(), &format!("page_size '{page}', max_concurrency '3'"));
    for round in 0..rounds {
        let mut random = Rng::with_seed(round);
        let sim = Sim::start(config.clone()).unwrap();
        world.run(&format!("ALTER SERVER clerk OPTIONS (SET api_url '{}')", sim.url()));
        let before = (list.all)(&sim);
        let pages = before.len() / page;
        let model = Arc::new(Mutex::new(Model {
            before: before.clone(),
            place: 0,
            created: HashSet::new(),
            done: Vec::new(),
            user: sim.users()[0].id.clone(),
            organization: sim.organizations()[0].id.clone(),
        }));
        for _ in 0..random.usize(1..=4) {
            let (kind, seed, nth) =
                (random.choice(kinds.iter().copied()).unwrap(), random.u64(..), random.u64(2..=pages as u64));
            let (seen, changed) = (Arc::clone(&model), Arc::clone(&model));
            let when = When::path(list.path).nth(nth).test(move |request| {
                let mut model = lock(&seen);
                model.place = model.place(request);
                true
            });
            sim.before(when, move |state| change(list, kind, page, seed, state, &mut lock(&changed)));
        }

        let found = world.try_column::<String>(list.query);
        let model = lock(&model);
        let context = format!("round {round}, {:?}", model.done);
        let found = found.unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let mut times: HashMap<&str, u32> = HashMap::new();
        for id in &found {
            *times.entry(id).or_default() += 1;
        }
        let after: HashSet<String> = (list.all)(&sim).into_iter().map(|object| object.id).collect();
        let place = |id: &str| before.iter().position(|object| object.id == id);
        let twice = places(times.iter().filter(|(_, times)| **times > 1).map(|(id, _)| place(id)));
        assert!(twice.is_empty(), "{context}: {} of {} come twice, at {twice:?}", twice.len(), before.len());
        let missed = before.iter().filter(|object| after.contains(&object.id) && !times.contains_key(&*object.id));
        let missed = places(missed.map(|object| place(&object.id)));
        assert!(missed.is_empty(), "{context}: {} of {} are missing, at {missed:?}", missed.len(), before.len());
        let known = |id: &&str| place(id).is_some() || model.created.contains(*id);
        assert!(times.keys().all(known), "{context}: a row that nobody made");
    }
}

/// Where the objects were before the scan; those that came later have no place.
fn places(places: impl Iterator<Item = Option<usize>>) -> Vec<Option<usize>> {
    sorted(places.collect())
}

/// Objects that are created and deleted here and there.
const ANYWHERE: &[u8] = &[0, 1, 2, 5, 6, 7, 9];

/// More than a page at once.
const MASSES: &[u8] = &[3, 4, 5];

/// Objects that appear in the middle of the order, as imports with their old times do.
const IMPORTS: &[u8] = &[8, 0, 9];

fn users() -> Config {
    Config { users: 300, ..small() }
}

fn organizations() -> Config {
    Config { organizations: 120, ..small() }
}

fn memberships() -> Config {
    Config { users: 120, organizations: 10, memberships: 300, ..small() }
}

/// Users who sign up and go while the users are read.
#[test]
fn users_created_and_deleted() {
    scan_during_changes(USERS, users(), 20, 60, ANYWHERE);
}

/// The same while one cursor reads alone.
#[test]
fn users_created_and_deleted_with_one_cursor() {
    scan_during_changes(USERS, Config { users: 70, ..small() }, 20, 40, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

/// More users than a page holds are deleted at once.
#[test]
fn users_mass_deleted() {
    scan_during_changes(USERS, users(), 20, 60, MASSES);
}

/// Users are imported with old times of creation.
#[test]
fn users_imported() {
    scan_during_changes(USERS, users(), 20, 40, IMPORTS);
}

/// Organizations that come and go while the list is read by offset.
#[test]
fn organizations_created_and_deleted() {
    scan_during_changes(ORGANIZATIONS, organizations(), 10, 60, ANYWHERE);
}

/// More organizations than a page holds are deleted at once.
#[test]
fn organizations_mass_deleted() {
    scan_during_changes(ORGANIZATIONS, organizations(), 10, 60, MASSES);
}

/// Organizations are imported with old times of creation.
#[test]
fn organizations_imported() {
    scan_during_changes(ORGANIZATIONS, organizations(), 10, 40, IMPORTS);
}

/// Memberships that come and go while the list is read by offset.
#[test]
fn memberships_created_and_deleted() {
    scan_during_changes(MEMBERSHIPS, memberships(), 20, 60, ANYWHERE);
}

/// More memberships than a page holds are deleted at once.
#[test]
fn memberships_mass_deleted() {
    scan_during_changes(MEMBERSHIPS, memberships(), 20, 60, MASSES);
}
