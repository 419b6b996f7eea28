//! `eve`, a tenant with a mirror and exactly the grants that docs/guide/mirror.md gives, who wants more than her own rights.

use super::*;

/// A world in which eve has the mirror `m`, in a schema of hers, with a webhook secret.
pub struct Eve {
    pub world: World,
    /// What her role is called: roles are the whole cluster's.
    pub role: String,
    /// A connection of hers.
    pub session: Session,
}

impl Eve {
    pub fn new() -> Eve {
        let world = World::new(small());
        let role = world.role("eve");
        world.run(&format!("CREATE ROLE {role} LOGIN; {}", GRANTS.replace("ROLE", &role)));
        world.run(&format!(
            "CREATE USER MAPPING FOR {role} SERVER clerk OPTIONS (api_key '{}');
             CREATE SCHEMA m AUTHORIZATION {role};
             CREATE SCHEMA evil AUTHORIZATION {role};
             GRANT USAGE ON SCHEMA evil TO PUBLIC;
             CREATE TABLE public.loot (who text, how text)",
            world.sim.key()
        ));
        let session = world.connect();
        session.run(&format!("SET SESSION AUTHORIZATION {role}"));
        session.run(&format!(
            "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{{users}}');
             SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}');
             CREATE FUNCTION evil.payload() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
                 INSERT INTO public.loot VALUES (current_user, 'payload');
                 EXECUTE 'ALTER ROLE {role} SUPERUSER';
               END IF;
               RETURN 1; END $$"
        ));
        Eve { world, role, session }
    }

    /// Puts a trigger of hers on the mirror's users.
    pub fn trigger(&self, body: &str) {
        self.session.run(&format!(
            "CREATE OR REPLACE FUNCTION m.attack() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;
             CREATE TRIGGER attack AFTER INSERT OR UPDATE ON m.users FOR EACH ROW EXECUTE FUNCTION m.attack()"
        ));
    }

    /// Lets a superuser do something, whether it succeeds or not, and then other things in the same session.
    pub fn superuser_does(&self, statement: &str) -> Option<postgres::error::DbError> {
        let session = self.world.connect();
        let result = session.client().batch_execute(statement);
        let error = result.err().and_then(|error| error.as_db_error().cloned());
        session.run("SELECT 'a' = 'b', 1 + 1, 'x'::text, count(*) FROM pg_class");
        error
    }

    /// She has gained nothing.
    #[track_caller]
    pub fn assert_harmless(&self, context: &str) {
        let loot: Vec<String> = self.world.column("SELECT concat_ws(' ', who, how) FROM public.loot");
        assert_eq!(loot, [""; 0], "{context}");
        let is_super = format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{}'", self.role);
        assert!(!self.world.one::<bool>(&is_super), "{context}: she is a superuser");
    }

    /// A delivery of a new user, signed for her mirror, as PostgREST would pass it on.
    pub fn webhook(&self) -> String {
        self.world.sim.create_user(serde_json::json!({"first_name": "Ada"})).unwrap();
        let delivery = self.world.sim.webhooks().pop().unwrap();
        let headers = delivery.headers(SECRET).unwrap();
        let headers: serde_json::Map<String, serde_json::Value> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        format!(
            "SELECT set_config('request.headers', '{}', false); SELECT clerk_fdw.webhook('{}')",
            serde_json::Value::from(headers),
            delivery.body.replace('\'', "''")
        )
    }
}

impl Drop for Eve {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.run(&format!(
                "REASSIGN OWNED BY {0} TO postgres; DROP OWNED BY {0} CASCADE; DROP ROLE {0}",
                self.role
            ));
        }
    }
}
