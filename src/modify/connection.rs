//! Sends the requests of a write, and tells which rows have reached Clerk when one of them fails.

use std::sync::Arc;

use clerk_api::catalog::Method;
use clerk_api::write::Outcome;
use clerk_api::{Client, Error, Page, Request, Stats};
use pgrx::{check_for_interrupts, pg_sys};

use super::ledger;
use crate::error::{FdwError, OrRaise};
use crate::pg::encoding::for_message;
use crate::pg::hidden_statement::HiddenStatement;
use crate::remote::io_thread::{self, Pages};
use crate::remote::server::Server;

/// A connection for writes, as one role.
pub struct Connection {
    pub server: Server,
    pub role: pg_sys::Oid,
    client: Option<Arc<Client>>,
    /// How many requests were sent, retries included.
    pub requests: u64,
    /// What had been done of a row that several requests write.
    pub partly: Option<String>,
}

/// Rows of a statement, which are counted from 1.
#[derive(Default)]
pub struct Rows(Vec<u64>);

/// The answer to a request: the body, or Clerk's refusal.
pub type Answer = Result<String, Error>;

/// What a group of requests is about.
pub struct Purpose<'p> {
    /// What the rows that reach Clerk are, such as "rows inserted into organizations". `None` if they were noted with an
    /// earlier request.
    pub change: Option<&'p str>,
    /// The rows that each request writes.
    pub rows: &'p [Vec<u64>],
    /// Whether a refusal is an answer and not an error.
    pub takes_refusals: bool,
    /// Whether other requests are sent after a refusal. Otherwise their answer is [`Error::BrokenOff`].
    pub goes_on: bool,
}

impl Connection {
    /// A connection to a server, as a role. Nothing is opened yet.
    pub fn new(server: Server, role: pg_sys::Oid) -> Self {
        Connection { server, role, client: None, requests: 0, partly: None }
    }

    /// The client. It is made when it is used for the first time, so that a statement without rows needs no key.
    pub fn client(&mut self) -> Result<Arc<Client>, FdwError> {
        if let Some(client) = &self.client {
            return Ok(Arc::clone(client));
        }
        let (client, _) = self.server.connect(self.role)?;
        self.client = Some(Arc::clone(&client));
        Ok(client)
    }

    /// Waits for the next page of what is read beside a write.
    pub fn next(&mut self, pages: &mut Pages) -> Option<Page> {
        let server = &self.server.name;
        let page = pages.next().map_err(|error| FdwError::Clerk { error, server: server.clone() }).or_raise();
        if page.is_none() {
            self.requests += pages.stats().requests();
        }
        page
    }

    /// Sends one request, which is not for a row of a statement, and returns the body of the answer.
    pub fn call(&mut self, request: Request) -> String {
        let answer = self.call_for_answer(request);
        let server = self.server.name.clone();
        answer.map_err(|error| FdwError::Clerk { error: error.into(), server }).or_raise()
    }

    /// Sends one request, which is not for a row of a statement.
    pub fn call_for_answer(&mut self, request: Request) -> Answer {
        let hidden = HiddenStatement::new();
        let change = request.readable();
        let outcomes = self.exchange(vec![request], Some(&change), &[vec![1]], &mut Rows::default(), false);
        hidden.end();
        outcomes.into_iter().next().map_or(Err(Error::BrokenOff), answer)
    }

    /// Sends requests, several beside each other, and returns their answers. The rows that have reached Clerk are added to
    /// `reached`. An error says how many these are.
    pub fn send(&mut self, requests: Vec<Request>, purpose: &Purpose, reached: &mut Rows) -> Vec<Answer> {
        // Whatever is raised here, the log does not get to see the statement, which may have a password in it.
        let hidden = HiddenStatement::new();
        let outcomes = self.exchange(requests, purpose.change, purpose.rows, reached, purpose.goes_on);
        let is_refusal = |outcome: &Outcome| matches!(outcome, Outcome::Failed(Error::Refused { .. }));
        let was_refused = purpose.takes_refusals && outcomes.iter().any(is_refusal);
        let failures = outcomes.iter().zip(purpose.rows).filter_map(|(outcome, rows)| match outcome {
            Outcome::Failed(Error::Refused { .. }) if purpose.takes_refusals => None,
            Outcome::Failed(error) => Some((error.clone(), rows)),
            Outcome::Done(_) => None,
            Outcome::NotSent if was_refused => None,
            // What was not sent has a failure beside it that says why.
            Outcome::NotSent | Outcome::OnItsWay => Some((Error::BrokenOff, rows)),
        });
        let failed = failures.min_by_key(|(error, _)| matches!(error, Error::BrokenOff));
        if let Some((error, rows)) = failed {
            let mut progress = reached.progress(rows);
            if let Some(partly) = &self.partly {
                progress = format!("{progress} {partly}");
            }
            FdwError::Write { error: error.into(), server: self.server.name.clone(), progress }.raise();
        }
        hidden.end();
        outcomes.into_iter().map(answer).collect()
    }

