//! Readers: of the instance that stands still, whose answers are held against copies, and of the one that changes, of
//! which some things always hold.

use std::collections::HashSet;
use std::thread::Scope;

use super::actor::Actor;
use super::scene::Scene;

use crate::random::values::Maker;
use crate::support::*;

pub fn enter<'scope>(scope: &'scope Scope<'scope, '_>, scene: &'scope Scene<'scope>) {
    for number in 0..3 {
        scope.spawn(move || Actor::new(scene, &scene.still, "queries", number).repeat(50, compare));
        scope.spawn(move || Actor::new(scene, &scene.moving, "reader", number).repeat(80, read));
    }
    scope.spawn(move || Actor::lasting(scene, &scene.still, "queries").repeat(50, compare));
    scope.spawn(move || Actor::lasting(scene, &scene.moving, "reader").repeat(50, read));
    scope.spawn(move || Actor::new(scene, &scene.moving, "impatient", 0).repeat(300, be_impatient));
    scope.spawn(move || Actor::new(scene, &scene.moving, "leaver", 0).repeat(500, leave));
}

/// A random query gives what it gives over the copies.
fn compare(actor: &mut Actor) {
    let parameters = actor.random.bool().then(Vec::new);
    let mut maker = Maker { random: actor.random.fork(), parameters, needs_nested_loops: false };
    let [users, organizations, memberships] = &actor.scene.tables;
    let query = match maker.random.u32(..4) {
        0 => maker.query(users),
        1 => maker.query(organizations),
        2 => maker.query(memberships),
        _ => maker.join(users, memberships),
    };
    let statements = maker.statements(query);
    let found = actor.act("read: random query", |session| texts(session, &statements));
    reset(actor);
    let Some(found) = found else { return };
    let expected = actor.act("read: the copies", |session| texts(session, &over_copies(&statements)));
    reset(actor);
    let Some(expected) = expected else { return };
    if let Some(difference) = difference_between(&statements, found, expected) {
        actor.scene.journal.wrong(format!("{statements}\n   gave {difference}"));
    }
}

/// The rows, or the SQLSTATE of an error that is the query's own: in its values or in what it asks for.
fn texts(session: &Session, statements: &str) -> Result<Result<Texts, String>, postgres::Error> {
    match session.try_texts(statements) {
        Ok(texts) => Ok(Ok(texts)),
        Err(error) => match error.code() {
            Some(code) if ["21", "22", "42"].iter().any(|class| code.code().starts_with(class)) => {
                Ok(Err(code.code().to_owned()))
            }
            _ => Err(error),
        },
    }
}

/// Undoes what statements have set, however often that is cancelled.
fn reset(actor: &mut Actor) {
    let undo = |session: &Session| session.client().batch_execute("DEALLOCATE ALL; RESET ALL");
    if !(0..10).any(|_| actor.act("read: reset", undo).is_some()) {
        actor.leave();
    }
}

