//! Whose mirrors they are, and with whose rights they are synced.

use crate::support::*;

/// A world with roles of its own, as roles are the whole cluster's.
struct Roles {
    world: World,
    owner: String,
    other: String,
}

impl Roles {
    fn new() -> Roles {
        let world = World::with(small(), "page_size '10'");
        let [owner, other] = ["owner", "other"].map(|role| world.role(role));
        for role in [&owner, &other] {
            world.run(&format!("CREATE ROLE {role}; {}", GRANTS.replace("ROLE", role)));
        }
        world.run(&format!(
            "CREATE USER MAPPING FOR {owner} SERVER clerk OPTIONS (api_key '{}');
             CREATE SCHEMA m AUTHORIZATION {owner}",
            world.sim.key()
        ));
        let roles = Roles { world, owner, other };
        roles.session(&roles.owner).run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')");
        roles
    }

    /// A connection that acts as a role.
    fn session(&self, role: &str) -> Session {
        let session = self.world.connect();
        session.run(&format!("SET SESSION AUTHORIZATION {role}"));
        session
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let (owner, other) = (&self.owner, &self.other);
            self.world.run(&format!("DROP OWNED BY {owner}, {other} CASCADE; DROP ROLE {owner}, {other}"));
        }
    }
}

/// A role without superuser rights has a mirror of its own.
#[test]
fn mirror_of_a_plain_role() {
    let roles = Roles::new();
    let owner = roles.session(&roles.owner);
    owner.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&roles.world, "its first sync");
    roles.world.sim.delete_user(&roles.world.sim.users()[0].id).unwrap();
    owner.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(&roles.world, "its second sync");
    let user = roles.world.sim.users()[1].id.clone();
    owner.run(&format!("SELECT clerk_fdw.sync_user('m', '{user}')"));
    assert_eq!(owner.one::<i64>("SELECT count(*) FROM clerk_fdw.mirror_status"), 3);
    assert_eq!(owner.one::<i64>("SELECT count(*) FROM clerk_fdw.sync_runs"), 6);
    owner.run("SELECT clerk_fdw.drop_mirror('m')");
}

/// Another role neither sees a mirror nor can sync, take or drop it.
#[test]
fn mirror_of_another_role_is_hidden() {
    let roles = Roles::new();
    roles.world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'supers')");
    let owner = roles.session(&roles.owner);
    owner.run("CALL clerk_fdw.sync('m')");
    let mirrors = "SELECT DISTINCT mirror::text FROM clerk_fdw.mirror_status ORDER BY 1";
    assert_eq!(owner.column::<String>(mirrors), ["m"]);
    assert_eq!(roles.world.column::<String>(mirrors), ["m", "supers"]);

    let other = roles.session(&roles.other);
    for table in ["mirror_status", "sync_runs", "sync_errors", "sync_progress", "webhook_events", "webhook_secrets"] {
        assert_eq!(other.one::<i64>(&format!("SELECT count(*) FROM clerk_fdw.{table}")), 0, "{table}");
    }
    for (statement, code) in [
        ("CALL clerk_fdw.sync('m')", "42704"),
        ("SELECT clerk_fdw.sync_object('m', 'users', 'user_1')", "42704"),
        ("SELECT clerk_fdw.drop_mirror('m')", "42704"),
        // Nor can it make one in the name of somebody else, or take over what is somebody else's.
        (
            "INSERT INTO clerk_fdw_internal.mirror_table (mirror, object, relation) VALUES (1, 'users', 'pg_class')",
            "42501",
        ),
        ("UPDATE clerk_fdw_internal.mirror SET owner = 10", "42501"),
        ("SELECT clerk_fdw.alter_mirror('m', owner => current_user)", "42704"),
    ] {
        let error = other.error(statement);
        assert_eq!(error.code().code(), code, "{statement}: {error:?}");
    }
}

/// Who owns a table must not do with a superuser's rights what its triggers do when the superuser syncs.
#[test]
fn superuser_sync_has_the_owners_rights() {
    let roles = Roles::new();
    let owner = roles.session(&roles.owner);
    owner.run(
        "CREATE TABLE m.who (who text, super text, at text);
         CREATE FUNCTION m.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO m.who VALUES (current_user, current_setting('is_superuser'), TG_NAME); RETURN NULL; END $$;
         CREATE TRIGGER soon AFTER INSERT OR UPDATE ON m.users FOR EACH ROW EXECUTE FUNCTION m.tell();
         CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON m.users DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION m.tell()",
    );
    let sync = |statement: &str, context: &str| {
        roles.world.run("TRUNCATE m.who");
        roles.world.run(statement);
        let who: Vec<String> = roles.world.column("SELECT DISTINCT at || ' ' || who FROM m.who ORDER BY 1");
        assert_eq!(who, ["late", "soon"].map(|at| format!("{at} {}", roles.owner)), "{context}");
    };
    sync("CALL clerk_fdw.sync('m')", "inserts");
    roles.world.sim.delete_user(&roles.world.sim.users()[0].id).unwrap();
    sync("CALL clerk_fdw.sync('m')", "a delete");
    let user = roles.world.sim.users()[1].id.clone();
    roles.world.sim.update_user(&user, serde_json::json!({"first_name": "Ada"})).unwrap();
    sync(&format!("SELECT clerk_fdw.sync_object('m', 'users', '{user}')"), "a single object");

    // What the owner may not do, a superuser's sync does not do for them.
    roles.world.run("CREATE TABLE public.secret (x int)");
    owner.run(
        "CREATE OR REPLACE FUNCTION m.tell() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO public.secret VALUES (1); RETURN NULL; END $$",
    );
    roles.world.sim.update_user(&user, serde_json::json!({"first_name": "Eve"})).unwrap();
    let error = roles.world.error("CALL clerk_fdw.sync('m')");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert_eq!(roles.world.one::<i64>("SELECT count(*) FROM public.secret"), 0);

    roles.world.run(&format!("REVOKE USAGE ON FOREIGN SERVER clerk FROM {}", roles.owner));
    assert_eq!(roles.world.error("CALL clerk_fdw.sync('m')").code().code(), "42501");
}

/// Nothing of the extension is granted to everybody.
#[test]
fn nothing_is_granted_to_public() {
    let world = World::new(small());
    let granted: Vec<String> = world.column(
        "SELECT what || ' ' || privilege_type FROM (
           SELECT 'schema ' || nspname, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE nspname ~ '^clerk_fdw'
           UNION ALL SELECT oid::regclass::text, coalesce(relacl, acldefault('r', relowner)) FROM pg_class
            WHERE relnamespace IN ('clerk_fdw'::regnamespace, 'clerk_fdw_internal'::regnamespace) AND relkind IN ('r', 'v', 'S')
           UNION ALL SELECT oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
            WHERE pronamespace IN ('clerk_fdw'::regnamespace, 'clerk_fdw_internal'::regnamespace)
               OR proname ~ '^clerk_fdw_') objects(what, acl),
         LATERAL aclexplode(acl) WHERE grantee = 0 ORDER BY 1",
    );
    // Whoever inserts into an imported table evaluates this default, which is null.
    assert_eq!(granted, ["clerk_fdw_assigned_id() EXECUTE"]);
}
