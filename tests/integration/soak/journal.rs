//! What was done, which errors it met, and what of it was wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use super::scene::Phase;

/// An error that what goes on in a run explains.
struct Expected {
    state: &'static str,
    /// The message has one of these in it; none for any message.
    says: &'static [&'static str],
    /// What meets it: the beginning of an operation's name.
    in_what: &'static [&'static str],
    only_in_storm: bool,
}

const fn any_time(state: &'static str, says: &'static [&'static str], in_what: &'static [&'static str]) -> Expected {
    Expected { state, says, in_what, only_in_storm: false }
}

const fn in_storm(state: &'static str) -> Expected {
    Expected { state, says: &[], in_what: &[""], only_in_storm: true }
}

const EVERYTHING: &[&str] = &[""];

/// The state of an error without one: the connection is lost.
pub const LOST: &str = "lost";

const EXPECTED: &[Expected] = &[
    // Backends are cancelled and terminated all the time.
    any_time("57014", &["user request"], EVERYTHING),
    any_time("57P01", &[], EVERYTHING),
    any_time(LOST, &[], EVERYTHING),
    // These set a short statement_timeout.
    any_time("57014", &["statement timeout"], &["read: impatient"]),
    // Clerk's faults, after all retries; answers that are cut short or no JSON are not asked for again.
    any_time("08006", &[], EVERYTHING),
    any_time("HV00L", &["cut short", "is not"], EVERYTHING),
    // Somebody else has deleted the object.
    any_time("HV000", &["status 404"], &["write", "sync: user", "webhook: revalidated"]),
    // What becomes of a write is not known if its answer is lost.
    any_time("08007", &[], &["write"]),
    // Users were imported while a sync read the list, or between two of which the second went on with the first's work.
    any_time("HV000", &["Clerk counts"], &["sync"]),
    // A mirror has one sync at a time.
    any_time("55006", &["is being synced"], &["sync", "define"]),
    // Killed processes and restarts.
    in_storm("57P02"),
    in_storm("57P03"),
    in_storm("connect"),
];

/// An error as operations meet it.
pub struct Met {
    pub state: String,
    pub message: String,
}

impl From<&postgres::Error> for Met {
    fn from(error: &postgres::Error) -> Met {
        match error.as_db_error() {
            Some(error) => Met {
                state: error.code().code().to_owned(),
                message: [Some(error.message()), error.detail()].into_iter().flatten().collect::<Vec<_>>().join(" "),
            },
            None => Met { state: LOST.to_owned(), message: format!("{error:?}") },
        }
    }
}

#[derive(Default)]
struct Pages {
    done: BTreeMap<&'static str, u64>,
    /// How often each error was met in each operation, and the message of the first.
    errors: BTreeMap<(&'static str, String), (u64, String)>,
    wrong: Vec<String>,
}

#[derive(Default)]
pub struct Journal(Mutex<Pages>);

impl Journal {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap()
    }

    pub fn done(&self, what: &'static str) {
        *self.pages().done.entry(what).or_default() += 1;
    }

    /// An operation failed; that is wrong if nothing explains it.
    pub fn failed(&self, what: &'static str, phase: Phase, met: &Met) {
        let Met { state, message } = met;
        let is_expected = EXPECTED.iter().any(|expected| {
            expected.state == state
                && (expected.says.is_empty() || expected.says.iter().any(|says| message.contains(says)))
                && expected.in_what.iter().any(|part| what.starts_with(part))
                && (phase != Phase::Calm || !expected.only_in_storm)
        });
        self.pages().errors.entry((what, state.clone())).or_insert_with(|| (0, message.clone())).0 += 1;
        if !is_expected {
            self.wrong(format!("{what}, {phase:?}: unexpected {state}: {message}"));
        }
    }

    /// Something does not hold.
    pub fn wrong(&self, what: String) {
        eprintln!("WRONG: {what}");
        self.pages().wrong.push(what);
    }

    pub fn is_wrong(&self) -> bool {
        !self.pages().wrong.is_empty()
    }

    pub fn wrongs(&self) -> String {
        self.pages().wrong.join("\n")
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages = self.pages();
        writeln!(to, "\n{:<32} {:>8}  errors by SQLSTATE", "operation", "done")?;
        let mut whats: Vec<_> = pages.done.keys().chain(pages.errors.keys().map(|(what, _)| what)).collect();
        whats.sort();
        whats.dedup();
        for what in whats {
            write!(to, "{what:<32} {:>8} ", pages.done.get(what).unwrap_or(&0))?;
            for ((_, state), (times, _)) in pages.errors.iter().filter(|((of, _), _)| of == what) {
                write!(to, " {state}: {times}")?;
            }
            writeln!(to)?;
        }
        writeln!(to, "\nthe first message of each error:")?;
        for ((what, state), (_, message)) in &pages.errors {
            let message: String = message.chars().take(160).collect();
            writeln!(to, "  {state:<8} {what}: {}", message.replace('\n', " "))?;
        }
        Ok(())
    }
}
