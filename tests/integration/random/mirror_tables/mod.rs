//! Tables that nobody thought of, filled by mirrors: after each round of changes they hold what Clerk holds, as far as
//! they take it, and what is their own.
//!
//! What a table should hold is written into a table of the same types by a plain `INSERT ... SELECT` from a copy of the
//! live foreign table. A failure prints the seed, the statements that made the tables, and the history up to then.
//! `CLERK_FDW_RANDOM_SEED` runs one seed again, and forty queries of `CLERK_FDW_RANDOM_COUNT` cost what one mirror does.

mod tables;

use clerk_sim::{Config, State};
use fastrand::Rng;
use postgres::error::SqlState;
use serde_json::{Map, Value, json};

use self::tables::{Mapped, OwnTable, TYPES};

use crate::support::*;

/// Made-up tables hold what Clerk holds after each round of changes.
#[test]
fn mirror_tables_with_soft_delete() {
    mirrors("soft");
}

/// The same where deletes remove rows.
#[test]
fn mirror_tables_with_hard_delete() {
    mirrors("hard");
}

fn mirrors(deletes: &'static str) {
    if skip_without_icu() {
        return;
    }
    let seed = seed_from_environment("CLERK_FDW_RANDOM_SEED").unwrap_or_else(|| Rng::new().u64(..1_000_000));
    let count = seed_from_environment("CLERK_FDW_RANDOM_COUNT").unwrap_or(250) / 40;
    let mut random = Rng::with_seed(seed);
    let config = Config { users: 110, organizations: 14, memberships: 70, seed, lone_surrogates: false, ..small() };
    // With so many pages a sync finds the places of deletions by counting.
    let world = World::with(config, "page_size '10'");
    world.run("CREATE SCHEMA copy; SET TimeZone = 'UTC'");
    for number in 0..count {
        let history = format!("with CLERK_FDW_RANDOM_SEED={seed}, mirror {number}:\n");
        Mirrored::new(&world, &mut random, deletes, history).live();
    }
}

/// A mirror of made-up tables and what happened to it.
struct Mirrored<'w> {
    world: &'w World,
    random: &'w mut Rng,
    deletes: &'static str,
    tables: Vec<OwnTable>,
    history: String,
}

/// How much of Clerk's state a step has brought.
enum Coverage {
    /// All, as a sync does.
    All,
    /// What webhooks tell: neither counts nor what objects embed.
    ByWebhooks,
    /// What concerns one user.
    Of(String),
    /// Nothing: the table does not take what was asked for.
    Nothing,
}