    /// Sends requests, notes what has reached Clerk or may have, and is interrupted after that.
    fn exchange(
        &mut self,
        requests: Vec<Request>,
        change: Option<&str>,
        rows: &[Vec<u64>],
        reached: &mut Rows,
        goes_on: bool,
    ) -> Vec<Outcome> {
        let client = self.client().or_raise();
        let changes = requests.iter().any(|request| request.method() != Method::Get);
        if changes {
            ledger::notice_before_write();
        }
        check_for_interrupts!();
        let count = |stats: &Stats| self.requests += stats.requests();
        let shown: Vec<String> = requests.iter().map(Request::readable).collect();
        let outcomes = io_thread::send(requests, &client, goes_on, count).or_raise();
        for (outcome, rows) in outcomes.iter().zip(rows).filter(|_| changes) {
            match outcome {
                Outcome::Done(_) | Outcome::Failed(Error::Unreadable { .. }) => {
                    reached.0.extend(rows);
                    ledger::note(change.map(str::to_owned), rows.len() as u64);
                }
                Outcome::OnItsWay | Outcome::Failed(Error::Unknown { .. }) => {
                    ledger::note(change.map(|change| format!("perhaps {change}")), rows.len() as u64);
                }
                Outcome::NotSent | Outcome::Failed(_) => {}
            }
        }
        for (outcome, request) in outcomes.iter().zip(&shown) {
            if changes && matches!(outcome, Outcome::OnItsWay) {
                pgrx::warning!(
                    "{}",
                    for_message(format!(
                        "it is not known whether Clerk did this, because its answer was not waited for any longer: {request}"
                    ))
                );
            }
        }
        check_for_interrupts!();
        outcomes
    }
}

/// The answer in an outcome that is known.
fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Done(body) => Ok(String::from_utf8_lossy(&body).into_owned()),
        Outcome::Failed(error) => Err(error),
        Outcome::NotSent | Outcome::OnItsWay => Err(Error::BrokenOff),
    }
}

impl Rows {
    /// Adds a row.
    pub fn add(&mut self, row: u64) {
        self.0.push(row);
    }

    /// Takes a row back that was just added.
    pub fn take_back(&mut self, row: u64) {
        self.0.pop_if(|last| *last == row);
    }

    /// How many rows of the statement have reached Clerk, and which ones were next.
    pub fn progress(&mut self, next: &[u64]) -> String {
        self.0.sort_unstable();
        let reached = match self.0.len() {
            0 => "No row of this statement had reached Clerk".to_owned(),
            1 => format!("1 row of this statement had reached Clerk and stays there ({})", ranges(&self.0)),
            count => format!("{count} rows of this statement had reached Clerk and stay there ({})", ranges(&self.0)),
        };
        match next {
            [] => format!("{reached}."),
            [row] => format!("{reached}; row {row} was next."),
            rows => format!("{reached}; {} were next.", ranges(rows)),
        }
    }
}

/// Rows in ascending order as people write them: "rows 1 to 4, 6".
fn ranges(rows: &[u64]) -> String {
    const SHOWN: usize = 5;
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for row in rows {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *row => *last = *row,
            _ => ranges.push((*row, *row)),
        }
    }
    let mut texts: Vec<_> = ranges
        .iter()
        .take(SHOWN)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first} to {last}") })
        .collect();
    if ranges.len() > SHOWN {
        texts.push("and others".to_owned());
    }
    format!("{} {}", if rows.len() == 1 { "row" } else { "rows" }, texts.join(", "))
}
