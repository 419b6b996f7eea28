//! Joins of local rows with Clerk's, most of them lookup joins, whichever way they are written, planned and read.

mod queries;
mod tables;

use clerk_sim::Config;

use self::tables::{Form, ORGANIZATIONS, PEOPLE, Side};

use super::lists;
use super::values::{Maker, Table};
use super::{hold_each, small};

use crate::support::*;

/// A query and the ways to run it.
struct Drawn {
    settings: String,
    prepare: String,
    query: String,
    /// How many rows are fetched at once, if a cursor reads them.
    cursor: Option<(&'static str, Vec<usize>)>,
}

impl Maker {
    /// The query with settings, perhaps prepared, perhaps read by a cursor.
    fn drawn(&mut self, query: String, is_forced: bool, is_read: bool) -> Drawn {
        let mut settings = String::new();
        if is_forced {
            settings += "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off; ";
        }
        for setting in ["hashjoin", "mergejoin", "nestloop", "sort", "memoize", "material", "hashagg"] {
            if self.chance(8) {
                settings += &format!("SET enable_{setting} = off; ");
            }
        }
        if self.chance(30) {
            settings += "SET work_mem = '64kB'; ";
        }
        if self.chance(7) {
            settings += "SET clerk_fdw.enable_lookup_join = off; ";
        }
        if self.chance(10) {
            settings +=
                "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; ";
        }
        let parameters = self.parameters.take().unwrap_or_default();
        let is_prepared = !parameters.is_empty() || self.chance(25);
        if is_prepared {
            settings += &format!("SET plan_cache_mode = {}; ", self.one(&["force_custom_plan", "force_generic_plan"]));
            let in_parentheses = |list: Vec<&str>| match list.is_empty() {
                true => String::new(),
                false => format!("({})", list.join(", ")),
            };
            let types = in_parentheses(parameters.iter().map(|(kind, _)| &**kind).collect());
            let values = in_parentheses(parameters.iter().map(|(_, value)| &**value).collect());
            let prepare = format!("PREPARE q{types} AS {query}; ");
            return Drawn { settings, prepare, query: format!("EXECUTE q{values}"), cursor: None };
        }
        let cursor = (is_read && self.chance(25)).then(|| {
            const KINDS: [&str; 4] = ["CURSOR", "NO SCROLL CURSOR", "SCROLL CURSOR", "CURSOR WITH HOLD"];
            (KINDS[self.random.usize(..4)], (0..4).map(|_| [1, 3, 10, 99, 1000][self.random.usize(..5)]).collect())
        });
        Drawn { settings, prepare: String::new(), query, cursor }
    }
}

impl Drawn {
    /// How it differs from what the copies give.
    fn difference(&self, oracle: &Oracle, is_written: bool) -> Option<String> {
        oracle.run("RESET ALL");
        oracle.run(&self.settings);
        let Drawn { prepare, query, .. } = self;
        match &self.cursor {
            None if is_written => oracle.difference(&format!("BEGIN; {prepare}{query}; ROLLBACK")),
            None => oracle.difference(&format!("{prepare}{query}")),
            Some((kind, steps)) => oracle.difference_by(query, |query| {
                let rows = fetched(oracle, kind, steps, query);
                oracle.run("ROLLBACK");
                rows
            }),
        }
    }

    /// Whether its plan has a lookup join, or why there is no plan.
    fn is_lookup_join(&self, oracle: &Oracle) -> Result<bool, String> {
        oracle.run("RESET ALL");
        oracle.run(&self.settings);
        let plan = oracle.texts(&format!("{}EXPLAIN (COSTS OFF) {}", self.prepare, self.query));
        oracle.run("DEALLOCATE ALL; RESET ALL");
        Ok(plan?.iter().flatten().flatten().any(|line| line.contains("Clerk Lookup Join")))
    }
}

/// All rows of a cursor, in parts of so many rows one after the other.
fn fetched(oracle: &Oracle, kind: &str, steps: &[usize], query: &str) -> Result<Texts, String> {
    oracle.texts(&format!("BEGIN; DECLARE c {kind} FOR {query}"))?;
    let mut rows = Vec::new();
    for step in steps.iter().cycle() {
        let more = oracle.texts(&format!("FETCH {step} FROM c"))?;
        if more.is_empty() {
            break;
        }
        rows.extend(more);
    }
    Ok(rows)
}

/// Random joins over these tables; a good part of them has to be lookup joins.
#[track_caller]
fn of_forms(forms: &'static [Form], of_many: usize) {
    let config = Config { users: 120, organizations: 25, memberships: 300, ..small() };
    let mut sides: Vec<Side> = Vec::new();
    let (mut drawn_joins, mut lookup_joins, mut failed) = (0, 0, 0);
    hold_each(config, lists::crowd, of_many, |oracle, maker| {
        if sides.is_empty() {
            oracle.copy("user_email_addresses", "true");
            let made =
                forms.iter().map(|(name, ids, keys)| Side { table: Table::new(oracle, name, ids[0]), ids, keys });
            sides.extend(made);
            maker.create_rows(oracle, &Table::new(oracle, "users", "user_id"));
        }
        let (side, other) = (maker.random.usize(..sides.len()), maker.random.usize(..sides.len()));
        let (side, other) = (&sides[side], &sides[other]);
        let is_written = maker.chance(7);
        let query = match is_written {
            true => maker.written(side),
            false => maker.lookup_join(side, other),
        };
        let is_forced = maker.chance(60);
        let drawn = maker.drawn(query, is_forced, !is_written);
        match drawn.is_lookup_join(oracle) {
            Err(_) => failed += 1,
            // That there is none here is what the setting is for.
            Ok(_) if drawn.settings.contains("enable_lookup_join") => {}
            Ok(is_lookup_join) => {
                drawn_joins += 1;
                lookup_joins += usize::from(is_lookup_join);
            }
        }
        let difference = drawn.difference(oracle, is_written)?;
        let Drawn { settings, prepare, query, cursor } = drawn;
        Some(format!("\n{settings}{prepare}{query}\n   by {cursor:?} gave {difference}\n"))
    });
    assert!(failed * 20 <= drawn_joins || drawn_joins < 20, "Postgres refused {failed} beside {drawn_joins} joins");
    assert!(
        lookup_joins * 100 >= drawn_joins * 30 || drawn_joins < 20,
        "only {lookup_joins} of {drawn_joins} joins were lookup joins"
    );
}

/// Random lookups of users give what they give over copies.
#[test]
fn lookup_joins_of_users() {
    of_forms(PEOPLE, 1);
}

/// Random lookups of organizations, of their members and of memberships of users give what they give over copies.
#[test]
fn lookup_joins_of_organizations() {
    of_forms(ORGANIZATIONS, 1);
}
