//! What is written is in the mirrors of the server at once, in the same transaction.

use clerk_sim::{Config, Sim};

use crate::support::*;

/// A mirror of everything, whose server can be written.
fn mirror(deletes: &str) -> World {
    let world = mirror_of_everything(Config { others: 3, ..some_of_everything() }, deletes);
    world.run("ALTER SERVER clerk OPTIONS (ADD updatable 'true')");
    world.run("CREATE TABLE public.ids (name text, id text)");
    world.notices();
    world
}

/// Users, organizations, memberships and elements of users: after each statement the mirror is as Clerk is, inside of the
/// transaction.
#[test]
fn seen_at_once() {
    let world = mirror("soft");
    world.run("BEGIN");
    let statements = [
        "INSERT INTO clerk.organizations (name, slug) VALUES ('Acme', 'acme'), ('Bell', 'bell')",
        "INSERT INTO clerk.organizations (name, slug) VALUES ('Cent', 'cent') RETURNING organization_id",
        "UPDATE clerk.organizations SET name = 'Acme & Co.', public_metadata = '{\"a\": 1}' WHERE slug = 'acme'",
        "INSERT INTO clerk.users (first_name, email, public_metadata) VALUES ('Eva', 'eva@example.com', '{\"a\": 1}')",
        "UPDATE clerk.users SET last_name = 'Acme', banned = true WHERE email = 'eva@example.com'",
        "UPDATE clerk.users SET public_metadata = '{\"b\": [1]}' WHERE email = 'eva@example.com'",
        "UPDATE clerk.users SET banned = false, locked = true WHERE email = 'eva@example.com'",
        "INSERT INTO clerk.user_email_addresses (user_id, email_address)
           SELECT user_id, 'eva@example.org' FROM clerk.users WHERE email = 'eva@example.com'",
        "UPDATE clerk.user_email_addresses SET is_primary = true WHERE email_address = 'ada@example.org'",
        "DELETE FROM clerk.user_email_addresses WHERE email_address = 'grace@example.org'",
        "INSERT INTO clerk.organization_memberships (organization_id, user_id, role)
           SELECT organization_id, user_id, 'org:member' FROM clerk.organizations, clerk.users
            WHERE slug = 'acme' AND email = 'eva@example.com'",
        "UPDATE clerk.organization_memberships SET role = 'org:admin', public_metadata = '{\"a\": 1}'
          WHERE organization_id = (SELECT organization_id FROM clerk.organizations WHERE slug = 'acme')",
        "INSERT INTO clerk.domains (name, is_satellite) VALUES ('sat.example.com', true)",
        "UPDATE clerk.domains SET name = 'satellite.example.com' WHERE name = 'sat.example.com'",
        "DELETE FROM clerk.domains WHERE name = 'satellite.example.com'",
        "INSERT INTO clerk.organization_domains (organization_id, name, enrollment_mode)
           SELECT organization_id, 'acme.example.com', 'manual_invitation' FROM clerk.organizations WHERE slug = 'acme'",
        "INSERT INTO clerk.invitations (email_address) SELECT format('i%s@example.com', n) FROM generate_series(1, 12) n",
        "DELETE FROM clerk.invitations WHERE email_address = 'i3@example.com'",
        "INSERT INTO clerk.machines (name) VALUES ('Loom')",
        "UPDATE clerk.machines SET name = 'Jacquard' WHERE name = 'Loom'",
        "INSERT INTO clerk.oauth_applications (name) VALUES ('Portal')",
        "INSERT INTO clerk.waitlist_entries (email_address) VALUES ('w@example.com'), ('w2@example.com')",
        "UPDATE clerk.waitlist_entries SET status = 'rejected' WHERE email_address = 'w@example.com'",
        "DELETE FROM clerk.user_passkeys WHERE user_id = (SELECT user_id FROM clerk.users WHERE first_name = 'ada')",
        "DELETE FROM clerk.organization_memberships
          WHERE organization_id = (SELECT organization_id FROM clerk.organizations WHERE slug = 'acme')",
        "DELETE FROM clerk.users WHERE email = 'eva@example.com'",
    ];
    let mirrored: Vec<String> = world.column("SELECT object FROM clerk_fdw.mirror_status WHERE mirror = 'm'");
    for statement in statements {
        let count = world.client().execute(statement, &[]).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        assert!(count > 0, "{statement}");
        let heard = world.notices();
        assert!(heard.iter().all(|heard| heard.starts_with("NOTICE: what this")), "{statement}: {heard:?}");
        for object in &mirrored {
            assert_written(&world, object, statement);
        }
    }
    world.run("COMMIT");
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_all_in_sync(&world, "after a sync");
}

/// What there is one of.
#[test]
fn settings() {
    let world = mirror("soft");
    for (object, statement) in [
        ("instance", "UPDATE clerk.instance SET allowed_origins = '{https://a.example.com}'"),
        ("organization_settings", "UPDATE clerk.organization_settings SET max_allowed_memberships = 17"),
    ] {
        world.run(statement);
        assert_rows_equal(&world, object, "true", statement);
    }
}

