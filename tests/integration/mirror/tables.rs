//! The tables of a mirror: their owner's to extend, or there before.

use serde_json::json;

use crate::support::*;

/// What an owner adds to a mirror's table survives syncs.
#[test]
fn added_columns_triggers_and_policies_survive() {
    let world = synced_mirror(small(), "");
    let user = world.sim.users()[3].id.clone();
    world.run(&format!(
        "ALTER TABLE m.users ADD COLUMN plan text DEFAULT 'free', ADD COLUMN score int GENERATED ALWAYS AS (length(user_id)) STORED;
         CREATE INDEX by_plan ON m.users (plan);
         CREATE TABLE seen (user_id text, email text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO public.seen VALUES (NEW.user_id, NEW.first_name); RETURN NULL; END $$;
         CREATE TRIGGER see AFTER INSERT OR UPDATE ON m.users FOR EACH ROW EXECUTE FUNCTION see();
         ALTER TABLE m.organization_memberships
           ADD FOREIGN KEY (user_id) REFERENCES m.users DEFERRABLE INITIALLY DEFERRED,
           ADD FOREIGN KEY (organization_id) REFERENCES m.organizations DEFERRABLE INITIALLY DEFERRED;
         CREATE TABLE note (user_id text REFERENCES m.users, note text);
         INSERT INTO note VALUES ('{user}', 'a friend');
         ALTER TABLE m.users ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON m.users USING (user_id = current_user);
         UPDATE m.users SET plan = 'pro' WHERE user_id = '{user}';
         TRUNCATE seen"
    ));
    world.sim.update_user(&user, json!({"first_name": "Ada"})).unwrap();
    let new = world.sim.create_user(json!({"first_name": "New"})).unwrap();
    world.sim.create_membership(&new, &world.sim.organizations()[0].id, json!({})).unwrap();
    for mode in ["incremental", "full"] {
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
        assert_in_sync(&world, mode);
        let plan = format!("SELECT plan FROM m.users WHERE user_id = '{user}'");
        assert_eq!(world.one::<String>(&plan), "pro");
        assert_eq!(world.column::<String>("SELECT email FROM seen ORDER BY 1"), ["Ada", "New"], "{mode}");
    }
    world.sim.delete_user(&user).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    assert_eq!(
        world.one::<String>("SELECT note FROM note JOIN m.users USING (user_id) WHERE deleted_at IS NOT NULL"),
        "a friend"
    );
    assert_eq!(world.one::<i64>("SELECT count(*) FROM pg_policy WHERE polrelid = 'm.users'::regclass"), 1);
}

/// A column that was dropped stays dropped, and one that is needed is named.
#[test]
fn dropped_column_stays_dropped() {
    let world = synced_mirror(small(), "");
    world.run(
        "ALTER TABLE m.users DROP COLUMN phone_number, DROP COLUMN attrs; ALTER TABLE m.organizations DROP COLUMN slug",
    );
    world.sim.update_user(&world.sim.users()[0].id, json!({"first_name": "Ada"})).unwrap();
    let new = world.sim.create_user(json!({"first_name": "Ada"})).unwrap();
    world.run("CALL clerk_fdw.sync('m'); ");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.users WHERE first_name = 'Ada'"), 2);
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_eq!(last_run(&world, "users").changes, Changes { inserted: 0, updated: 0, deleted: 0 });
    let row: String = world.one(&format!("SELECT clerk_fdw.sync_object('m', 'users', '{new}')::text"));
    assert!(!row.contains("\"phone_number\""), "{row}");

    world.run("ALTER TABLE m.users DROP COLUMN deleted_at");
    let error = world.error("CALL clerk_fdw.sync('m')");
    assert!(error_text(&error).contains("deleted_at"), "{}", error_text(&error));
}

/// A table that was there before keeps its own columns and rows.
#[test]
fn existing_table_keeps_its_own() {
    let world = World::new(small());
    let user = world.sim.users()[0].id.clone();
    world.run(&format!(
        "CREATE TABLE users (id serial PRIMARY KEY, clerk_id text UNIQUE, email text, name text, theme text DEFAULT 'dark');
         INSERT INTO users (clerk_id, name, theme) VALUES ('{user}', 'old', 'light'), (NULL, 'local', 'light'), ('user_not_clerks', 'mine', 'light');
         SELECT clerk_fdw.create_mirror('clerk', schema => 'm', tables => '{{\"users\": \"public.users\"}}',
           columns => '{{\"users\": {{\"clerk_id\": \"user_id\", \"email\": \"email\", \"name\": \"concat_ws('' '', first_name, last_name)\"}}}}')"
    ));
    assert_eq!(world.one::<Option<String>>("SELECT to_regclass('m.users')::text"), None);
    world.run("CALL clerk_fdw.sync('m')");
    let same = "SELECT count(*) FROM users t JOIN clerk.users c ON t.clerk_id = c.user_id AND t.email IS NOT DISTINCT FROM c.email
                   AND t.name = concat_ws(' ', c.first_name, c.last_name)";
    assert_eq!(world.one::<i64>(same), 60);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM users"), 62);
    assert_eq!(world.one::<String>(&format!("SELECT theme FROM users WHERE clerk_id = '{user}'")), "light");

    world.sim.delete_user(&user).unwrap();
    world.sim.update_user(&world.sim.users()[5].id, json!({"first_name": "Ada"})).unwrap();
    for mode in ["incremental", "full"] {
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
        assert_eq!(world.one::<i64>(same), 59, "{mode}");
        let own = "SELECT string_agg(name, ' ' ORDER BY name) FROM users WHERE clerk_synced_at IS NULL AND clerk_deleted_at IS NULL";
        assert_eq!(world.one::<String>(own), "local mine", "{mode}: rows of the application");
        let gone = "SELECT clerk_id FROM users WHERE clerk_deleted_at IS NOT NULL";
        assert_eq!(world.column::<String>(gone), [&*user], "{mode}");
    }
    world.run("SELECT clerk_fdw.drop_mirror('m')");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM users"), 62, "the table stays");
    assert_eq!(world.one::<Option<String>>("SELECT to_regnamespace('m')::text"), None);
}

/// Columns of an existing table are matched by name where no map is given.
#[test]
fn columns_match_by_name() {
    let world = World::new(small());
    world.run(
        "CREATE TABLE people (id serial PRIMARY KEY, clerk_id text NOT NULL UNIQUE, email text, first_name text, other int);
         SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}', tables => '{\"users\": \"public.people\"}')",
    );
    world.run("CALL clerk_fdw.sync('m')");
    let same = "SELECT count(*) FROM people p JOIN clerk.users c ON p.clerk_id = c.user_id
                 WHERE p.email IS NOT DISTINCT FROM c.email AND p.first_name IS NOT DISTINCT FROM c.first_name";
    assert_eq!(world.one::<i64>(same), 60);
}

/// What cannot be a mirror is refused with the reason.
#[test]
fn create_mirror_errors() {
    let world = World::new(small());
    world.run("CREATE TABLE plain (clerk_id text, email text); CREATE TABLE other (x int PRIMARY KEY); CREATE VIEW v AS SELECT 1 AS clerk_id");
    for (arguments, code, words) in [
        ("'clerk', objects => '{users,cats}'", "22023", "cats"),
        ("'nobody'", "42704", "nobody"),
        ("'clerk', tables => '{\"cats\": \"plain\"}'", "22023", "cats"),
        ("'clerk', tables => '{\"users\": \"public.nowhere\"}'", "42P01", "nowhere"),
        ("'clerk', tables => '{\"users\": \"public.plain\"}'", "22023", "not unique"),
        ("'clerk', tables => '{\"users\": \"public.other\"}'", "22023", "column"),
        ("'clerk', tables => '{\"users\": \"public.v\"}'", "42809", "not a table"),
        (
            "'clerk', tables => '{\"users\": \"public.plain\"}', columns => '{\"users\": {\"zip\": \"user_id\"}}'",
            "42703",
            "zip",
        ),
        (
            "'clerk', tables => '{\"users\": \"public.plain\"}', columns => '{\"users\": {\"email\": \"email\"}}'",
            "22023",
            "user_id",
        ),
        ("'clerk', columns => '{\"users\": {\"email\": \"email\"}}'", "22023", "users"),
        ("'clerk', deletes => 'never'", "22023", "never"),
    ] {
        let error = world.error(&format!("SELECT clerk_fdw.create_mirror({arguments}, schema => 'm')"));
        assert_eq!(error.code().code(), code, "{arguments}: {error:?}");
        assert!(error_text(&error).contains(words), "{arguments}: {}", error_text(&error));
    }
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.mirror"), 0);
    let error = world.error("CALL clerk_fdw.sync('m')");
    assert_eq!(error.code().code(), "42704", "{error:?}");
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}')");
    assert_eq!(world.error("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')").code().code(), "42710");
    assert!(error_text(&world.error("CALL clerk_fdw.sync('m', objects => '{organizations}')")).contains("users"));
    assert_eq!(world.error("CALL clerk_fdw.sync('m', mode => 'half')").code().code(), "22023");
    assert_eq!(world.error("BEGIN; CALL clerk_fdw.sync('m')").code().code(), "2D000");
}

