//! A mirror belongs to a role and reads from a server, not to and from whatever bears their names.

use postgres::error::SqlState;

use crate::support::*;

/// A role that is created again under the name of a mirror's owner does not get the mirror.
#[test]
fn role_of_the_same_name_inherits_no_mirror() {
    let eve = Eve::new();
    let Eve { world, role, .. } = &eve;
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'hers', objects => '{users}')");
    let dropped = format!("{role}_gone");
    world.run(&format!(
        "CREATE ROLE {dropped}; GRANT {dropped} TO postgres; GRANT USAGE ON FOREIGN SERVER clerk TO {dropped};
         SELECT clerk_fdw.alter_mirror('hers', owner => '{dropped}');
         DROP OWNED BY {dropped}; DROP ROLE {dropped};
         CREATE ROLE {dropped}; {}",
        GRANTS.replace("ROLE", &dropped)
    ));
    let heir = world.connect();
    heir.run(&format!("SET SESSION AUTHORIZATION {dropped}"));
    assert_eq!(heir.one::<i64>("SELECT count(*) FROM clerk_fdw.mirror_status"), 0);
    assert_eq!(*heir.error("CALL clerk_fdw.sync('hers')").code(), SqlState::UNDEFINED_OBJECT);
    drop(heir);
    // A superuser sees it, is told what to do, and can.
    assert_eq!(world.one::<i64>("SELECT count(*) FROM clerk_fdw.mirror_status WHERE mirror = 'hers'"), 1);
    let error = world.error("CALL clerk_fdw.sync('hers')");
    assert!(error_text(&error).contains("alter_mirror('hers', owner"), "{}", error_text(&error));
    world.run("SELECT clerk_fdw.alter_mirror('hers', owner => 'postgres')");
    world.run("CALL clerk_fdw.sync('hers')");
    world.run(&format!("DROP OWNED BY {dropped}; DROP ROLE {dropped}"));
}

/// A server that is created again under the name of a mirror's server is not read.
#[test]
fn server_of_the_same_name_is_not_read() {
    let eve = Eve::new();
    let Eve { world, role, session } = &eve;
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'supers', objects => '{users}')");
    world.run("CALL clerk_fdw.sync('supers')");
    world.run(&format!("DROP SERVER clerk CASCADE; GRANT USAGE ON FOREIGN DATA WRAPPER clerk_fdw TO {role}"));
    world.requests();
    session.run(&format!(
        "CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url '{}', api_key '{}');
         GRANT USAGE ON FOREIGN SERVER clerk TO PUBLIC",
        world.sim.url(),
        world.sim.key()
    ));
    let error = world.error("CALL clerk_fdw.sync('supers')");
    assert_eq!(*error.code(), SqlState::UNDEFINED_OBJECT, "{error:?}");
    assert_eq!(world.requests().len(), 0);
    world.run("SELECT clerk_fdw.alter_mirror('supers', server => 'clerk')");
    world.run("CALL clerk_fdw.sync('supers')");
}

/// Policies go with the mirror, and its number is never another's: nobody answers for it by making one of its name.
#[test]
fn mirror_of_the_same_name_answers_no_policy() {
    let eve = Eve::new();
    let Eve { world, session, .. } = &eve;
    session.run("SELECT clerk_fdw.enable_row_security('m')");
    let number: i32 = session.one("SELECT number FROM clerk_fdw.mirror_status");
    session.run("SELECT clerk_fdw.drop_mirror('m', keep_tables => true)");
    let left = "SELECT count(*) FROM pg_policy WHERE polrelid = 'm.users'::regclass";
    assert_eq!(world.one::<i64>(left), 0);
    assert!(
        world.one::<bool>("SELECT relrowsecurity FROM pg_class WHERE oid = 'm.users'::regclass"),
        "hidden as before"
    );
    session.run("ALTER TABLE m.users RENAME TO old; SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{users}')");
    assert_ne!(session.one::<i32>("SELECT number FROM clerk_fdw.mirror_status"), number);
    world.run("SET request.jwt.claims = '{\"sub\": \"user_1\"}'");
    let people: Vec<String> = world.one(&format!("SELECT clerk_fdw.current_visible_user_ids({number})"));
    assert_eq!(people, [""; 0]);
}
