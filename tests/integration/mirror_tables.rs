//! The tables of a mirror: their owner's to extend, or there before.

use std::time::Duration;

use clerk_sim::Sim;
use serde_json::json;

use crate::common::*;
use crate::mirror::*;

#[test]
fn what_is_added_to_a_table_survives() {
    let world = in_step(small(), "");
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
        assert_in_step(&world, mode);
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

#[test]
fn a_dropped_column_stays_dropped() {
    let world = in_step(small(), "");
    world.run(
        "ALTER TABLE m.users DROP COLUMN phone_number, DROP COLUMN attrs; ALTER TABLE m.organizations DROP COLUMN slug",
    );
    world.sim.update_user(&world.sim.users()[0].id, json!({"first_name": "Ada"})).unwrap();
    let new = world.sim.create_user(json!({"first_name": "Ada"})).unwrap();
    world.run("CALL clerk_fdw.sync('m'); ");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.users WHERE first_name = 'Ada'"), 2);
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_eq!(logged(&world, "users").changes, Changes { inserted: 0, updated: 0, deleted: 0 });
    let row: String = world.one(&format!("SELECT clerk_fdw.sync_object('m', 'users', '{new}')::text"));
    assert!(!row.contains("phone_number"), "{row}");

    world.run("ALTER TABLE m.users DROP COLUMN deleted_at");
    let error = world.error("CALL clerk_fdw.sync('m')");
    assert!(told(&error).contains("deleted_at"), "{}", told(&error));
}

#[test]
fn a_table_that_was_there_keeps_what_is_its_own() {
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

#[test]
fn columns_are_mapped_by_name_where_nothing_is_said() {
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

#[test]
fn what_cannot_be_a_mirror_is_refused_with_the_reason() {
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
        assert!(told(&error).contains(words), "{arguments}: {}", told(&error));
    }
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.mirror"), 0);
    let error = world.error("CALL clerk_fdw.sync('m')");
    assert_eq!(error.code().code(), "42704", "{error:?}");
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}')");
    assert_eq!(world.error("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')").code().code(), "42710");
    assert!(told(&world.error("CALL clerk_fdw.sync('m', objects => '{organizations}')")).contains("users"));
    assert_eq!(world.error("CALL clerk_fdw.sync('m', mode => 'half')").code().code(), "22023");
    assert_eq!(world.error("BEGIN; CALL clerk_fdw.sync('m')").code().code(), "2D000");
}

#[test]
fn two_instances_have_mirrors_side_by_side() {
    let world = in_step(small(), "");
    let other = Sim::start(clerk_sim::Config { seed: 9, users: 30, ..small() }).unwrap();
    world.server("staging", &other, other.key(), "");
    // The schema is there already, with foreign tables in it.
    world.run("SELECT clerk_fdw.create_mirror('staging', schema => 's'); CREATE TABLE s.mine (x int)");
    world.run("CALL clerk_fdw.sync('s')");
    assert_same(world.column("SELECT user_id FROM s.users"), &ids(&other.users()), "the other instance");
    assert_in_step(&world, "the first instance");
    world.run("SELECT clerk_fdw.drop_mirror('s')");
    let left = "SELECT relname::text FROM pg_class WHERE relnamespace = 's'::regnamespace";
    assert_eq!(world.column::<String>(left), ["mine"]);
    world.run("SELECT clerk_fdw.drop_mirror('m', keep_tables => true)");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.users"), 60);
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.mirror_status"), 0);
}

#[test]
fn a_record_that_a_table_does_not_take_is_told_of_and_tried_again() {
    for mode in ["incremental", "full"] {
        let world = mirrored(small(), "page_size '10'");
        let (bad, twin) = (world.sim.users()[17].id.clone(), world.sim.users()[40].id.clone());
        world.run("ALTER TABLE m.users ADD CONSTRAINT known CHECK (first_name <> 'Mallory'), ADD CONSTRAINT own UNIQUE (last_name)");
        for (index, user) in world.sim.users().iter().enumerate() {
            let first = if user.id == bad { "Mallory" } else { "Ada" };
            let last = if user.id == twin { 3 } else { index };
            world.sim.update_user(&user.id, json!({"first_name": first, "last_name": format!("{last}")})).unwrap();
        }
        for _ in 0..2 {
            world.run("CALL clerk_fdw.sync('m')");
            assert_equal(&world, "users", &format!("user_id NOT IN ('{bad}', '{twin}')"), "the rest");
            assert_equal(&world, "organizations", "true", "the rest");
            let users = logged(&world, "users");
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
        assert_in_step(&world, mode);
        let open = "SELECT count(*) FROM clerk_fdw.sync_errors WHERE resolved_at IS NULL";
        assert_eq!(world.one::<i64>(open), 0, "{mode}");
    }
}

#[test]
fn what_the_application_writes_meanwhile_survives() {
    let world = in_step(small(), "page_size '10'");
    world.run("ALTER TABLE m.users ADD COLUMN score int NOT NULL DEFAULT 0");
    for user in world.sim.users() {
        world.sim.update_user(&user.id, json!({"first_name": "Ada"})).unwrap();
    }
    world.sim.set_latency(Duration::from_millis(150));
    let (syncer, users, mut writes) = (world.connect(), ids(&world.sim.users()), 0);
    std::thread::scope(|scope| {
        let syncing = scope.spawn(move || syncer.run("CALL clerk_fdw.sync('m', mode => 'full')"));
        while !syncing.is_finished() {
            world.run(&format!("UPDATE m.users SET score = score + 1 WHERE user_id = '{}'", users[writes % 60]));
            writes += 1;
        }
        syncing.join().unwrap();
    });
    world.sim.set_latency(Duration::ZERO);
    assert!(writes > 60, "{writes} writes");
    assert_eq!(world.one::<i64>("SELECT sum(score) FROM m.users"), writes as i64);
    assert_in_step(&world, "with an application at work");
}

#[test]
fn one_sync_at_a_time() {
    let world = in_step(small(), "page_size '10'");
    world.sim.set_latency(Duration::from_millis(400));
    let syncer = world.connect();
    std::thread::scope(|scope| {
        let syncing = scope.spawn(move || syncer.run("CALL clerk_fdw.sync('m', mode => 'full')"));
        until("it runs", || world.one("SELECT bool_or(running) FROM clerk_fdw.mirror_status"));
        until("it makes progress", || {
            world.one("SELECT count(*) > 0 FROM clerk_fdw.sync_progress WHERE rows_read > 0")
        });
        for statement in ["CALL clerk_fdw.sync('m')", "SELECT clerk_fdw.drop_mirror('m')"] {
            let error = world.error(statement);
            assert_eq!(error.code().code(), "55006", "{error:?}");
            assert!(error.message().contains("being synced"), "{error:?}");
        }
        assert!(!syncing.is_finished(), "too early to tell");
        world.run("CALL clerk_fdw.sync('m', wait => true)");
        assert!(syncing.is_finished(), "it did not wait");
        syncing.join().unwrap();
    });
    let order = "SELECT bool_and(started_at >= before) FROM (
       SELECT min(started_at) AS started_at, lag(max(ended_at)) OVER (ORDER BY run) AS before FROM clerk_fdw.sync_runs GROUP BY run) r";
    assert!(world.one::<bool>(order));
    assert_eq!(world.one::<i64>("SELECT count(DISTINCT run) FROM clerk_fdw.sync_runs WHERE state = 'succeeded'"), 3);
}

/// Tables as people have them: partitioned, with columns whose type cuts what is too long when it is cast.
#[test]
fn tables_of_any_make_take_clerks_rows() {
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
    let first = logged(&world, "users");
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
    assert_eq!(logged(&world, "users").changes, Changes { inserted: 0, updated: 1, deleted: 0 });
    world.run("ALTER DOMAIN short DROP NOT NULL; ALTER TABLE people DROP COLUMN size; ALTER TABLE people ALTER first_name TYPE text");
    world.run("CALL clerk_fdw.sync('m')");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM people WHERE first_name = 'Maximiliane'"), 1);
}

/// A refresh deletes nothing that was written since Clerk answered, nor what is not Clerk's.
#[test]
fn a_refresh_keeps_what_it_cannot_know() {
    let world = in_step(small(), "");
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

/// Tombstones do not stay for ever where no webhook comes.
#[test]
fn syncs_forget_old_tombstones() {
    let world = in_step(small(), "");
    world.sim.delete_user(&world.sim.users()[0].id).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    world.run("UPDATE clerk_fdw_internal.tombstone SET recorded_at = now() - interval '101 days'");
    assert!(world.one::<bool>("SELECT count(*) > 0 FROM clerk_fdw_internal.tombstone"));
    world.run("CALL clerk_fdw.sync('m')");
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw_internal.tombstone"), 0);
}