/// What an answer does not tell, such as how many members there are, the row keeps.
#[test]
fn counts_stay() {
    let world = mirror("soft");
    let before: Vec<Option<i64>> = world.column("SELECT members_count FROM m.organizations ORDER BY organization_id");
    assert!(before.iter().all(Option::is_some));
    world.run("UPDATE clerk.organizations SET name = 'The ' || name, public_metadata = '{}'");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.organizations WHERE name NOT LIKE 'The %'"), 0);
    let after: Vec<Option<i64>> = world.column("SELECT members_count FROM m.organizations ORDER BY organization_id");
    assert_eq!(after, before);
}

/// A trigger on a mirror's table cannot make a write fail, whatever error it raises.
#[test]
fn hostile_triggers() {
    let world = mirror("soft");
    for code in ["57014", "P0001", "40P01"] {
        world.run(&format!(
            "CREATE OR REPLACE FUNCTION m.refuse() RETURNS trigger LANGUAGE plpgsql
               AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$;
             CREATE OR REPLACE TRIGGER refuse BEFORE INSERT OR UPDATE ON m.organizations
               FOR EACH ROW EXECUTE FUNCTION m.refuse()"
        ));
        world.notices();
        world.run(&format!("INSERT INTO clerk.organizations (name) VALUES ('for {code}')"));
        let heard = world.notices();
        assert!(heard.iter().any(|heard| heard.contains("does not show yet")), "{code}: {heard:?}");
        assert_eq!(named(&world, &format!("for {code}")), 1);
    }
}

/// What is deleted at Clerk goes as the mirror's other rows do.
#[test]
fn deletes() {
    for deletes in ["soft", "hard"] {
        let world = mirror(deletes);
        let user = world.sim.users()[0].id.clone();
        world.run(&format!("DELETE FROM clerk.users WHERE user_id = '{user}'"));
        let left: i64 = world.one(&format!("SELECT count(*) FROM m.users WHERE user_id = '{user}'"));
        assert_eq!(left, i64::from(deletes == "soft"));
        assert_eq!(world.one::<i64>("SELECT count(*) FROM m.users WHERE deleted_at IS NOT NULL"), left);
        assert_rows_equal(&world, "users", "true", deletes);
    }
}

/// What Clerk shows once is not kept.
#[test]
fn secrets() {
    let world = mirror("soft");
    world.run(
        "CREATE FOREIGN TABLE clerk.keys (machine_id text, name text, secret_key text) SERVER clerk
           OPTIONS (object 'machines')",
    );
    let secret: Option<String> = world.one("INSERT INTO clerk.keys (name) VALUES ('Loom') RETURNING secret_key");
    let secret = secret.expect("it is shown once");
    assert!(!secret.is_empty());
    world.run("INSERT INTO clerk.oauth_applications (name) VALUES ('Portal')");
    let shown = "SELECT (SELECT string_agg(t::text, ' ') FROM m.machines t)
                     || (SELECT string_agg(t::text, ' ') FROM m.oauth_applications t)";
    let shown: String = world.one(shown);
    for secret in [&*secret, "secret_key", "client_secret"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.machines WHERE name = 'Loom'"), 1);
}

/// A server that says `mirror_writes 'false'` leaves it to events and syncs.
#[test]
fn turned_off() {
    let world = mirror("soft");
    world.run("ALTER SERVER clerk OPTIONS (ADD mirror_writes 'false')");
    let before = fingerprint(&world, "m.organizations");
    world.run("INSERT INTO clerk.organizations (name) VALUES ('Acme')");
    world.run("UPDATE clerk.organizations SET name = 'Acme 2' WHERE name = 'Acme'");
    assert_eq!(fingerprint(&world, "m.organizations"), before);
    world.run("CALL clerk_fdw.sync('m')");
    assert_written(&world, "organizations", "after a sync");
}

/// What somebody writes with a key of another instance has no place in the mirror.
#[test]
fn another_key() {
    let world = mirror("soft");
    let other = Sim::start(Config { keys: vec!["sk_test_other".to_owned()], seed: 7, ..small() }).unwrap();
    let role = world.role("other");
    world.run(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA clerk TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA clerk TO {role}; GRANT USAGE ON FOREIGN SERVER clerk TO {role}"
    ));
    world.server("elsewhere", &other, "sk_test_other", "updatable 'true'");
    let before = fingerprint(&world, "m.organizations");
    world.run("INSERT INTO elsewhere.organizations (name) VALUES ('Acme')");
    assert_eq!(fingerprint(&world, "m.organizations"), before, "another server's");
    world.run(&format!(
        "CREATE USER MAPPING FOR {role} SERVER clerk OPTIONS (api_key 'sk_test_wrong'); SET ROLE {role}"
    ));
    let error = world.error("INSERT INTO clerk.organizations (name) VALUES ('Acme')");
    assert_eq!(error.code().code(), "28000");
    world.run("RESET ROLE");
    assert_eq!(fingerprint(&world, "m.organizations"), before);
    world.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// Nor what is written where the mirror's own key has come to belong to another instance.
#[test]
fn another_instance() {
    let world = mirror("soft");
    world.sim.set_instance("ins_3LTwSomewhereElse0000000000");
    let session = world.connect();
    let before = fingerprint(&world, "m.organizations");
    session.run("INSERT INTO clerk.organizations (name) VALUES ('Acme')");
    assert_eq!(named(&world, "Acme"), 1);
    assert_eq!(fingerprint(&world, "m.organizations"), before);
    let heard = session.notices();
    assert!(heard.len() == 1 && heard[0].contains("mirror \"m\" does not show what is written"), "{heard:?}");
}

/// After a rollback the mirror is as it was; the event or the next sync brings what Clerk has.
#[test]
fn rollback() {
    let world = mirror("soft");
    world.run(&format!("SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"));
    world.sim.clear_webhooks();
    let user = world.sim.users()[0].id.clone();
    let before = fingerprint(&world, "m.users");
    world.run("BEGIN");
    world.run(&format!("UPDATE clerk.users SET first_name = 'Rolled back' WHERE user_id = '{user}'"));
    world.run("INSERT INTO clerk.users (first_name) VALUES ('New')");
    assert_ne!(fingerprint(&world, "m.users"), before);
    world.run("SAVEPOINT one");
    let inside = fingerprint(&world, "m.users");
    world.run(&format!("UPDATE clerk.users SET first_name = 'Twice' WHERE user_id = '{user}'; ROLLBACK TO one"));
    assert_eq!(fingerprint(&world, "m.users"), inside);
    world.run("ROLLBACK");
    assert_eq!(fingerprint(&world, "m.users"), before);
    for delivery in world.sim.webhooks() {
        receive(&world, &delivery).unwrap();
    }
    let name: String = world.one(&format!("SELECT first_name FROM m.users WHERE user_id = '{user}'"));
    assert_eq!(name, "Twice");
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&world, "after a sync");
    // The same without events.
    world.run(&format!("BEGIN; DELETE FROM clerk.users WHERE user_id = '{user}'; ROLLBACK"));
    assert_eq!(
        world.one::<i64>(&format!("SELECT count(*) FROM m.users WHERE user_id = '{user}' AND deleted_at IS NULL")),
        1
    );
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_in_sync(&world, "after a full sync");
}