impl<'w> Mirrored<'w> {
    fn new(world: &'w World, random: &'w mut Rng, deletes: &'static str, mut history: String) -> Self {
        world.run(&format!("CREATE SCHEMA own;\n{TYPES}"));
        let mut objects: Vec<_> = OBJECTS.into_iter().filter(|_| random.u8(..4) > 0).collect();
        if objects.is_empty() {
            objects.push("users");
        }
        let ids = ObjectIds::of(world);
        let known = |object| match object {
            "users" => &ids.users,
            "organizations" => &ids.organizations,
            _ => &ids.memberships,
        };
        let tables: Vec<_> = objects.iter().map(|object| OwnTable::new(random, world, object, known(object))).collect();
        let (mut names, mut maps) = (Map::new(), Map::new());
        for table in &tables {
            history += &table.ddl;
            names.insert(table.object.to_owned(), Value::from(&*table.name));
            maps.extend(table.map().map(|map| (table.object.to_owned(), map)));
        }
        let (names, maps) = (Value::from(names).to_string(), Value::from(maps).to_string());
        let make = format!(
            "SELECT clerk_fdw.create_mirror('clerk', schema => 'm', objects => '{{{}}}', deletes => '{deletes}',
               tables => '{names}', columns => '{}');",
            objects.join(","),
            maps.replace('\'', "''")
        );
        history += &make;
        let mirrored = Mirrored { world, random, deletes, tables, history };
        mirrored.run(&mirrored.tables.iter().map(|table| &*table.ddl).collect::<String>());
        mirrored.run(&make);
        mirrored.run(&format!("SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}')"));
        for table in &mirrored.tables {
            // Rows of the application that are not Clerk's.
            mirrored.run(&format!("INSERT INTO {} ({}) VALUES ('ours_1'), ('ours_2')", table.name, table.id));
        }
        mirrored
    }

    /// Some rounds of changes, from the first sync until the mirror is dropped.
    fn live(mut self) {
        for round in 0..5 {
            self.history += "\n";
            self.change();
            self.touch();
            self.remember();
            let coverage = match self.random.u8(..8) {
                0 if round > 0 => self.webhooks(),
                1 if round > 0 && self.tables[0].object == "users" => self.sync_user(),
                _ => self.sync(),
            };
            for table in &self.tables {
                self.check(table, &coverage);
            }
            if matches!(coverage, Coverage::All) && self.random.u8(..3) == 0 {
                self.check_settled();
            }
        }
        self.run("SELECT clerk_fdw.drop_mirror('m')");
        self.world.run("SET client_min_messages = warning; DROP SCHEMA own CASCADE; RESET client_min_messages");
    }

    /// Runs statements of whose failure the history tells.
    #[track_caller]
    fn run(&self, statements: &str) {
        let done = self.world.client().batch_execute(statements);
        done.unwrap_or_else(|error| panic!("{error:?}\nin {statements}\n{}", self.history));
    }

    /// Changes at Clerk.
    fn change(&mut self) {
        let live = ObjectIds::of(self.world);
        let (random, history) = (&mut *self.random, &mut self.history);
        let many = random.usize(..14);
        self.world.sim.change(|state| {
            for _ in 0..many {
                change(state, &live, random, history);
            }
        });
    }

    /// The application writes its own columns.
    fn touch(&mut self) {
        for table in &self.tables {
            for (column, value) in [("theme", "'light'"), ("score", "score + 1"), ("note", "'seen'")] {
                if table.own.iter().any(|(own, _)| own == column) {
                    let (name, id, remainder) = (&table.name, &table.id, self.random.u8(..5));
                    let some = format!("abs(hashtext({id}::text)) % 5 = {remainder}");
                    self.world.run(&format!("UPDATE {name} SET {column} = {value} WHERE {some}"));
                }
            }
        }
    }

    /// Keeps what the tables hold, to be compared with what they will hold.
    fn remember(&self) {
        for table in &self.tables {
            let (object, name, id, kept) = (table.object, &table.name, table.id_text(), table.kept());
            self.world.run(&format!(
                "DROP TABLE IF EXISTS copy.{object}_before;
                 CREATE TABLE copy.{object}_before AS
                   SELECT {id} AS id, {kept} AS kept, t::text AS row, {} IS NULL AS is_ours FROM {name} t",
                table.synced_at
            ));
        }
    }

    fn sync(&mut self) -> Coverage {
        let mode = self.random.choice(["", ", mode => 'incremental'", ", mode => 'full'"]).unwrap_or_default();
        let zone = self.random.choice(["UTC", "Asia/Kolkata", "America/New_York"]).unwrap_or_default();
        self.history += &format!("; sync{mode} in {zone}");
        self.run(&format!("SET TimeZone = '{zone}'"));
        self.run(&format!("CALL clerk_fdw.sync('m'{mode})"));
        // What the tables should hold is worked out in UTC.
        self.run("SET TimeZone = 'UTC'");
        self.world.sim.clear_webhooks();
        Coverage::All
    }

    /// All that happened since the last sync, in any order if all tables can tell which state is the newer one.
    fn webhooks(&mut self) -> Coverage {
        self.history += "; webhooks";
        let mut deliveries = self.world.sim.webhooks();
        if self.tables.iter().all(OwnTable::tells_order) {
            self.random.shuffle(&mut deliveries);
        }
        for delivery in &deliveries {
            receive(self.world, delivery).unwrap_or_else(|error| panic!("{error:?}\n{}", self.history));
        }
        self.world.sim.clear_webhooks();
        Coverage::ByWebhooks
    }

    fn sync_user(&mut self) -> Coverage {
        let user = self.random.choice(ObjectIds::of(self.world).users).expect("users");
        self.history += &format!("; sync_user {user}");
        let done = self.world.client().batch_execute(&format!("SELECT clerk_fdw.sync_user('m', '{user}')"));
        match done {
            Ok(()) => Coverage::Of(user),
            Err(error) if error.code() == Some(&SqlState::STRING_DATA_RIGHT_TRUNCATION) => Coverage::Nothing,
            Err(error) => panic!("{error:?}\n{}", self.history),
        }
    }

    /// A sync of what is in step already changes nothing.
    fn check_settled(&self) {
        self.run("CALL clerk_fdw.sync('m', mode => 'full')");
        for table in &self.tables {
            let nothing = Changes { inserted: 0, updated: 0, deleted: 0 };
            assert_eq!(last_run(self.world, table.object).changes, nothing, "{} again\n{}", table.object, self.history);
        }
    }

    /// Holds a table against what it should hold.
    fn check(&self, table: &OwnTable, coverage: &Coverage) {
        self.copy(table);
        let mut wrong = self.beside_clerk(table, coverage);
        wrong.extend(self.beside_before(table));
        if matches!(coverage, Coverage::All) {
            wrong.extend(self.beside_log(table));
        }
        assert!(wrong.is_empty(), "{}: {wrong:#?}\n{}", table.object, self.history);
    }

    /// Copies what Clerk has, and the ids of what the table does not take.
    fn copy(&self, table: &OwnTable) {
        let (object, id, fits) = (table.object, table.clerks_id(), table.fits());
        let needed = table.needed(self.world).join(", ");
        self.world.run(&format!(
            "DROP TABLE IF EXISTS copy.{object}, copy.unfit;
             CREATE TABLE copy.{object} AS SELECT {needed} FROM clerk.{object};
             CREATE TABLE copy.unfit AS SELECT {id} AS id FROM copy.{object} WHERE NOT ({fits})"
        ));
    }

    /// The rows of a query, which should have none.
    fn none(&self, what: &str, query: &str) -> Vec<String> {
        let row = format!("'{}: ' || left(r::text, 700)", what.replace('\'', "''"));
        self.world.column(&format!("SELECT {row} FROM ({query}) q(r) LIMIT 3"))
    }

    /// What differs between the mapped columns and a table of the same types that was filled from the copy.
    fn beside_clerk(&self, table: &OwnTable, coverage: &Coverage) -> Vec<String> {
        let is_covered = |mapped: &&Mapped| match coverage {
            Coverage::ByWebhooks => {
                let untold = ["members_count", "invitations_count", "missing_member", "attrs", "email", "identifier"];
                !untold.iter().any(|name| mapped.expression.contains(name))
            }
            _ => true,
        };
        let compared: Vec<_> = table.clerks().filter(is_covered).collect();
        let columns = compared.iter().map(|mapped| mapped.column()).collect::<Vec<_>>().join(", ");
        let values = compared.iter().map(|mapped| &*mapped.expression).collect::<Vec<_>>().join(", ");
        let texts: Vec<_> = compared.iter().map(|mapped| format!("{}::text COLLATE \"C\"", mapped.column())).collect();
        let texts = format!("ROW({})::text", texts.join(", "));
        let of_user = |user: &String| {
            let owner = table.clerks().find(|mapped| mapped.expression == "user_id")?;
            Some((format!("{} = '{user}'", owner.column()), format!("user_id = '{user}'")))
        };
        let concerned = match coverage {
            Coverage::All | Coverage::ByWebhooks => Some(("true".to_owned(), "true".to_owned())),
            Coverage::Of(user) => of_user(user),
            Coverage::Nothing => None,
        };
        let Some((here, there)) = concerned else { return Vec::new() };
        let (object, name, fits, id) = (table.object, &table.name, table.fits(), table.id_text());
        let (synced, deleted) = (&table.synced_at, &table.deleted_at);
        self.world.run(&format!(
            "DROP TABLE IF EXISTS copy.expected;
             CREATE TABLE copy.expected AS SELECT {columns} FROM {name} WITH NO DATA;
             INSERT INTO copy.expected SELECT {values} FROM copy.{object} WHERE {there} AND {fits}"
        ));
        let held = format!(
            "SELECT {texts} FROM {name} WHERE {deleted} IS NULL AND {synced} IS NOT NULL AND {here}
                AND {id} NOT IN (SELECT id FROM copy.unfit)"
        );
        let expected = format!("SELECT {texts} FROM copy.expected");
        let mut wrong = self.none("not at Clerk", &format!("{held} EXCEPT ALL {expected}"));
        wrong.extend(self.none("not in the table", &format!("{expected} EXCEPT ALL {held}")));
        wrong
    }

    /// What should be as it was and is not, and what new rows should have beside Clerk's values.
    fn beside_before(&self, table: &OwnTable) -> Vec<String> {
        let (object, name, id, clerks_id) = (table.object, &table.name, table.id_text(), table.clerks_id());
        let before = format!("copy.{object}_before");
        let both = format!("{name} t JOIN {before} b ON b.id = {id}");
        let kept = table.kept();
        let mut wrong = self.none("the application's", &format!("SELECT b.kept FROM {both} WHERE b.kept <> {kept}"));
        let ours = format!("SELECT b.row FROM {both} WHERE b.is_ours AND b.row <> t::text");
        wrong.extend(self.none("the application's row", &ours));
        let stays = match self.deletes {
            "soft" => "true".to_owned(),
            _ => format!("(b.is_ours OR b.id IN (SELECT {clerks_id} FROM copy.{object}))"),
        };
        let lost = format!("SELECT b.id FROM {before} b WHERE {stays} AND b.id NOT IN (SELECT {id} FROM {name})");
        wrong.extend(self.none("a row went", &lost));
        for (column, default) in &table.own {
            let Some(default) = default else { continue };
            let other = format!("{id} NOT IN (SELECT id FROM {before}) AND {column} IS DISTINCT FROM {default}");
            wrong.extend(self.none("no default", &format!("SELECT {id} FROM {name} WHERE {other}")));
        }
        for (column, expression) in &table.generated {
            let other = format!("{column} IS DISTINCT FROM ({expression})");
            wrong.extend(self.none("not generated", &format!("SELECT ROW({id}, {column}) FROM {name} WHERE {other}")));
        }
        if table.has_number {
            let twice = format!("SELECT n FROM {name} GROUP BY n HAVING count(*) > 1");
            wrong.extend(self.none("a number twice", &twice));
        }
        wrong
    }

    /// What the log of the last sync tells wrong.
    fn beside_log(&self, table: &OwnTable) -> Vec<String> {
        let (object, name, id) = (table.object, &table.name, table.id_text());
        let refused = format!(
            "SELECT object_id COLLATE \"C\" FROM clerk_fdw.sync_errors
              WHERE resolved_at IS NULL AND mirror = 'm' AND object = '{object}'"
        );
        let mut wrong = self.none("refused, but not logged", &format!("SELECT id FROM copy.unfit EXCEPT {refused}"));
        wrong.extend(self.none("refused", &format!("{refused} EXCEPT SELECT id FROM copy.unfit")));
        let new = format!("SELECT count(*) FROM {name} WHERE {id} NOT IN (SELECT id FROM copy.{object}_before)");
        let (new, logged) = (self.world.one::<i64>(&new), last_run(self.world, object));
        wrong.extend((new != logged.changes.inserted).then(|| format!("{new} rows are new, but {logged:?}")));
        wrong
    }
}

