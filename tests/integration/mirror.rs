//! The vocabulary of the tests of mirrors: a world whose server `clerk` has the mirror `m`.

use clerk_sim::Config;

use crate::common::*;

pub const OBJECTS: [&str; 3] = ["users", "organizations", "organization_memberships"];

/// What the log says about one object in the last sync of `m`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub mode: String,
    pub state: String,
    pub message: Option<String>,
    pub requests: i64,
    pub read: i64,
    pub changes: Changes,
    pub errors: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
}

/// A world with a mirror that has not been synced yet.
pub fn mirrored(config: Config, options: &str) -> World {
    let world = World::with(config, options);
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')");
    world
}

/// A world with a mirror that is in step.
pub fn in_step(config: Config, options: &str) -> World {
    let world = mirrored(config, options);
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_step(&world, "the first sync");
    world
}

/// The rows that are not deleted are those that Clerk has, in every column.
#[track_caller]
pub fn assert_in_step(session: &Session, story: &str) {
    for object in OBJECTS {
        assert_equal(session, object, "true", story);
    }
}

/// The same of those that a condition holds for.
#[track_caller]
pub fn assert_equal(session: &Session, object: &str, condition: &str, story: &str) {
    let columns = format!(
        "SELECT min(column_name) FILTER (WHERE is_id), string_agg(quote_ident(column_name), ', ')
           FROM clerk_fdw.columns() WHERE object = '{object}'"
    );
    let columns = &session.rows(&columns)[0];
    let (id, columns): (&str, &str) = (columns.get(0), columns.get(1));
    let tables = [format!("(SELECT * FROM m.{object} WHERE deleted_at IS NULL)"), format!("clerk.{object}")];
    let [here, there] = tables.map(|table| {
        let hashes = format!("SELECT {id}, md5(ROW({columns})::text) FROM {table} t WHERE {condition}");
        sorted(session.rows(&hashes).iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(String, String)>>())
    });
    if here != there {
        let only = |these: &[(String, String)], those: &[(String, String)]| -> Vec<String> {
            these.iter().filter(|this| !those.contains(this)).map(|this| this.0.clone()).collect()
        };
        panic!("{story}: {object}: only here {:?}, only at Clerk {:?}", only(&here, &there), only(&there, &here));
    }
}

/// What the last sync did to one object.
#[track_caller]
pub fn logged(session: &Session, object: &str) -> Logged {
    let rows = session.rows(&format!(
        "SELECT mode, state, message, requests, rows_read, inserted, updated, deleted, errors FROM clerk_fdw.sync_runs
          WHERE object = '{object}' AND run = (SELECT max(run) FROM clerk_fdw.sync_runs WHERE mirror = 'm')"
    ));
    let [row] = &rows[..] else { panic!("the last sync did nothing to {object}") };
    Logged {
        mode: row.get(0),
        state: row.get(1),
        message: row.get(2),
        requests: row.get(3),
        read: row.get(4),
        changes: Changes { inserted: row.get(5), updated: row.get(6), deleted: row.get(7) },
        errors: row.get(8),
    }
}

/// The whole of a table, in one word.
pub fn fingerprint(session: &Session, table: &str) -> String {
    session.one(&format!("SELECT md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM {table} t"))
}
