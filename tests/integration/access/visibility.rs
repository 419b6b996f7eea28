//! Who sees what under row security, and how soon they do not any more.

use serde_json::{Value, json};

use crate::support::*;

/// Ada and Grace share an organization; a reader has SELECT on everything in the mirror's schema.
struct People {
    world: World,
    role: String,
    ada: String,
    grace: String,
    organization: String,
}

impl People {
    fn new() -> People {
        let world = webhook_mirror("soft");
        let user = |name: &str| {
            let metadata = json!({"first_name": name, "private_metadata": {"ssn": "secret"}, "email_address": [format!("{name}@example.com")]});
            world.sim.create_user(metadata).unwrap()
        };
        let (ada, grace) = (user("ada"), user("grace"));
        let organization = world.sim.create_organization(json!({"name": "Engines"})).unwrap();
        for member in [&ada, &grace] {
            world.sim.create_membership(member, &organization, json!({})).unwrap();
        }
        world.run("CALL clerk_fdw.sync('m')");
        world.sim.clear_webhooks();
        let role = world.role("reader");
        world.run(&format!(
            "CREATE ROLE {role};
             SELECT clerk_fdw.enable_row_security('m');
             GRANT USAGE ON SCHEMA m TO {role};
             GRANT SELECT ON ALL TABLES IN SCHEMA m TO {role};
             GRANT EXECUTE ON FUNCTION clerk_fdw.current_user_id, clerk_fdw.current_organizations,
               clerk_fdw.current_visible_user_ids TO {role}"
        ));
        People { world, role, ada, grace, organization }
    }

    /// What a request of a person sees in a column.
    #[track_caller]
    fn sees(&self, person: &str, query: &str) -> Vec<String> {
        self.world.run(&format!("BEGIN; SET LOCAL ROLE {}", self.role));
        let claims: Value = json!({"sub": person, "org_id": self.organization});
        self.world.rows_of("SELECT set_config('request.jwt.claims', $1, true)", &[&claims.to_string()]);
        let seen = sorted(self.world.column(query));
        self.world.run("COMMIT");
        seen
    }

    /// How many rows a person sees in everything there is.
    #[track_caller]
    fn sees_anything(&self, person: &str) -> usize {
        ["users", "organizations", "organization_memberships"]
            .iter()
            .flat_map(|object| [format!("m.{object}"), format!("m.visible_{object}")])
            .map(|relation| self.sees(person, &format!("SELECT 'row'::text FROM {relation}")).len())
            .sum()
    }

    /// Takes in what Clerk has told since.
    fn hears(&self) {
        for delivery in self.world.sim.webhooks() {
            receive(&self.world, &delivery).unwrap();
        }
        self.world.sim.clear_webhooks();
    }
}

impl Drop for People {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.run(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.role));
        }
    }
}

/// A mirror's tables show other roles nothing before row security says what.
#[test]
fn nothing_is_visible_by_default() {
    let world = webhook_mirror("soft");
    let reader = world.role("reader");
    world.run(&format!(
        "CREATE ROLE {reader}; GRANT USAGE ON SCHEMA m TO {reader};
         GRANT SELECT ON ALL TABLES IN SCHEMA m TO {reader}; SET ROLE {reader}"
    ));
    assert_eq!(world.one::<i64>("SELECT count(*) FROM m.users"), 0);
    world.run(&format!("RESET ROLE; DROP OWNED BY {reader}; DROP ROLE {reader}"));
}

/// Members of one organization see a profile of each other and no more.
#[test]
fn members_see_profiles_only() {
    let people = People::new();
    let People { ada, grace, .. } = &people;
    assert_eq!(people.sees(ada, "SELECT user_id FROM m.visible_users"), sorted(vec![ada.clone(), grace.clone()]));
    assert_eq!(people.sees(ada, "SELECT email FROM m.visible_users WHERE email IS NOT NULL"), ["ada@example.com"]);
    let ssn = format!("SELECT user_id FROM m.users WHERE private_metadata ->> 'ssn' = 'secret' AND user_id <> '{ada}'");
    assert_eq!(people.sees(ada, &ssn), [""; 0]);
    assert_eq!(people.sees(ada, &format!("SELECT user_id FROM m.users WHERE user_id = '{grace}'")), [""; 0]);
}

