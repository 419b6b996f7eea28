//! Row security: what the bearer of a token sees of a mirror through a plain role.

use serde_json::{Value, json};

use crate::support::*;

/// A world whose mirror `m` a role of its own may read; two people in one organization, and one in none.
struct Guarded {
    world: World,
    role: String,
    ada: String,
    grace: String,
    eve: String,
    organization: String,
}

impl Guarded {
    fn new() -> Guarded {
        let world = World::new(clerk_sim::Config { users: 4, organizations: 2, memberships: 4, ..small() });
        let user = |name: &str| world.sim.create_user(json!({"first_name": name})).unwrap();
        let (ada, grace, eve) = (user("Ada"), user("Grace"), user("Eve"));
        let organization = world.sim.create_organization(json!({"name": "Engines"})).unwrap();
        for member in [&ada, &grace] {
            world.sim.create_membership(member, &organization, json!({})).unwrap();
        }
        let role = world.role("reader");
        world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')");
        world.run("CALL clerk_fdw.sync('m')");
        world.run(&format!(
            "CREATE ROLE {role};
             GRANT USAGE ON SCHEMA m TO {role};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA m TO {role};
             GRANT EXECUTE ON FUNCTION clerk_fdw.current_user_id, clerk_fdw.current_organizations,
               clerk_fdw.current_visible_user_ids TO {role}"
        ));
        Guarded { world, role, ada, grace, eve, organization }
    }

    /// Lets the role read what `enable_row_security` has made.
    fn grant_views(&self) {
        self.world.run(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA m TO {}", self.role));
    }

    /// What a request with these claims sees in a column.
    #[track_caller]
    fn sees(&self, claims: Value, query: &str) -> Vec<String> {
        self.world.run(&format!("BEGIN; SET LOCAL ROLE {}", self.role));
        self.world.rows_of("SELECT set_config('request.jwt.claims', $1, true)", &[&claims.to_string()]);
        let seen = sorted(self.world.column(query));
        self.world.run("COMMIT");
        seen
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.run(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.role));
        }
    }
}

/// A person sees themselves, their organizations and profiles of their members, and writes nothing.
#[test]
fn row_security_shows_own_organizations() {
    let guarded = Guarded::new();
    let Guarded { world, ada, grace, eve, organization, .. } = &guarded;
    let all = guarded.sees(json!({}), "SELECT user_id FROM m.users").len();
    assert_eq!(all, 0, "before anybody says what is to be seen");
    world.run("SELECT clerk_fdw.enable_row_security('m'); SELECT clerk_fdw.enable_row_security('m')");
    guarded.grant_views();

    let of = |person: &str| json!({"sub": person});
    let both = sorted(vec![ada.clone(), grace.clone()]);
    assert_eq!(guarded.sees(of(ada), "SELECT user_id FROM m.visible_users"), both);
    assert_eq!(guarded.sees(of(ada), "SELECT user_id FROM m.visible_organization_memberships"), both);
    for people in ["users", "organization_memberships"] {
        assert_eq!(guarded.sees(of(ada), &format!("SELECT user_id FROM m.{people}")), [ada.as_str()], "{people}");
    }
    for organizations in ["organizations", "visible_organizations"] {
        let query = format!("SELECT organization_id FROM m.{organizations}");
        assert_eq!(guarded.sees(of(ada), &query), [organization.as_str()]);
        assert_eq!(guarded.sees(of(eve), &query), [""; 0]);
    }
    assert_eq!(guarded.sees(of(eve), "SELECT user_id FROM m.visible_users"), [eve.as_str()]);
    assert_eq!(guarded.sees(of(eve), "SELECT user_id FROM m.visible_organization_memberships"), [""; 0]);
    for nobody in [json!({}), json!({"sub": "user_nobody"}), json!({"sub": null, "org_id": organization})] {
        for users in ["users", "visible_users"] {
            assert_eq!(guarded.sees(nobody.clone(), &format!("SELECT user_id FROM m.{users}")), [""; 0], "{nobody}");
        }
    }

    // Of others a profile, of oneself what is one's own, and nothing that is the backend's.
    let known = "SELECT concat_ws(' ', first_name, (created_at IS NOT NULL)::text) FROM m.visible_users";
    assert_eq!(guarded.sees(of(ada), known), ["Ada true", "Grace false"]);
    for private in ["private_metadata", "attrs"] {
        world.run(&format!("SET ROLE {}", guarded.role));
        for object in OBJECTS {
            let error = world.error(&format!("SELECT {private} FROM m.visible_{object}"));
            assert_eq!(*error.code(), postgres::error::SqlState::UNDEFINED_COLUMN, "{private} of {object}");
        }
        world.run("RESET ROLE");
    }
    world.run("SELECT clerk_fdw.enable_row_security('m', show_members => true)");
    for people in ["users", "organization_memberships"] {
        assert_eq!(guarded.sees(of(ada), &format!("SELECT user_id FROM m.{people}")), both, "{people}");
    }
    world.run("SELECT clerk_fdw.enable_row_security('m')");

    let written =
        "WITH written AS (UPDATE m.users SET first_name = 'Eve' RETURNING user_id), gone AS (DELETE FROM m.organizations RETURNING 1)
         SELECT user_id FROM written";
    assert_eq!(guarded.sees(of(ada), written), [""; 0], "nobody writes");
    world.run(&format!("SET ROLE {}", guarded.role));
    let insert = world.error("INSERT INTO m.users (user_id) VALUES ('user_own')");
    assert_eq!(*insert.code(), postgres::error::SqlState::INSUFFICIENT_PRIVILEGE);
    world.run("RESET ROLE");

    // The mirror's owner goes on as before, and an ended membership shows nothing any more.
    let membership = world.sim.memberships().pop().unwrap();
    world.sim.delete_membership(&membership.id).unwrap();
    world.run("CALL clerk_fdw.sync('m')");
    assert_in_sync(world, "with row security");
    assert_eq!(guarded.sees(of(grace), "SELECT user_id FROM m.visible_users"), [grace.as_str()]);
}