/// One change to whatever there is.
fn change(state: &mut State, live: &ObjectIds, random: &mut Rng, history: &mut String) {
    let text = ["Ada", "", " ", "Maximiliane", "nobodys", "Zoë", "ΟΔΥΣΣΕΥΣ", "de la Vega y Santos", "\\'\"", "ada"];
    let text = text[random.usize(..text.len())];
    let number = random.u32(..);
    let mut any = |ids: &[String]| random.choice(ids).cloned().unwrap_or_default();
    let (user, organization, membership) = (any(&live.users), any(&live.organizations), any(&live.memberships));
    let plan = json!({"plan": text, "seats": number % 50});
    let kind = random.u8(..16);
    let done = match kind {
        0..3 => state.create_user(json!({"first_name": text, "email_address": format!("{number}@example.com")})).map(drop),
        // Somebody who signed up elsewhere long ago, and now came over.
        3 => {
            let created_at = 1_700_000_000_000 + i64::from(number) * 20;
            let id = state.create_user(json!({"created_at": created_at}));
            id.and_then(|id| state.update_user(&id, json!({"username": format!("old{number}")})))
        }
        4 => state.update_user(&user, json!({"public_metadata": plan, "unsafe_metadata": {}})),
        5 => state.update_user(&user, json!({"first_name": text, "last_name": text, "external_id": format!("{text}{number}")})),
        6 => state.update_user(&user, json!({"email_address": [format!("{text}{number}@example.com"), "b@example.com"], "banned": number.is_multiple_of(2)})),
        7 => state.update_user(&user, json!({"last_sign_in_at": 1_700_000_000_000_i64 + i64::from(number), "phone_number": null_or(number)})),
        8..11 => state.delete_user(&user),
        11 => match number % 3 {
            0 => state.delete_organization(&organization),
            _ => state.create_organization(json!({"name": text, "slug": format!("s{number}")})).map(drop),
        },
        12 => state.update_organization(&organization, json!({"name": text, "private_metadata": plan})),
        13 => match number % 2 {
            0 => state.update_membership(&membership, json!({"role": format!("org:{text}")})),
            _ => state.delete_membership(&membership),
        },
        _ => state.create_membership(&user, &organization, json!({"public_metadata": plan})).map(drop),
    };
    *history += &format!(" {kind}{}", if done.is_ok() { "" } else { "-" });
}

/// A phone number, or none any more.
fn null_or(number: u32) -> Vec<String> {
    (0..number % 3).map(|line| format!("+1555{line}{:06}", number % 1_000_000)).collect()
}