/// A look at what changes all the time.
fn read(actor: &mut Actor) {
    let anchors = &actor.scene.anchors;
    match actor.random.u32(..12) {
        0 => {
            let users = ids(actor, "read: users", "SELECT user_id FROM clerk.users WHERE attrs IS NOT NULL");
            each_once(actor, "users", users.as_deref(), anchors);
        }
        1 => {
            let found = ids(actor, "read: organizations", "SELECT organization_id FROM clerk.organizations");
            each_once(actor, "organizations", found.as_deref(), &[]);
        }
        2 => {
            let found = ids(actor, "read: memberships", "SELECT membership_id FROM clerk.organization_memberships");
            each_once(actor, "memberships", found.as_deref(), &[]);
        }
        3 => {
            let join = "SELECT u.user_id FROM anchor a JOIN clerk.users u ON u.user_id = a.id";
            let found = ids(actor, "read: lookup join", join);
            each_once(actor, "anchors that were looked up", found.as_deref(), anchors);
        }
        4 => {
            let join = "SELECT m.membership_id FROM (SELECT organization_id FROM clerk.organizations ORDER BY created_at LIMIT 5) o
                          JOIN clerk.organization_memberships m USING (organization_id) JOIN clerk.users u USING (user_id)";
            let found = ids(actor, "read: join of three", join);
            each_once(actor, "memberships that were joined", found.as_deref(), &[]);
        }
        5 => {
            let rows = actor.random.u32(1..150);
            let end =
                *actor.random.choice(&["CLOSE c; COMMIT", "COMMIT", "ROLLBACK", "FETCH ALL FROM c; COMMIT"]).unwrap();
            let statements =
                format!("BEGIN; DECLARE c CURSOR FOR SELECT * FROM clerk.users; FETCH {rows} FROM c; {end}");
            actor.act("read: cursor", |session| session.try_texts(&statements));
        }
        6 => {
            let id = actor.random.choice(anchors).unwrap();
            let statements = format!(
                "DEALLOCATE ALL; PREPARE p AS SELECT user_id FROM clerk.users WHERE user_id = $1;
                 EXECUTE p('user_nobody'); EXECUTE p('{id}')"
            );
            let found = actor.act("read: prepared", |session| session.try_texts(&statements));
            expect(actor, "one user by id", found, &vec![vec![Some(id.clone())]]);
        }
        7 => {
            let count = "SELECT count(*) >= 100 FROM clerk.users";
            let found = actor.act("read: count", |session| session.try_texts(count));
            expect(actor, "as many users as anchors", found, &vec![vec![Some("t".to_owned())]]);
        }
        8 => {
            let mirror = *actor.random.choice(&["m", "hard"]).unwrap();
            let missing =
                format!("SELECT id FROM anchor EXCEPT SELECT user_id FROM {mirror}.users WHERE deleted_at IS NULL");
            let found = actor.act("read: mirror", |session| session.try_texts(&missing));
            expect(actor, &format!("anchors that {mirror} has not"), found, &Vec::new());
        }
        9 => {
            let views = "SELECT count(*) FROM clerk_fdw.mirror_status; SELECT count(*) FROM clerk_fdw.sync_runs;
                         SELECT count(*) FROM clerk_fdw.sync_progress; SELECT count(*) FROM clerk_fdw.budget";
            actor.act("read: views", |session| session.client().batch_execute(views));
        }
        10 => {
            let page = "SELECT user_id FROM clerk.users ORDER BY created_at DESC LIMIT 10";
            let found = ids(actor, "read: newest", page);
            each_once(actor, "the newest users", found.as_deref(), &[]);
        }
        _ => {
            actor.act("read: check_server", |session| {
                session.try_texts("SELECT * FROM clerk_fdw.check_server('clerk')")
            });
        }
    }
}

fn ids(actor: &mut Actor, what: &'static str, query: &str) -> Option<Vec<String>> {
    let rows = actor.act(what, |session| session.client().query(query, &[]))?;
    Some(rows.iter().map(|row| row.get(0)).collect())
}

/// No id comes twice, and those that are there all the time come.
fn each_once(actor: &Actor, what: &str, found: Option<&[String]>, anchors: &[String]) {
    let Some(found) = found else { return };
    let distinct: HashSet<_> = found.iter().collect();
    if distinct.len() < found.len() {
        actor.scene.journal.wrong(format!("{what}: {} of {} come twice", found.len() - distinct.len(), found.len()));
    }
    let missing: Vec<_> = anchors.iter().filter(|id| !distinct.contains(id)).collect();
    if !missing.is_empty() {
        actor.scene.journal.wrong(format!("{what}: {missing:?} are missing"));
    }
}

fn expect(actor: &Actor, what: &str, found: Option<Texts>, expected: &Texts) {
    if let Some(found) = found.filter(|found| found != expected) {
        actor.scene.journal.wrong(format!("{what}: {found:?}"));
    }
}

/// A query that has to end soon.
fn be_impatient(actor: &mut Actor) {
    let time = actor.random.u32(1..200);
    let query =
        *actor.random.choice(&["SELECT * FROM clerk.users", "SELECT * FROM clerk.organization_memberships"]).unwrap();
    let statements = format!("SET statement_timeout = '{time}ms'; {query}");
    actor.act("read: impatient", |session| session.client().batch_execute(&statements));
    actor.leave();
}

/// A client that goes away in the middle of a transaction, or while its query runs.
fn leave(actor: &mut Actor) {
    if actor.random.bool() {
        let begin = "BEGIN; DECLARE c CURSOR FOR SELECT * FROM clerk.users; FETCH 7 FROM c";
        actor.act("read: cursor left open", |session| session.client().batch_execute(begin));
        return actor.leave();
    }
    // The client ends, and with it the connection, while the statement runs.
    let Some(program) = client_program("psql") else { return };
    let mut command = std::process::Command::new(program);
    command.args(["-X", "-q", "-d", &actor.scene.databases[1], "-h", actor.scene.cluster.host()]);
    command.args(["-c", "SELECT * FROM clerk.users, pg_sleep(0.01)"]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("psql");
    actor.scene.pause(&mut actor.random, 1000);
    let _ = child.kill();
    let _ = child.wait();
    actor.scene.journal.done("read: killed client");
}
