//! Writers, each with objects of its own, and a ledger of what may be at Clerk after each write: what it reported done, or
//! what docs/writes.md leaves open where the answer was lost.

use std::collections::HashMap;
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::actor::Actor;
use super::journal::Met;
use super::scene::Scene;

/// How many writers there are; each has an anchor whose metadata it changes.
pub const WRITERS: u64 = 3;

/// What an object may be: not there, or there with this value.
type State = Option<i64>;

/// An organization of a writer's, which has a name of its own, and whose value is how many members it may have.
#[derive(Clone, Debug)]
pub struct Kept {
    pub name: String,
    id: Option<String>,
    /// One state, or several since a write of which it is not known whether Clerk did it.
    possible: Vec<State>,
    /// When that write ended.
    unknown_since: Option<Instant>,
}

struct Writer {
    number: u64,
    next: u32,
    kept: Vec<Kept>,
    /// What the writer's member of its anchor's metadata may be.
    metadata: Vec<State>,
}

pub fn enter<'scope>(scope: &'scope Scope<'scope, '_>, scene: &'scope Scene<'scope>) {
    for number in 0..WRITERS {
        scope.spawn(move || {
            let mut writer = Writer { number, next: 0, kept: Vec::new(), metadata: vec![None] };
            let actor = match number {
                0 => Actor::lasting(scene, &scene.moving, "writer"),
                _ => Actor::new(scene, &scene.moving, "writer", number),
            };
            actor.repeat(if number == 0 { 50 } else { 150 }, |actor| writer.write(actor));
            let mut ledger = scene.ledger.lock().unwrap();
            ledger.extend(writer.kept);
            let name = format!("metadata {number}");
            ledger.push(Kept { name, id: None, possible: writer.metadata, unknown_since: None });
        });
    }
}

impl Writer {
    fn write(&mut self, actor: &mut Actor) {
        let unknown = self.kept.iter().position(|kept| {
            let is_old = kept.unknown_since.is_some_and(|since| since.elapsed() > Duration::from_secs(8));
            is_old && kept.possible.len() > 1
        });
        let count = self.kept.iter().filter(|kept| kept.possible != [None]).count();
        match (unknown, actor.random.u32(..10)) {
            (Some(index), _) => self.find_out(actor, index),
            (None, 0..3) if count < 25 => self.insert(actor),
            (None, 3..6) => self.update(actor),
            (None, 6) if count > 10 => self.delete(actor),
            (None, 7) => self.merge_metadata(actor),
            (None, 8) => ensure(actor),
            (None, _) => {
                let id = actor.scene.anchors[self.number as usize].clone();
                let request = format!("SELECT clerk_fdw.request('clerk', 'GET', '/users/{id}') ->> 'id'");
                actor.act("write: request", |session| session.try_texts(&request));
            }
        }
    }

    /// One row, several, or one in a transaction that is rolled back.
    fn insert(&mut self, actor: &mut Actor) {
        let (many, is_rolled_back) = (actor.random.usize(1..5), actor.random.u8(..5) == 0);
        let rows: Vec<_> = (0..many).map(|_| (self.new_name(), actor.random.i64(1..1000))).collect();
        let values: Vec<_> = rows.iter().map(|(name, value)| format!("('{name}', {value})")).collect();
        let returning = if actor.random.bool() { " RETURNING organization_id" } else { "" };
        let insert = format!(
            "INSERT INTO clerk.organizations (name, max_allowed_memberships) VALUES {}{returning}",
            values.join(", ")
        );
        let what = if many == 1 { "write: insert" } else { "write: insert of many" };
        actor.notices();
        let result = match is_rolled_back {
            true => {
                actor.try_act("write: rollback", |session| session.try_texts(&format!("BEGIN; {insert}; ROLLBACK")))
            }
            false => actor.try_act(what, |session| session.try_texts(&insert)),
        };
        let Some(result) = result else { return };
        let outcome = Outcome::of(&result, actor.notices(), many);
        let ids = result.unwrap_or_default();
        for (index, (name, value)) in rows.into_iter().enumerate() {
            let id = ids.get(index).and_then(|row| row[0].clone());
            let mut kept = Kept { name, id, possible: vec![None], unknown_since: None };
            kept.note(outcome, Some(value));
            self.kept.push(kept);
        }
    }

    fn update(&mut self, actor: &mut Actor) {
        let value = actor.random.i64(1..1000);
        self.change(actor, "write: update", Some(value), |id| {
            format!("UPDATE clerk.organizations SET max_allowed_memberships = {value} WHERE organization_id = '{id}'")
        });
    }

    fn delete(&mut self, actor: &mut Actor) {
        self.change(actor, "write: delete", None, |id| {
            format!("DELETE FROM clerk.organizations WHERE organization_id = '{id}'")
        });
    }

    /// Brings an object whose id and state are known into another state.
    fn change(&mut self, actor: &mut Actor, what: &'static str, to: State, statement: impl Fn(&str) -> String) {
        let known: Vec<_> = (0..self.kept.len())
            .filter(|index| self.kept[*index].possible.len() == 1 && self.kept[*index].possible[0].is_some())
            .collect();
        let Some(&index) = actor.random.choice(&known) else { return };
        let kept = &mut self.kept[index];
        let Some(id) = &kept.id else { return self.find_out(actor, index) };
        actor.notices();
        let statement = statement(id);
        let result = actor.try_act(what, |session| session.client().execute(&statement, &[]));
        let Some(result) = result else { return };
        if let Ok(rows) = result
            && rows != 1
        {
            actor.scene.journal.wrong(format!("{what}: {rows} rows of {kept:?}"));
        }
        kept.note(Outcome::of(&result, actor.notices(), 1), to);
    }