/// A row that a table refuses is logged, holds up no other, and is tried again.
#[test]
fn refused_row_is_logged_and_retried() {
    for mode in ["incremental", "full"] {
        let world = new_mirror(small(), "page_size '10'");
        let (bad, twin) = (world.sim.users()[17].id.clone(), world.sim.users()[40].id.clone());
        world.run("ALTER TABLE m.users ADD CONSTRAINT known CHECK (first_name <> 'Mallory'), ADD CONSTRAINT own UNIQUE (last_name)");
        for (index, user) in world.sim.users().iter().enumerate() {
            let first = if user.id == bad { "Mallory" } else { "Ada" };
            let last = if user.id == twin { 3 } else { index };
            world.sim.update_user(&user.id, json!({"first_name": first, "last_name": format!("{last}")})).unwrap();
        }
        for _ in 0..2 {
            world.run("CALL clerk_fdw.sync('m')");
            assert_rows_equal(&world, "users", &format!("user_id NOT IN ('{bad}', '{twin}')"), "the rest");
            assert_rows_equal(&world, "organizations", "true", "the rest");
            let users = last_run(&world, "users");
            assert_eq!(users.state, "succeeded");
            assert!(users.errors >= 2, "{users:?}");
            let errors =
                "SELECT object_id || ' ' || sqlstate FROM clerk_fdw.sync_errors WHERE resolved_at IS NULL ORDER BY 1";
            assert_eq!(world.column::<String>(errors), sorted(vec![format!("{bad} 23514"), format!("{twin} 23505")]));
            let reasons = format!(
                "SELECT bool_and(reason LIKE '%\"known\"%') FROM clerk_fdw.sync_errors WHERE object_id = '{bad}'"
            );
            assert!(world.one::<bool>(&reasons));
            assert_eq!(world.one::<i64>("SELECT errors FROM clerk_fdw.mirror_status WHERE object = 'users'"), 2);
        }
        world.run("ALTER TABLE m.users DROP CONSTRAINT known, DROP CONSTRAINT own");
        world.run(&format!("CALL clerk_fdw.sync('m', mode => '{mode}')"));
        assert_in_sync(&world, mode);
        let open = "SELECT count(*) FROM clerk_fdw.sync_errors WHERE resolved_at IS NULL";
        assert_eq!(world.one::<i64>(open), 0, "{mode}");
    }
}

