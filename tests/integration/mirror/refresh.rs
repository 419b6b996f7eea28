//! Single objects, brought up to date at once by sync_object and sync_user.

use serde_json::{Value, json};

use crate::support::*;

/// The row that a function gives.
fn row(session: &Session, call: &str) -> Option<Value> {
    let row: Option<String> = session.one(&format!("SELECT clerk_fdw.{call}::text"));
    row.map(|row| serde_json::from_str(&row).unwrap())
}

fn object(session: &Session, object: &str, id: &str) -> Option<Value> {
    row(session, &format!("sync_object('m', '{object}', '{id}')"))
}

/// sync_object fetches an object, updates it, and deletes it when Clerk has it no more.
#[test]
fn sync_object_inserts_updates_and_deletes() {
    let world = new_mirror(small(), "");
    let user = world.sim.users()[4].id.clone();
    let organization = world.sim.organizations()[2].id.clone();
    for (kind, id, name) in [("users", &user, "first_name"), ("organizations", &organization, "name")] {
        world.requests();
        assert!(object(&world, kind, id).unwrap()["attrs"]["id"] == json!(id), "{kind}: fetched");
        assert_eq!(world.requests().len(), 2, "the instance and the object");
        match kind {
            "users" => world.sim.update_user(id, json!({name: "New"})).unwrap(),
            _ => world.sim.update_organization(id, json!({name: "New"})).unwrap(),
        }
        let row = object(&world, kind, id).unwrap();
        assert!(row[name] == "New" && row["deleted_at"].is_null(), "{kind}: {row}");
        assert_eq!(world.one::<i64>(&format!("SELECT count(*) FROM m.{kind}")), 1, "{kind}: no other");
        match kind {
            "users" => world.sim.delete_user(id).unwrap(),
            _ => world.sim.delete_organization(id).unwrap(),
        }
        let row = object(&world, kind, id).unwrap();
        assert!(row["deleted_at"].is_string(), "{kind}: {row}");
        assert!(row["attrs"].is_object(), "{kind}: its last state stays");
    }
    assert_eq!(object(&world, "users", "user_nobody"), None);
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "a sync after it");
}

/// sync_object is part of the caller's transaction.
#[test]
fn sync_object_rolls_back() {
    let world = new_mirror(small(), "");
    let user = world.sim.users()[4].id.clone();
    world.run("BEGIN");
    assert!(object(&world, "users", &user).is_some());
    world.run("ROLLBACK");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.users"), 0);
}

/// Clerk finds memberships by their organization alone: that is what the row is for.
#[test]
fn sync_object_of_a_membership() {
    let world = synced_mirror(small(), "");
    let membership = world.sim.memberships()[10].id.clone();
    world.sim.update_membership(&membership, json!({"role": "org:owner"})).unwrap();
    assert_eq!(object(&world, "organization_memberships", &membership).unwrap()["role"], "org:owner");
    world.sim.delete_membership(&membership).unwrap();
    let row = object(&world, "organization_memberships", &membership).unwrap();
    assert!(row["deleted_at"].is_string(), "{row}");
    let error = world.error("SELECT clerk_fdw.sync_object('m', 'organization_memberships', 'orgmem_unknown')");
    assert_eq!(error.code().code(), "22023", "{error:?}");
}

/// sync_user brings a user's organizations and memberships up to date as well.
#[test]
fn sync_user_with_memberships() {
    let world = synced_mirror(small(), "");
    let sim = &world.sim;
    let user = sim.create_user(json!({"first_name": "Ada"})).unwrap();
    let organizations: Vec<_> = ids(&sim.organizations())[..3].to_vec();
    let memberships: Vec<_> =
        organizations.iter().map(|id| sim.create_membership(&user, id, json!({})).unwrap()).collect();
    sim.update_organization(&organizations[0], json!({"name": "Engines"})).unwrap();
    let fetch = format!("sync_user('m', '{user}')");
    assert_eq!(row(&world, &fetch).unwrap()["first_name"], "Ada");
    let live =
        format!("SELECT membership_id FROM m.organization_memberships WHERE user_id = '{user}' AND deleted_at IS NULL");
    assert_eq!(sorted(world.column::<String>(&live)), sorted(memberships.clone()));
    let theirs = |context| {
        assert_rows_equal(&world, "users", &format!("user_id = '{user}'"), context);
        assert_rows_equal(&world, "organization_memberships", &format!("user_id = '{user}'"), context);
    };
    theirs("a new user with memberships");
    assert_rows_equal(
        &world,
        "organizations",
        &format!("organization_id = '{}'", organizations[0]),
        "its organization",
    );

    sim.delete_membership(&memberships[1]).unwrap();
    sim.update_membership(&memberships[2], json!({"role": "org:admin"})).unwrap();
    row(&world, &fetch).unwrap();
    theirs("a membership less");
    sim.delete_user(&user).unwrap();
    assert!(row(&world, &fetch).unwrap()["deleted_at"].is_string());
    assert_eq!(world.column::<String>(&live), Vec::<String>::new());
}

/// Where Clerk cannot be reached, the row stands in if the caller asks for that.
#[test]
fn fallback_to_the_row() {
    let world = synced_mirror(small(), "max_retries '0'");
    let user = world.sim.users()[4].id.clone();
    // A port that was free a moment ago and that nobody listens on.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.run(&format!("ALTER SERVER clerk OPTIONS (SET api_url 'http://{closed}/v1')"));
    world.notices();
    for call in [format!("sync_object('m', 'users', '{user}'"), format!("sync_user('m', '{user}'")] {
        let error = world.error(&format!("SELECT clerk_fdw.{call})"));
        assert_eq!(error.code().code(), "08006", "{error:?}");
        let row = row(&world, &format!("{call}, fallback => true)")).unwrap();
        assert_eq!(row["user_id"], json!(user));
        let notices = world.notices().join("\n");
        assert!(notices.contains("WARNING") && notices.contains(" old") && notices.contains("00:00:"), "{notices}");
    }
    assert_eq!(row(&world, "sync_object('m', 'users', 'user_nobody', fallback => true)"), None);
    assert!(world.notices().join("\n").contains("no row"));
}

/// A refresh deletes nothing that was written since Clerk answered, nor what is not Clerk's.
#[test]
fn sync_user_keeps_newer_and_foreign_rows() {
    let world = synced_mirror(small(), "");
    let user: String = world.one("SELECT user_id FROM m.organization_memberships LIMIT 1");
    world.run(&format!(
        "ALTER TABLE m.organization_memberships ALTER synced_at DROP NOT NULL;
         INSERT INTO m.organization_memberships (membership_id, user_id, synced_at) VALUES
           ('own', '{user}', NULL), ('newer', '{user}', now() + interval '1 minute'), ('older', '{user}', now() - interval '1 minute')"
    ));
    world.run(&format!("SELECT clerk_fdw.sync_user('m', '{user}')"));
    let gone: Vec<String> = world.column(
        "SELECT membership_id FROM m.organization_memberships WHERE membership_id IN ('own', 'newer', 'older') AND deleted_at IS NOT NULL",
    );
    assert_eq!(gone, ["older"]);
}
