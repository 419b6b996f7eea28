//! A world whose server `clerk` has the mirror `m`, and what that mirror holds and has logged.

use clerk_sim::Config;
use serde_json::json;

use super::*;

pub const OBJECTS: [&str; 3] = ["users", "organizations", "organization_memberships"];

/// What the log says about one object in the last sync of `m`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
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
pub fn new_mirror(config: Config, options: &str) -> World {
    let world = World::with(config, options);
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')");
    world
}

/// A world with a mirror of everything that can be mirrored, in step.
pub fn mirror_of_everything(config: Config, deletes: &str) -> World {
    let world = World::new(config);
    create_children(&world);
    world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{{*}}', deletes => '{deletes}')"
    ));
    world.run("CALL clerk_fdw.sync('m')");
    assert_all_in_sync(&world, "the first sync");
    world
}

/// Two users who have something of every kind that users have.
fn create_children(world: &World) {
    for name in ["ada", "grace"] {
        let verification = json!({"status": "verified", "strategy": "oauth_google"});
        world
            .sim
            .create_user(json!({
                "first_name": name,
                "email_address": [format!("{name}@example.com"), format!("{name}@example.org")],
                "phone_number": [format!("+1555010{}", name.len()), format!("+1555020{}", name.len())],
                "web3_wallet": [format!("0x{name}")],
                "external_accounts": [{"object": "google_account", "id": format!("eac_{name}"), "provider": "google",
                    "provider_user_id": name, "identification_id": format!("idn_google_{name}"), "approved_scopes": "email",
                    "email_address": format!("{name}@example.com"), "first_name": name, "last_name": "", "avatar_url": "",
                    "public_metadata": {}, "verification": verification, "created_at": 1_700_000_000_000_i64,
                    "updated_at": 1_700_000_000_000_i64}],
                "passkeys": [{"object": "passkey", "id": format!("pky_{name}"), "name": "key",
                    "last_used_at": 1_700_000_000_000_i64, "verification": verification}],
            }))
            .unwrap();
    }
}

/// A world with a mirror that is in step.
pub fn synced_mirror(config: Config, options: &str) -> World {
    let world = new_mirror(config, options);
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "the first sync");
    world
}

/// The rows that are not deleted are those that Clerk has, in every column.
#[track_caller]
pub fn assert_in_sync(session: &Session, context: &str) {
    for object in OBJECTS {
        assert_rows_equal(session, object, "true", context);
    }
}

/// The same of every object that the mirror has, of whatever kind.
#[track_caller]
pub fn assert_all_in_sync(session: &Session, context: &str) {
    assert_mirror_in_sync(session, "m", context);
}

/// The same of another mirror.
#[track_caller]
pub fn assert_mirror_in_sync(session: &Session, mirror: &str, context: &str) {
    let objects = format!("SELECT object FROM clerk_fdw.mirror_status WHERE mirror = '{mirror}'");
    for object in session.column::<String>(&objects) {
        assert_mirrored_rows_equal(session, mirror, &object, "true", context);
    }
}

/// The same of those that a condition holds for.
#[track_caller]
pub fn assert_rows_equal(session: &Session, object: &str, condition: &str, context: &str) {
    assert_mirrored_rows_equal(session, "m", object, condition, context);
}

#[track_caller]
fn assert_mirrored_rows_equal(session: &Session, mirror: &str, object: &str, condition: &str, context: &str) {
    // Secrets, and what contains them, are in neither of the tables.
    let columns = format!(
        "SELECT min(c.column_name) FILTER (WHERE c.is_id), string_agg(quote_ident(c.column_name), ', ')
           FROM clerk_fdw.columns() c JOIN clerk_fdw.objects() o USING (object)
          WHERE object = '{object}' AND c.column_name = ANY (o.columns)"
    );
    let columns = &session.rows(&columns)[0];
    let (id, columns): (&str, &str) = (columns.get(0), columns.get(1));
    let tables = [format!("(SELECT * FROM {mirror}.{object} WHERE deleted_at IS NULL)"), format!("clerk.{object}")];
    let [here, there] = tables.map(|table| {
        let hashes = format!("SELECT {id}, md5(ROW({columns})::text) FROM {table} t WHERE {condition}");
        sorted(session.rows(&hashes).iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(String, String)>>())
    });
    if here != there {
        let only = |these: &[(String, String)], those: &[(String, String)]| -> Vec<String> {
            these.iter().filter(|this| !those.contains(this)).map(|this| this.0.clone()).collect()
        };
        panic!("{context}: {object}: only here {:?}, only at Clerk {:?}", only(&here, &there), only(&there, &here));
    }
}

/// What the last sync did to one object.
#[track_caller]
pub fn last_run(session: &Session, object: &str) -> LastRun {
    let rows = session.rows(&format!(
        "SELECT mode, state, message, requests, rows_read, inserted, updated, deleted, errors FROM clerk_fdw.sync_runs
          WHERE object = '{object}' AND run = (SELECT max(run) FROM clerk_fdw.sync_runs WHERE mirror = 'm')"
    ));
    let [row] = &rows[..] else { panic!("the last sync did nothing to {object}") };
    LastRun {
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

/// What a role is granted that is to have mirrors, as docs/guide/mirror.md says.
pub const GRANTS: &str = "
    GRANT USAGE ON SCHEMA clerk_fdw TO ROLE;
    GRANT EXECUTE ON ALL ROUTINES IN SCHEMA clerk_fdw TO ROLE;
    GRANT SELECT ON ALL TABLES IN SCHEMA clerk_fdw TO ROLE;
    GRANT USAGE ON FOREIGN SERVER clerk TO ROLE;";

/// What there was before the changes of a round.
pub struct ObjectIds {
    pub users: Vec<String>,
    pub organizations: Vec<String>,
    pub memberships: Vec<String>,
}

impl ObjectIds {
    pub fn of(world: &World) -> ObjectIds {
        let sim = &world.sim;
        ObjectIds {
            users: ids(&sim.users()),
            organizations: ids(&sim.organizations()),
            memberships: ids(&sim.memberships()),
        }
    }
}