/// Tables as people have them: partitioned, with columns whose type cuts what is too long when it is cast.
#[test]
fn partitioned_table_and_length_limits() {
    let world = World::new(small());
    let long = world.sim.create_user(json!({"first_name": "Maximiliane"})).unwrap();
    world.run(
        r#"CREATE DOMAIN short AS varchar(8);
           CREATE TABLE people (clerk_id char(40), first_name short, last_name char(60), n int GENERATED ALWAYS AS IDENTITY,
             size int GENERATED ALWAYS AS (length(first_name)) STORED, UNIQUE (clerk_id)) PARTITION BY HASH (clerk_id);
           CREATE TABLE people_0 PARTITION OF people FOR VALUES WITH (MODULUS 2, REMAINDER 0);
           CREATE TABLE people_1 PARTITION OF people FOR VALUES WITH (MODULUS 2, REMAINDER 1);
           SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}', tables => '{"users": "public.people"}')"#,
    );
    world.run("CALL clerk_fdw.sync('m')");
    let first = last_run(&world, "users");
    let refused: Vec<String> =
        world.column("SELECT object_id FROM clerk_fdw.sync_errors WHERE resolved_at IS NULL ORDER BY 1");
    assert!(refused.contains(&long), "what is too long is refused, not cut: {refused:?}");
    assert_eq!(first.changes.inserted + first.errors, 61);
    let differences = "SELECT count(*) FROM clerk.users u FULL JOIN people p ON p.clerk_id = u.user_id
        WHERE (u.first_name, u.last_name) IS DISTINCT FROM (p.first_name::text, trim(p.last_name))
          AND length(coalesce(u.first_name, '')) <= 8";
    assert_eq!(world.one::<i64>(differences), 0);
    let user = world.sim.users().into_iter().map(|user| user.id).find(|user| !refused.contains(user)).unwrap();
    world.sim.update_user(&user, json!({"first_name": "Ada"})).unwrap();
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_eq!(last_run(&world, "users").changes, Changes { inserted: 0, updated: 1, deleted: 0 });
    world.run("ALTER DOMAIN short DROP NOT NULL; ALTER TABLE people DROP COLUMN size; ALTER TABLE people ALTER first_name TYPE text");
    world.run("CALL clerk_fdw.sync('m')");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM people WHERE first_name = 'Maximiliane'"), 1);
}