/// What a person sees of an organization ends with the membership.
#[test]
fn membership_end() {
    let people = People::new();
    let People { world, ada, grace, .. } = &people;
    let membership = world.sim.memberships().into_iter().find(|membership| membership.json.contains(grace.as_str()));
    world.sim.delete_membership(&membership.unwrap().id).unwrap();
    people.hears();
    assert_eq!(people.sees(grace, "SELECT user_id FROM m.visible_users"), [grace.as_str()]);
    assert_eq!(people.sees(ada, "SELECT user_id FROM m.visible_users"), [ada.as_str()]);
}

/// What members see of an organization ends with the organization.
#[test]
fn organization_delete() {
    let people = People::new();
    let People { world, ada, organization, .. } = &people;
    world.sim.delete_organization(organization).unwrap();
    // Of what Clerk tells, only that the organization is deleted.
    let delivery = world.sim.webhooks().into_iter().find(|delivery| delivery.kind == "organization.deleted").unwrap();
    assert_eq!(receive(world, &delivery).unwrap(), "applied");
    assert_eq!(people.sees(ada, "SELECT user_id FROM m.visible_users"), [ada.as_str()]);
    assert_eq!(people.sees(ada, "SELECT name FROM m.organizations"), [""; 0]);
    assert_eq!(people.sees(ada, "SELECT user_id FROM m.visible_organization_memberships"), [""; 0]);
    let left = format!(
        "SELECT count(*) FROM m.organization_memberships WHERE organization_id = '{organization}' AND deleted_at IS NULL"
    );
    assert_eq!(world.one::<i64>(&left), 0, "memberships go with their organization");
}

/// A deleted user sees nothing and is not shown.
#[test]
fn user_delete() {
    let people = People::new();
    let People { world, ada, grace, .. } = &people;
    assert!(people.sees_anything(grace) > 0);
    world.sim.delete_user(grace).unwrap();
    let delivery = world.sim.webhooks().into_iter().find(|delivery| delivery.kind == "user.deleted").unwrap();
    assert_eq!(receive(world, &delivery).unwrap(), "applied");
    assert_eq!(people.sees_anything(grace), 0, "a deleted user's token still verifies");
    assert_eq!(people.sees(ada, "SELECT user_id FROM m.visible_users"), [ada.as_str()], "nor is one shown");
    assert_eq!(people.sees(ada, "SELECT user_id FROM m.visible_organization_memberships"), [ada.as_str()]);
}

/// A banned user sees nothing.
#[test]
fn user_ban() {
    let people = People::new();
    let People { world, grace, .. } = &people;
    let user = world.sim.users().into_iter().find(|user| user.id == *grace).unwrap();
    let mut user: Value = serde_json::from_str(&user.json).unwrap();
    let updated_at = user["updated_at"].as_i64().unwrap() + 1;
    user["banned"] = true.into();
    user["updated_at"] = updated_at.into();
    let delivery = world.sim.event("user.updated", user, updated_at).unwrap();
    assert_eq!(receive(world, &delivery).unwrap(), "applied");
    assert!(world.one::<bool>(&format!("SELECT banned FROM m.users WHERE user_id = '{grace}'")));
    assert_eq!(people.sees_anything(grace), 0);
}

/// What a backend remembers of a mirror does not outlive a change.
#[test]
fn renamed_and_dropped_tables() {
    let people = People::new();
    let People { world, ada, .. } = &people;
    assert_eq!(people.sees(ada, "SELECT name FROM m.organizations"), ["Engines"]);
    world.connect().run("ALTER TABLE m.organization_memberships RENAME TO members");
    assert_eq!(people.sees(ada, "SELECT name FROM m.organizations"), ["Engines"]);
    world.connect().run("SELECT clerk_fdw.drop_mirror('m', keep_tables => true)");
    assert_eq!(people.sees(ada, "SELECT name FROM m.organizations"), [""; 0]);
}