    /// Looks what is at Clerk, as the hint of the error says.
    fn find_out(&mut self, actor: &mut Actor, index: usize) {
        let kept = &mut self.kept[index];
        let query = format!(
            "SELECT organization_id, max_allowed_memberships FROM clerk.organizations WHERE name = '{}'",
            kept.name
        );
        let Some(rows) = actor.act("write: find out", |session| session.client().query(&query, &[])) else { return };
        let found: Vec<State> = match &rows[..] {
            [] => vec![None],
            rows => rows.iter().map(|row| Some(row.get(1))).collect(),
        };
        if found.len() != 1 || !kept.possible.contains(&found[0]) {
            return actor.scene.journal.wrong(format!("{found:?} of {kept:?}"));
        }
        kept.id = rows.first().map(|row| row.get(0));
        kept.possible = found;
        kept.unknown_since = None;
    }

    fn merge_metadata(&mut self, actor: &mut Actor) {
        let (id, value) = (&actor.scene.anchors[self.number as usize], actor.random.i64(1..1000));
        let merge = format!(
            "SELECT clerk_fdw.merge_user_metadata('clerk', '{id}', '{{\"writer\": {value}}}') #>> '{{public_metadata,writer}}'"
        );
        actor.notices();
        let result = actor.try_act("write: merge metadata", |session| session.try_texts(&merge));
        let Some(result) = result else { return };
        let mut kept =
            Kept { name: String::new(), id: None, possible: std::mem::take(&mut self.metadata), unknown_since: None };
        kept.note(Outcome::of(&result, actor.notices(), 1), Some(value));
        self.metadata = kept.possible;
    }

    fn new_name(&mut self) -> String {
        self.next += 1;
        format!("kept {} {}", self.number, self.next)
    }
}

/// Several writers ensure the same organizations at once, of each of which there is one.
fn ensure(actor: &mut Actor) {
    let slug = format!("ensured-{}", actor.random.u32(..30));
    let ensure = format!("SELECT clerk_fdw.ensure_organization('clerk', '{slug}', 'Ensured') ->> 'id'");
    let Some(rows) = actor.act("write: ensure organization", |session| session.try_texts(&ensure)) else { return };
    let mut ensured = actor.scene.ensured.lock().unwrap();
    let ids = ensured.entry(slug).or_default();
    ids.extend(rows[0][0].clone());
    if ids.len() > 1 {
        actor.scene.journal.wrong(format!("there are several organizations: {ids:?}"));
    }
}

/// What a write says of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    NotDone,
    Unknown,
}

impl Outcome {
    fn of<R>(result: &Result<R, Met>, notices: Option<Vec<String>>, rows: usize) -> Outcome {
        let Err(met) = result else { return Outcome::Done };
        let Some(notices) = notices else { return Outcome::Unknown };
        let warning = notices.iter().any(|notice| notice.contains("stays there") || notice.contains("not known"));
        match &*met.state {
            // What of it has reached Clerk is told by a warning.
            "57014" if !warning => Outcome::NotDone,
            // Clerk's refusal, or no way to it.
            "HV000" | "28000" if rows == 1 && !warning => Outcome::NotDone,
            _ => Outcome::Unknown,
        }
    }
}

impl Kept {
    fn note(&mut self, outcome: Outcome, to: State) {
        match outcome {
            Outcome::Done => self.possible = vec![to],
            Outcome::NotDone => {}
            Outcome::Unknown => {
                if !self.possible.contains(&to) {
                    self.possible.push(to);
                }
                self.unknown_since = Some(Instant::now());
            }
        }
    }
}

/// What is at Clerk is what the ledger allows.
pub fn check(scene: &Scene) {
    let mut found: HashMap<String, Vec<State>> = HashMap::new();
    for object in scene.sim.organizations() {
        let organization: serde_json::Value = serde_json::from_str(&object.json).unwrap();
        let name = organization["name"].as_str().unwrap_or_default().to_owned();
        found.entry(name).or_default().push(organization["max_allowed_memberships"].as_i64());
    }
    let users: HashMap<_, _> = scene.sim.users().into_iter().map(|user| (user.id, user.json)).collect();
    for (number, id) in (0..WRITERS).zip(&scene.anchors) {
        let user: serde_json::Value = serde_json::from_str(&users[id]).unwrap();
        found.insert(format!("metadata {number}"), vec![user["public_metadata"]["writer"].as_i64()]);
    }
    let mut ledger = scene.ledger.lock().unwrap();
    let mut unknown = 0;
    for kept in ledger.drain(..) {
        let states = found.remove(&kept.name).unwrap_or_else(|| vec![None]);
        unknown += u32::from(kept.possible.len() > 1);
        if states.len() != 1 || !kept.possible.contains(&states[0]) {
            scene.journal.wrong(format!("Clerk has {states:?} of {kept:?}"));
        }
    }
    println!("{unknown} writes are unknown at the end");
    let strange: Vec<_> = found.keys().filter(|name| name.starts_with("kept ")).collect();
    if !strange.is_empty() {
        scene.journal.wrong(format!("nobody wrote {strange:?}"));
    }
    let ensured = found.get("Ensured").map_or(0, Vec::len);
    let slugs = scene.ensured.lock().unwrap().len();
    // Where an answer was lost, the slug is not in the list unless somebody asked for it again.
    if ensured < slugs || ensured > 30 {
        scene.journal.wrong(format!("{ensured} organizations for {slugs} slugs"));
    }
}
