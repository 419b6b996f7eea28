//! A mirror that takes webhooks, and deliveries as the simulator signs them.

use clerk_sim::Config;
use clerk_sim::webhook::Delivery;
use postgres::error::{DbError, SqlState};
use serde_json::Value;

use super::*;

pub const SECRET: &str = "whsec_dGhlIHNpbXVsYXRvcidzIHNpZ25pbmcga2V5";

/// A world whose mirror `m` is in step and has the secret.
pub fn webhook_mirror(deletes: &str) -> World {
    let config = Config { users: 6, organizations: 3, memberships: 8, ..small() };
    let world = World::new(config);
    world.run(&format!(
        "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', deletes => '{deletes}');
         SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"
    ));
    world.run("CALL clerk_fdw.sync('m')");
    world.sim.clear_webhooks();
    world
}

pub fn receive(session: &Session, delivery: &Delivery) -> Result<String, Box<DbError>> {
    receive_signed(session, delivery, SECRET)
}

pub fn receive_signed(session: &Session, delivery: &Delivery, secret: &str) -> Result<String, Box<DbError>> {
    let [id, timestamp, signature] = delivery.headers(secret).unwrap().map(|header| header.1);
    receive_parts(session, &delivery.body, &id, &timestamp, &signature)
}

pub fn receive_parts(
    session: &Session,
    body: &str,
    id: &str,
    timestamp: &str,
    signature: &str,
) -> Result<String, Box<DbError>> {
    let statement = "SELECT clerk_fdw.receive_webhook('m', $1, $2, $3, $4)";
    let rows = session.client().query(statement, &[&body, &id, &timestamp, &signature]);
    rows.map(|rows| rows[0].get(0)).map_err(|error| error.as_db_error().unwrap().clone().into())
}

#[track_caller]
pub fn refused(result: Result<String, Box<DbError>>) -> SqlState {
    result.expect_err("it was received").code().clone()
}

/// What Clerk may send of a user of its own making.
pub fn event(world: &World, kind: &str, data: Value, timestamp: i64) -> Delivery {
    world.sim.event(kind, data, timestamp).unwrap()
}

/// What webhooks tell just as Clerk's lists do: not the counts, nor what they embed.
const COMPARED: [(&str, &str, &str); 3] = [
    ("users", "user_id", "email, first_name, username, public_metadata, updated_at, attrs"),
    ("organizations", "organization_id", "name, slug, public_metadata, updated_at"),
    ("organization_memberships", "membership_id", "organization_id, user_id, role, permissions, updated_at"),
];

/// The rows that are not deleted are those of Clerk, in the columns of which webhooks tell.
#[track_caller]
pub fn assert_webhook_fields_equal(world: &World, context: &str) {
    for (object, id, columns) in COMPARED {
        let [here, there] = [format!("m.{object} WHERE deleted_at IS NULL"), format!("clerk.{object}")]
            .map(|from| sorted(world.column::<String>(&format!("SELECT ROW({id}, {columns})::text FROM {from}"))));
        assert_eq!(here, there, "{context}: {object}");
    }
}
