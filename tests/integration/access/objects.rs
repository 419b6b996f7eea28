//! Row security of the objects that belong to the application's backend alone.

use serde_json::json;

use crate::support::*;

/// Nobody sees a row of what is not a user, an organization or a membership, whoever may read the tables.
#[test]
fn other_objects_are_shown_to_nobody() {
    let world = mirror_of_everything(small(), "soft");
    let user: String = world.one("SELECT user_id FROM m.organization_memberships LIMIT 1");
    let role = world.role("reader");
    world.run(&format!("CREATE ROLE {role}; GRANT USAGE ON SCHEMA m TO {role}"));
    let grant = format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA m TO {role};
         GRANT EXECUTE ON FUNCTION clerk_fdw.current_user_id, clerk_fdw.current_organizations,
           clerk_fdw.current_visible_user_ids TO {role}"
    );
    let objects: Vec<String> = world.column("SELECT object FROM clerk_fdw.mirror_status ORDER BY 1");
    assert!(objects.len() > 20);
    let shown = || -> Vec<String> {
        world.run(&grant);
        world.run(&format!("BEGIN; SET LOCAL ROLE {role}"));
        world.rows_of("SELECT set_config('request.jwt.claims', $1, true)", &[&json!({"sub": user}).to_string()]);
        let is_shown = |object: &&String| world.one::<bool>(&format!("SELECT EXISTS (SELECT FROM m.{object})"));
        let shown = objects.iter().filter(is_shown).cloned().collect();
        world.run("COMMIT");
        shown
    };
    assert_eq!(shown(), [""; 0], "before anybody says what is to be seen");
    for arguments in ["", ", show_members => true"] {
        world.run(&format!("SELECT clerk_fdw.enable_row_security('m'{arguments})"));
        assert_eq!(shown(), ["organization_memberships", "organizations", "users"], "{arguments}");
    }
    let views =
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'm'::regnamespace AND relkind = 'v' ORDER BY 1";
    assert_eq!(
        world.column::<String>(views),
        ["visible_organization_memberships", "visible_organizations", "visible_users"]
    );
    world.run(&format!("SET ROLE {role}"));
    for object in objects.iter().filter(|object| !OBJECTS.contains(&object.as_str())) {
        let id: String = world.one(&format!(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = 'm.{object}'::regclass AND attnum = 1"
        ));
        let error = world.error(&format!("INSERT INTO m.{object} ({id}) VALUES ('own')"));
        assert_eq!(error.code().code(), "42501", "{object}: {error:?}");
        assert_eq!(
            world.one::<i64>(&format!("WITH gone AS (DELETE FROM m.{object} RETURNING 1) SELECT count(*) FROM gone")),
            0
        );
    }
    world.run("RESET ROLE");
    world.run("CALL clerk_fdw.sync('m', mode => 'full')");
    assert_all_in_sync(&world, "with row security");

    // A table of one's own is hidden as soon as row security is enabled.
    world.run(
        "CREATE TABLE mine (clerk_id text UNIQUE, name text);
         SELECT clerk_fdw.create_mirror('clerk', schema => 'own', objects => '{}', tables => '{\"machines\": \"public.mine\"}')",
    );
    world.run("CALL clerk_fdw.sync('own')");
    world.run(&format!("GRANT SELECT ON mine TO {role}"));
    let seen = || {
        world.run(&format!("SET ROLE {role}"));
        let seen = world.one::<i64>("SELECT count(*) FROM mine");
        world.run("RESET ROLE");
        seen
    };
    assert!(seen() > 0, "who may see it is the owner's to say");
    world.run("SELECT clerk_fdw.enable_row_security('own')");
    assert_eq!(seen(), 0);
    world.run("SELECT clerk_fdw.disable_row_security('own')");
    assert!(seen() > 0);
    world.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
