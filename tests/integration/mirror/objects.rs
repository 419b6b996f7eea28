//! Mirrors of every object that can be listed whole.

use serde_json::{Value, json};

use crate::support::*;

/// What can be mirrored, according to the catalogue.
fn mirrorable(session: &Session) -> Vec<String> {
    session.column("SELECT object FROM clerk_fdw.objects() WHERE mirrorable ORDER BY 1")
}

/// The whole of every table of the mirror, times of syncs included.
fn fingerprints(session: &Session) -> Vec<(String, String)> {
    let print = |object: String| (object.clone(), fingerprint(session, &format!("m.{object}")));
    mirrorable(session).into_iter().map(print).collect()
}

/// The name and the type of each column of a table.
fn columns(session: &Session, table: &str) -> Vec<String> {
    session.column(&format!(
        "SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod)) FROM pg_attribute
          WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    ))
}

/// The mirror of `*` has a table for everything that can be listed whole, as the foreign tables have it.
#[test]
fn everything_is_mirrored() {
    let world = mirror_of_everything(small(), "soft");
    let objects = mirrorable(&world);
    let tables =
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'm'::regnamespace AND relkind = 'r' ORDER BY 1";
    assert_eq!(world.column::<String>(tables), objects);
    let listed = "SELECT object FROM clerk_fdw.objects() WHERE endpoint IS NOT NULL ORDER BY 1";
    assert_eq!(world.column::<String>(listed), objects, "all that has a list of its own, and nothing else");
    for object in &objects {
        let mut expected = columns(&world, &format!("clerk.{object}"));
        expected.extend(["synced_at", "deleted_at"].map(|name| format!("{name} timestamp with time zone")));
        assert_eq!(columns(&world, &format!("m.{object}")), expected, "{object}");
        assert!(world.one::<i64>(&format!("SELECT count(*) FROM m.{object}")) > 0, "{object} has no row");
    }

    let before = fingerprints(&world);
    for mode in ["", ", mode => 'full'"] {
        world.run(&format!("CALL clerk_fdw.sync('m'{mode})"));
        assert_eq!(fingerprints(&world), before, "a sync{mode} of what has not changed");
        for object in &objects {
            let run = last_run(&world, object);
            assert_eq!(run.changes, Changes { inserted: 0, updated: 0, deleted: 0 }, "{object}");
            assert_eq!((&*run.state, run.errors), ("succeeded", 0), "{object}");
        }
    }
    let drifted = "SELECT string_agg(concat_ws(' ', object, rows, deleted, drift), ', ') FROM clerk_fdw.mirror_status
                    WHERE drift <> 0 OR deleted <> 0 OR errors <> 0";
    assert_eq!(world.one::<Option<String>>(drifted), None);
    for object in &objects {
        let counted = format!(
            "SELECT (SELECT rows FROM clerk_fdw.mirror_status WHERE object = '{object}') = count(*) FROM m.{object}"
        );
        assert!(world.one::<bool>(&counted), "{object}: the rows are counted");
    }
    world.run("CALL clerk_fdw.sync('m', mode => 'full', dry_run => true)");
    assert_eq!(fingerprints(&world), before, "a dry run");

    world.run("SELECT clerk_fdw.enable_row_security('m')");
    world.run("SELECT clerk_fdw.drop_mirror('m')");
    assert_eq!(world.one::<Option<String>>("SELECT to_regnamespace('m')::text"), None);
    for table in ["mirror", "mirror_table", "sync_page", "tombstone", "sync_error", "webhook_event", "row_count"] {
        let table = format!("clerk_fdw_internal.{table}");
        if world.one::<bool>(&format!("SELECT to_regclass('{table}') IS NOT NULL")) {
            assert_eq!(world.one::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
        }
    }
}

/// The ids of an object at Clerk.
fn ids_at_clerk(world: &World, object: &str) -> Vec<String> {
    let id = id_column(world, object);
    world.column(&format!("SELECT {id} FROM clerk.{object} ORDER BY 1"))
}

fn id_column(session: &Session, object: &str) -> String {
    session.one(&format!("SELECT column_name FROM clerk_fdw.columns() WHERE object = '{object}' AND is_id"))
}

/// What a user has after a change: one address less, a new one that is primary, another wallet.
fn other_children(name: &str) -> Value {
    json!({
        "email_address": [format!("{name}@example.net"), format!("{name}@example.com")],
        "phone_number": [],
        "web3_wallet": [format!("0x{name}new")],
        "external_accounts": [],
        "passkeys": [{"object": "passkey", "id": format!("pky_{name}_new"), "name": "new",
            "last_used_at": 1_700_000_000_000_i64, "verification": null}],
    })
}

/// Whatever is created, changed or deleted at Clerk, of whatever kind, arrives with the next sync.
#[test]
fn changes_of_every_object_arrive() {
    for deletes in ["soft", "hard"] {
        let world = mirror_of_everything(small(), deletes);
        let (user, organization) = (world.sim.users()[0].id.clone(), world.sim.organizations()[0].id.clone());
        let mut unchangeable = Vec::new();
        for object in mirrorable(&world) {
            let context = format!("{deletes}: {object}");
            let before = ids_at_clerk(&world, &object);
            let belongs = json!({"user_id": user, "organization_id": organization});
            let new = match &*object {
                "organization_memberships" => {
                    let newcomer = world.sim.create_user(json!({})).unwrap();
                    world.sim.create_membership(&newcomer, &organization, json!({}))
                }
                "organization_settings" => Err(clerk_sim::ChangeError::UnknownObject(object.clone())),
                "organization_invitations" | "organization_domains" => {
                    world.sim.create(&object, json!({"organization_id": belongs["organization_id"]}))
                }
                _ => world.sim.create(&object, json!({})),
            };
            let Ok(new) = new else {
                unchangeable.push(object);
                continue;
            };
            world.run("CALL clerk_fdw.sync('m')");
            assert_all_in_sync(&world, &format!("{context} created"));
            let id = id_column(&world, &object);
            let count =
                |condition: &str| world.one::<i64>(&format!("SELECT count(*) FROM m.{object} WHERE {condition}"));
            assert_eq!(count(&format!("{id} = '{new}'")), 1, "{context} created");

            // Some have a name, and what Clerk sends besides is in attrs.
            let [first, last] = [before.first(), before.last()].map(|id| id.expect("there are some").clone());
            for id in [&first, &new] {
                world.sim.update(&object, id, json!({"name": "Changed", "label": "changed"})).unwrap();
            }
            world.run("CALL clerk_fdw.sync('m')");
            assert_all_in_sync(&world, &format!("{context} updated"));
            assert_eq!(last_run(&world, &object).changes, Changes { inserted: 0, updated: 2, deleted: 0 }, "{context}");

            for gone in [&last, &new] {
                world.sim.delete(&object, gone).unwrap();
            }
            world.run("CALL clerk_fdw.sync('m')");
            assert_all_in_sync(&world, &format!("{context} deleted"));
            assert_eq!(last_run(&world, &object).changes, Changes { inserted: 0, updated: 0, deleted: 2 }, "{context}");
            let kept = count(&format!("{id} IN ('{last}', '{new}') AND deleted_at IS NOT NULL"));
            assert_eq!(kept, if deletes == "soft" { 2 } else { 0 }, "{context}");
            assert_eq!(count("deleted_at IS NOT NULL"), kept, "{context}: nothing else is deleted");
        }
        // The parts of users change with them, and of the instance there is one.
        let parts = "SELECT object FROM clerk_fdw.objects() WHERE mirrorable AND object ~ '^user_'
                     UNION ALL VALUES ('instance'), ('organization_settings') ORDER BY 1";
        assert_eq!(unchangeable, world.column::<String>(parts), "{deletes}");

        let settings = world.sim.objects("organization_settings");
        if let [settings] = &settings[..] {
            world.sim.update("organization_settings", &settings.id, json!({"max_allowed_memberships": 4711})).unwrap();
        }
        let people: Vec<String> =
            world.column("SELECT user_id FROM clerk.users WHERE first_name IN ('ada', 'grace') ORDER BY first_name");
        world.sim.update_user(&people[0], other_children("ada")).unwrap();
        world.sim.delete_user(&people[1]).unwrap();
        world.run("CALL clerk_fdw.sync('m')");
        assert_all_in_sync(&world, &format!("{deletes}: children"));
        for table in ["user_email_addresses", "user_phone_numbers", "user_web3_wallets", "user_passkeys"] {
            let live = format!("SELECT count(*) FROM m.{table} WHERE user_id = '{}' AND deleted_at IS NULL", people[1]);
            assert_eq!(world.one::<i64>(&live), 0, "{table}");
        }
        let primary = "SELECT email_address FROM m.user_email_addresses WHERE user_id = '{}' AND is_primary AND deleted_at IS NULL";
        assert_eq!(world.column::<String>(&primary.replace("{}", &people[0])), ["ada@example.net"]);
    }
}

/// Users who change are read by incremental syncs, and what belongs to them is read as a whole.
#[test]
fn incremental_sync_of_children() {
    let world = mirror_of_everything(small(), "soft");
    let user: String = world.one("SELECT user_id FROM clerk.users WHERE first_name = 'ada'");
    world.sim.update_user(&user, other_children("ada")).unwrap();
    world.run("CALL clerk_fdw.sync('m', mode => 'incremental')");
    assert_eq!(last_run(&world, "users").mode, "incremental");
    assert_eq!(last_run(&world, "user_email_addresses").mode, "full");
    assert_all_in_sync(&world, "an incremental sync");
}

/// sync_object and sync_user bring what belongs to a user along.
#[test]
fn refresh_of_children() {
    for deletes in ["soft", "hard"] {
        let world = mirror_of_everything(small(), deletes);
        let ids: Vec<String> = world.column("SELECT user_id FROM clerk.users WHERE first_name = 'ada'");
        let user = &ids[0];
        for (round, call) in
            [format!("sync_object('m', 'users', '{user}')"), format!("sync_user('m', '{user}')")].iter().enumerate()
        {
            world.sim.update_user(user, other_children(&format!("ada{round}"))).unwrap();
            world.run(&format!("SELECT clerk_fdw.{call}"));
            assert_all_in_sync(&world, call);
        }
        // One of them, by the user that its row names.
        let address: String = world.one(&format!(
            "SELECT user_email_address_id FROM m.user_email_addresses WHERE user_id = '{user}' AND is_primary AND deleted_at IS NULL"
        ));
        let call = format!("SELECT clerk_fdw.sync_object('m', 'user_email_addresses', '{address}')::text");
        assert!(world.one::<String>(&call).contains("\"is_primary\": true"));
        world.sim.update_user(user, json!({"email_addresses": [], "primary_email_address_id": null})).unwrap();
        assert_eq!(world.one::<Option<String>>(&call).is_some(), deletes == "soft");
        let live = format!(
            "SELECT count(*) FROM m.user_email_addresses WHERE user_email_address_id = '{address}' AND deleted_at IS NULL"
        );
        assert_eq!(world.one::<i64>(&live), 0);
        let error = world.error("SELECT clerk_fdw.sync_object('m', 'user_email_addresses', 'idn_unknown')");
        assert_eq!(error.code().code(), "22023", "{error:?}");

        world.sim.delete_user(user).unwrap();
        world.run(&format!("SELECT clerk_fdw.sync_object('m', 'users', '{user}')"));
        for table in ["user_email_addresses", "user_web3_wallets", "user_passkeys", "users"] {
            let live = format!("SELECT count(*) FROM m.{table} WHERE user_id = '{user}' AND deleted_at IS NULL");
            assert_eq!(world.one::<i64>(&live), 0, "{deletes}: {table}");
        }
    }
}

/// Every object that Clerk finds by its id, or by the parent that its row names, can be synced by itself.
#[test]
fn sync_object_of_every_kind() {
    let world = mirror_of_everything(small(), "soft");
    for object in mirrorable(&world) {
        let id = id_column(&world, &object);
        let ids = ids_at_clerk(&world, &object);
        let call = format!("SELECT clerk_fdw.sync_object('m', '{object}', '{}')::text", ids[0]);
        let keys: Vec<String> =
            world.one(&format!("SELECT key_columns FROM clerk_fdw.objects() WHERE object = '{object}'"));
        if keys.is_empty() {
            let error = world.error(&call);
            assert_eq!(error.code().code(), "22023", "{object}: {error:?}");
            continue;
        }
        world.run(&format!("UPDATE m.{object} SET synced_at = '2020-01-01'"));
        let row: Value = serde_json::from_str(&world.one::<String>(&call)).unwrap();
        assert_eq!(row[&id], json!(ids[0]), "{object}");
        assert!(row["deleted_at"].is_null(), "{object}: {row}");
        let others = format!("SELECT count(*) FROM m.{object} WHERE deleted_at IS NOT NULL");
        assert_eq!(world.one::<i64>(&others), 0, "{object}");
    }
    // The list of one organization's invitations lacks what the list of all has.
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_all_in_sync(&world, "afterwards");
}

/// A secret is in no mirror, nor is the whole object that contains it, unless a column is mapped to it.
#[test]
fn secrets_are_not_mirrored() {
    let world = World::new(small());
    let key = "dir_secret_4711";
    let directory = world.sim.create("directories", json!({"api_key": key})).unwrap();
    let codes = json!(["backup-code-4711"]);
    world
        .sim
        .create_user(json!({"phone_number": "+15550199"}))
        .and_then(|user| {
            let users = world.sim.users();
            let json = &users.iter().find(|other| other.id == user).expect("it is there").json;
            let mut phones = serde_json::from_str::<Value>(json).unwrap()["phone_numbers"].clone();
            phones[0]["backup_codes"] = codes.clone();
            world.sim.update_user(&user, json!({"phone_numbers": phones}))
        })
        .unwrap();
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{*}')");
    world.run("CALL clerk_fdw.sync('m')");
    assert_all_in_sync(&world, "without secrets");
    for object in
        world.column::<String>("SELECT object FROM clerk_fdw.objects() WHERE secret_columns <> '{}' AND mirrorable")
    {
        let secret = format!(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = 'm.{object}'::regclass AND attnum > 0
                AND (attname = 'attrs' OR attname IN
                      (SELECT unnest(secret_columns) FROM clerk_fdw.objects() WHERE object = '{object}'))"
        );
        assert_eq!(world.column::<String>(&secret), [""; 0], "{object}");
        let text: String = world.one(&format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM m.{object} t"));
        assert!(!text.contains("4711"), "{object}");
    }
    let foreign = "SELECT attrelid::regclass::text FROM pg_attribute WHERE attrelid IN ('clerk.directories'::regclass, 'clerk.user_phone_numbers'::regclass)
                      AND attname IN ('api_key', 'backup_codes', 'attrs')";
    assert_eq!(world.column::<String>(foreign), [""; 0], "nor in the foreign tables");

    // Columns of these names are not enough, if nobody has said that they take the secret.
    world.run(
        "SELECT clerk_fdw.drop_mirror('m');
         CREATE TABLE by_name (clerk_id text UNIQUE, name text, api_key text, attrs jsonb);
         CREATE TABLE mapped (clerk_id text UNIQUE, key text, whole jsonb);
         SELECT clerk_fdw.create_mirror('clerk', schema => 'a', objects => '{}', tables => '{\"directories\": \"public.by_name\"}');
         SELECT clerk_fdw.create_mirror('clerk', schema => 'b', objects => '{}', tables => '{\"directories\": \"public.mapped\"}',
           columns => '{\"directories\": {\"clerk_id\": \"directory_id\", \"key\": \"api_key\", \"whole\": \"attrs\"}}')",
    );
    world.run("CALL clerk_fdw.sync('a')");
    world.run("CALL clerk_fdw.sync('b')");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM by_name WHERE api_key IS NOT NULL OR attrs IS NOT NULL"), 0);
    assert!(world.one::<i64>("SELECT count(*) FROM by_name WHERE name IS NOT NULL") > 0);
    let named = format!("SELECT concat_ws(' ', key, whole ->> 'api_key') FROM mapped WHERE clerk_id = '{directory}'");
    assert_eq!(world.one::<String>(&named), format!("{key} {key}"));
}

/// What a mirror cannot have is refused, and the error says why.
#[test]
fn objects_that_cannot_be_mirrored() {
    let world = World::new(small());
    let refused = |objects: &str| {
        let error =
            world.error(&format!("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{objects}')"));
        assert_eq!(error.code().code(), "22023", "{objects}: {error:?}");
        error_text(&error)
    };
    let text = refused("{users,cats,dogs}");
    assert!(text.starts_with("Clerk has no object \"cats\", \"dogs\"\n"), "{text}");
    assert!(text.contains("SELECT object FROM clerk_fdw.objects()"), "{text}");
    let text = refused("{*,cats}");
    assert!(text.contains("\"cats\""), "beside everything: {text}");
    for object in world.column::<String>("SELECT object FROM clerk_fdw.objects() WHERE NOT mirrorable") {
        for objects in [format!("{{{object}}}"), format!("{{*,{object}}}")] {
            let text = refused(&objects);
            let expected = format!(
                "{object} cannot be mirrored\nIt can only be listed below a parent: query the foreign table with a condition."
            );
            assert!(text.starts_with(&expected), "{text}");
        }
    }
    let text = refused("{organizations,user_email_addresses}");
    let expected = "user_email_addresses can only be mirrored together with users\nIts rows change with events of users: \
                    name both, as in objects => '{users,user_email_addresses}'.";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.mirror"), 0);
    assert_eq!(world.one::<Option<String>>("SELECT to_regnamespace('m')::text"), None);

    // By default it is users, organizations and memberships; every name alone will do, but for the parts of users.
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'd')");
    let objects = "SELECT object FROM clerk_fdw.mirror_status WHERE mirror = 'd'";
    assert_eq!(sorted(world.column::<String>(objects)), sorted(OBJECTS.map(str::to_owned).to_vec()));
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'alias', objects => '{billing/plans}')");
    let objects = "SELECT object FROM clerk_fdw.mirror_status WHERE mirror = 'alias'";
    assert_eq!(world.column::<String>(objects), ["billing_plans"]);
    for object in mirrorable(&world) {
        let objects = if object.starts_with("user_") { format!("{{users,{object}}}") } else { format!("{{{object}}}") };
        world.run(&format!("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{objects}')"));
        world.run("CALL clerk_fdw.sync('m')");
        assert_all_in_sync(&world, &object);
        world.run("SELECT clerk_fdw.drop_mirror('m')");
    }
}

