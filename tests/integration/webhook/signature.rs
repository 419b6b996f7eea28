//! Which webhooks are taken: signatures, secrets and the roles that hand deliveries over.

use clerk_sim::webhook::Delivery;
use postgres::error::SqlState;
use serde_json::json;

use crate::support::*;

/// "another key that signs"
const OTHER_SECRET: &str = "whsec_YW5vdGhlciBrZXkgdGhhdCBzaWducw==";

/// Webhooks that do not verify, or are malformed, are refused and only counted.
#[test]
fn bad_signature_writes_nothing() {
    let world = webhook_mirror("soft");
    world.sim.create_user(json!({"first_name": "Ada"})).unwrap();
    let good = world.sim.webhooks()[0].clone();
    let [id, timestamp, signature] = good.headers(SECRET).unwrap().map(|header| header.1);
    let at = |shift: i64| Delivery { timestamp: good.timestamp + shift, ..good.clone() };
    let (early, late) = (at(-310), at(310));
    let unauthorized = [
        receive_signed(&world, &good, OTHER_SECRET),
        receive_parts(&world, &good.body.replace("Ada", "Eve"), &id, &timestamp, &signature),
        receive_parts(&world, &good.body, "msg_other", &timestamp, &signature),
        receive(&world, &early),
        receive(&world, &late),
    ];
    for result in unauthorized {
        assert_eq!(refused(result), SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
    }
    let malformed = [
        receive_parts(&world, &good.body, "", &timestamp, &signature),
        receive_parts(&world, &good.body, &id, "", &signature),
        receive_parts(&world, &good.body, &id, &timestamp, ""),
        receive_parts(&world, &good.body, &id, "yesterday", &signature),
        receive(&world, &Delivery { body: "no JSON".to_owned(), ..good.clone() }),
        receive(&world, &Delivery { body: "[]".to_owned(), ..good.clone() }),
    ];
    for result in malformed {
        assert_eq!(refused(result), SqlState::INVALID_PARAMETER_VALUE);
    }
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.webhook_events"), 0);
    assert_eq!(world.one::<i64>("SELECT last_value FROM clerk_fdw.webhook_refusals"), 5 + 6);
    assert_eq!(receive(&world, &good).unwrap(), "applied");
    let statement = "SELECT clerk_fdw.receive_webhook('m', NULL, NULL, NULL, NULL)";
    assert_eq!(*world.error(statement).code(), SqlState::INVALID_PARAMETER_VALUE);
    world.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(refused(receive(&world, &good)), SqlState::ACTIVE_SQL_TRANSACTION);
    world.run("ROLLBACK");
}

/// Webhook secrets can be replaced without a gap.
#[test]
fn secret_rotation() {
    let world = webhook_mirror("soft");
    for _ in 0..4 {
        world.sim.create_user(json!({})).unwrap();
    }
    let deliveries = world.sim.webhooks();
    let new: i64 = world.one(&format!("SELECT clerk_fdw.add_webhook_secret('m', '{OTHER_SECRET}')"));
    assert_eq!(receive_signed(&world, &deliveries[0], OTHER_SECRET).unwrap(), "applied");
    assert_eq!(receive(&world, &deliveries[1]).unwrap(), "applied");
    let old: i64 = world.one("SELECT min(id) FROM clerk_fdw_internal.webhook_secret");
    world.run(&format!("SELECT clerk_fdw.remove_webhook_secret('m', {old})"));
    assert_eq!(refused(receive(&world, &deliveries[2])), SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
    assert_eq!(receive_signed(&world, &deliveries[2], OTHER_SECRET).unwrap(), "applied");
    world.run(&format!("SELECT clerk_fdw.remove_webhook_secret('m', {new})"));
    let none = receive(&world, &deliveries[3]).unwrap_err();
    assert_eq!(*none.code(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "not the delivery's fault");

    let wrong = world.error("SELECT clerk_fdw.add_webhook_secret('m', 'wrong_secret')");
    assert_eq!(*wrong.code(), SqlState::INVALID_PARAMETER_VALUE);
    assert!(!error_text(&wrong).contains("wrong_secret"), "{}", error_text(&wrong));
    for call in ["add_webhook_secret('m')", "add_webhook_secret('m', 'a', 'b')"] {
        assert_eq!(*world.error(&format!("SELECT clerk_fdw.{call}")).code(), SqlState::INVALID_PARAMETER_VALUE);
    }
    for call in [format!("add_webhook_secret('n', '{SECRET}')"), format!("remove_webhook_secret('m', {new})")] {
        assert_eq!(*world.error(&format!("SELECT clerk_fdw.{call}")).code(), SqlState::UNDEFINED_OBJECT);
    }
}

/// A webhook secret may be kept in Vault.
#[test]
fn secret_in_vault() {
    let world = webhook_mirror("soft");
    world.run(&format!(
        "DELETE FROM clerk_fdw_internal.webhook_secret;
         CREATE SCHEMA vault;
         CREATE VIEW vault.decrypted_secrets AS
           SELECT gen_random_uuid() AS id, 'hook' AS name, gen_random_uuid() AS key_id, '{SECRET}' AS decrypted_secret;
         SELECT clerk_fdw.add_webhook_secret('m', vault_name => 'nowhere');
         SELECT clerk_fdw.add_webhook_secret('m', vault_name => 'hook')"
    ));
    world.sim.create_user(json!({})).unwrap();
    assert_eq!(receive(&world, &world.sim.webhooks()[0]).unwrap(), "applied");
}

/// Webhooks of another instance are refused.
#[test]
fn other_instance_is_refused() {
    let world = webhook_mirror("soft");
    world.sim.set_instance("ins_other");
    world.sim.create_user(json!({})).unwrap();
    let error = receive(&world, &world.sim.webhooks()[0]).unwrap_err();
    assert_eq!(*error.code(), SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
    assert!(error.message().contains("ins_other"), "{error:?}");
}

/// A role that may execute receive_webhook needs no other right, and the owner's triggers run with the owner's
/// rights.
#[test]
fn role_with_execute_only() {
    let world = webhook_mirror("soft");
    let endpoint = world.role("endpoint");
    world.run(&format!("CREATE ROLE {endpoint}"));
    world.run(
        "CREATE FUNCTION m.note() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN NEW.first_name := current_user || ' ' || current_setting('search_path'); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE INSERT ON m.users FOR EACH ROW EXECUTE FUNCTION m.note()",
    );
    world.sim.create_user(json!({})).unwrap();
    let delivery = &world.sim.webhooks()[0];
    world.run(&format!("GRANT USAGE ON SCHEMA clerk_fdw TO {endpoint}; SET ROLE {endpoint}"));
    assert_eq!(refused(receive(&world, delivery)), SqlState::INSUFFICIENT_PRIVILEGE);
    world.run(&format!(
        "RESET ROLE;
         GRANT EXECUTE ON FUNCTION clerk_fdw.receive_webhook TO {endpoint};
         SET ROLE {endpoint}"
    ));
    assert_eq!(receive(&world, delivery).unwrap(), "applied");
    for denied in
        ["SELECT * FROM clerk_fdw_internal.webhook_secret", "SELECT * FROM clerk_fdw.webhook_events", "TABLE m.users"]
    {
        assert_eq!(*world.error(denied).code(), SqlState::INSUFFICIENT_PRIVILEGE, "{denied}");
    }
    assert!(world.try_column::<String>("SELECT id FROM clerk_fdw.retry_webhooks('m')").is_err());
    let owner: String = world.one("SELECT session_user::text");
    world.run("RESET ROLE");
    let did: String = world.one("SELECT first_name FROM m.users ORDER BY synced_at DESC LIMIT 1");
    assert_eq!(
        did,
        format!("{owner} pg_catalog, pg_temp"),
        "with the owner's rights, and not the caller's search_path"
    );
    world.run(&format!("DROP OWNED BY {endpoint}; DROP ROLE {endpoint}"));
}