/// A trigger on the mirror that fails cannot undo what is at Clerk, so it only makes a warning.
#[test]
fn failing_trigger() {
    let world = mirror("soft");
    world.run(
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
         CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON m.organizations FOR EACH ROW EXECUTE FUNCTION public.fail()",
    );
    world.notices();
    world.run("INSERT INTO clerk.organizations (name, slug) VALUES ('Acme', 'acme')");
    let heard = world.notices();
    assert_eq!(heard, ["WARNING: mirror \"m\" does not show yet what was written to organizations: not today"]);
    assert_eq!(named(&world, "Acme"), 1);
    let id: String =
        world.one("UPDATE clerk.organizations SET name = 'Bell' WHERE slug = 'acme' RETURNING organization_id");
    assert!(id.starts_with("org_"));
    assert_eq!(world.notices().len(), 1);
    world.run("DROP TRIGGER fail ON m.organizations");
    world.run("CALL clerk_fdw.sync('m')");
    assert_rows_equal(&world, "organizations", "true", "after a sync");
}

/// Whoever may write to Clerk needs no right on the mirror.
#[test]
fn without_rights_on_the_mirror() {
    let world = mirror("soft");
    let role = world.role("writer");
    world.run(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA clerk TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA clerk TO {role};
         CREATE USER MAPPING FOR {role} SERVER clerk OPTIONS (api_key '{}'); SET ROLE {role}",
        world.sim.key()
    ));
    world.run("INSERT INTO clerk.organizations (name) VALUES ('Acme')");
    assert_eq!(world.error("SELECT FROM m.organizations").code().code(), "42501");
    world.run("RESET ROLE");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.organizations WHERE name = 'Acme'"), 1);
    assert!(world.notices().is_empty());
    world.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// Of what the mirror holds, all is as at Clerk but for what answers to writes leave out, as events do: counts, and what
/// lists embed.
#[track_caller]
fn assert_written(world: &World, object: &str, context: &str) {
    const LEFT_OUT: &str = "{members_count,pending_invitations_count,missing_member_with_elevated_permissions,\
                            public_organization_data}";
    let columns: String = world.one(&format!(
        "SELECT string_agg(CASE column_name WHEN 'attrs' THEN 'attrs - ''{LEFT_OUT}''::text[]' ELSE column_name::text END, ', ')
           FROM information_schema.columns
          WHERE (table_schema, table_name) = ('m', '{object}')
            AND column_name <> ALL ('{{synced_at,deleted_at}}' || '{LEFT_OUT}'::text[])"
    ));
    let [here, there] = [format!("m.{object} WHERE deleted_at IS NULL"), format!("clerk.{object}")]
        .map(|table| sorted(world.column::<String>(&format!("SELECT ROW({columns})::text FROM {table}"))));
    assert_eq!(here, there, "{context}: {object}");
}