/// What Clerk refuses to list, such as the plans of an instance without billing, does not keep the rest from its sync.
#[test]
fn refused_list_does_not_stop_the_rest() {
    let world = World::new(small());
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{*}')");
    for (status, code) in [(403, "28000"), (404, "HV000"), (422, "HV000")] {
        world.sim.fault(clerk_sim::Fault::status(status).on_path("/v1/billing/plans").always());
        let error = world.error("CALL clerk_fdw.sync('m')");
        world.sim.clear_faults();
        assert_eq!(error.code().code(), code, "{error:?}");
        assert!(error_text(&error).contains("/billing/plans"), "{}", error_text(&error));
        for object in mirrorable(&world).iter().filter(|object| *object != "billing_plans") {
            assert_rows_equal(&world, object, "true", "without billing");
            assert_eq!(last_run(&world, object).state, "succeeded", "{object}");
        }
        let plans = last_run(&world, "billing_plans");
        assert_eq!(plans.state, "failed");
        assert!(plans.message.unwrap().contains("/billing/plans"));
    }
    world.run("CALL clerk_fdw.sync('m')");
    assert_all_in_sync(&world, "with billing");
}

/// A table of one's own takes any object, a part of users included.
#[test]
fn own_table_of_children() {
    let world = World::new(small());
    let user = world.sim.create_user(json!({"email_address": ["Ada@example.com", "b@example.com"]})).unwrap();
    world.run(
        "CREATE TABLE addresses (id serial PRIMARY KEY, clerk_id text UNIQUE, owner text, mail text, is_main boolean);
         SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}',
           tables => '{\"user_email_addresses\": \"public.addresses\"}',
           columns => '{\"user_email_addresses\": {\"clerk_id\": \"user_email_address_id\", \"owner\": \"user_id\",
             \"mail\": \"lower(email_address)\", \"is_main\": \"is_primary\"}}')",
    );
    world.run("CALL clerk_fdw.sync('m')");
    let mails = format!(
        "SELECT mail || ' ' || is_main FROM addresses WHERE owner = '{user}' AND clerk_deleted_at IS NULL ORDER BY 1"
    );
    assert_eq!(world.column::<String>(&mails), ["ada@example.com true", "b@example.com false"]);
    world.sim.update_user(&user, json!({"email_address": "C@example.com"})).unwrap();
    world.run(&format!("SELECT clerk_fdw.sync_user('m', '{user}')"));
    assert_eq!(world.column::<String>(&mails), ["c@example.com true"]);
    let same = "SELECT count(*) FROM clerk.user_email_addresses c FULL JOIN (SELECT * FROM addresses WHERE clerk_deleted_at IS NULL) a
                  ON a.clerk_id = c.user_email_address_id WHERE (c.user_id, lower(c.email_address)) IS DISTINCT FROM (a.owner, a.mail)";
    assert_eq!(world.one::<i64>(same), 0);
}