/// Row security can be taken back, and other policies stay.
#[test]
fn disable_row_security_keeps_other_policies() {
    let guarded = Guarded::new();
    let Guarded { world, eve, role, .. } = &guarded;
    world.run(&format!(
        "ALTER TABLE m.organizations ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON m.organizations TO {role} USING (name = 'Engines');
         SELECT clerk_fdw.enable_row_security('m')"
    ));
    let of_eve = json!({"sub": eve});
    assert_eq!(guarded.sees(of_eve.clone(), "SELECT name FROM m.organizations"), ["Engines"]);
    assert_eq!(guarded.sees(of_eve.clone(), "SELECT user_id FROM m.users").len(), 1);
    world.run("SELECT clerk_fdw.disable_row_security('m')");
    assert_eq!(guarded.sees(of_eve.clone(), "SELECT name FROM m.organizations"), ["Engines"]);
    assert_eq!(guarded.sees(of_eve, "SELECT user_id FROM m.users").len(), 7);
    let left: Vec<String> =
        world.column("SELECT polname::text FROM pg_policy p WHERE polrelid::regclass::text ~ '^m\\.'");
    assert_eq!(left, ["own"]);
    for function in ["enable_row_security", "disable_row_security"] {
        let error = world.error(&format!("SELECT clerk_fdw.{function}('nowhere')"));
        assert_eq!(*error.code(), postgres::error::SqlState::UNDEFINED_OBJECT);
    }
}

/// The claims of both versions of Clerk's session tokens are understood.
#[test]
fn jwt_claims_of_both_versions() {
    let world = World::new(small());
    let read = |claims: &str| -> [Option<String>; 3] {
        world.rows_of("SELECT set_config('request.jwt.claims', $1, false)", &[&claims]);
        let row = &world
            .rows("SELECT clerk_fdw.current_user_id(), clerk_fdw.current_org_id(), clerk_fdw.current_org_role()")[0];
        [row.get(0), row.get(1), row.get(2)]
    };
    let some = |values: [&str; 3]| values.map(|value| (!value.is_empty()).then(|| value.to_owned()));
    for (claims, expected) in [
        (r#"{"sub": "user_1", "o": {"id": "org_1", "rol": "admin"}}"#, ["user_1", "org_1", "org:admin"]),
        (r#"{"sub": "user_1", "org_id": "org_1", "org_role": "org:admin"}"#, ["user_1", "org_1", "org:admin"]),
        (r#"{"sub": "user_1", "org_id": "org_1", "org_role": "admin"}"#, ["user_1", "org_1", "org:admin"]),
        (r#"{"sub": "user_1"}"#, ["user_1", "", ""]),
        ("{}", ["", "", ""]),
        ("", ["", "", ""]),
    ] {
        assert_eq!(read(claims), some(expected), "{claims}");
    }
    // Postgres cannot store it, and an id must not end there.
    world.rows_of("SELECT set_config('request.jwt.claims', $1, false)", &[&r#"{"sub": "user_1\u0000"}"#]);
    assert_eq!(world.error("SELECT clerk_fdw.current_user_id()").code().code(), "22P02");
}

/// Row security works on tables that were there before the mirror.
#[test]
fn row_security_on_existing_tables() {
    let world = World::new(clerk_sim::Config { users: 3, ..small() });
    world.run(
        r#"CREATE TABLE people (id serial PRIMARY KEY, clerk_id text UNIQUE, first_name text);
           SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{organizations}', tables => '{"users": "public.people"}')"#,
    );
    world.run("CALL clerk_fdw.sync('m')");
    world.run("SELECT clerk_fdw.enable_row_security('m')");
    let id: String = world.one("SELECT min(clerk_id) FROM people");
    let reader = world.role("reader");
    world.run(&format!(
        "CREATE ROLE {reader};
         GRANT USAGE ON SCHEMA m TO {reader};
         GRANT SELECT ON people, m.organizations TO {reader};
         GRANT EXECUTE ON FUNCTION clerk_fdw.current_user_id, clerk_fdw.current_organizations,
           clerk_fdw.current_visible_user_ids TO {reader}"
    ));
    let organization: String = world.one("SELECT min(organization_id) FROM m.organizations");
    let claims = json!({"sub": id, "org_id": organization}).to_string();
    world.rows_of("SELECT set_config('request.jwt.claims', $1, false)", &[&claims]);
    world.run(&format!("SET ROLE {reader}"));
    assert_eq!(world.column::<String>("SELECT clerk_id FROM people"), [id]);
    // Where there are no memberships, the token says which organization is theirs.
    assert_eq!(world.column::<String>("SELECT organization_id FROM m.organizations"), [organization]);
    world.run(&format!("RESET ROLE; SELECT clerk_fdw.drop_mirror('m', keep_tables => true); SET ROLE {reader}"));
    assert_eq!(world.one::<i64>("SELECT count(*) FROM people"), 0, "of a mirror that is gone nobody sees anything");
    world.run(&format!("RESET ROLE; DROP OWNED BY {reader}; DROP ROLE {reader}"));
}
