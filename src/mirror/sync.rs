//! A sync from its beginning to its end.
//!
//! It commits with each page. All that can fail is an attempt, so that there is always a transaction left to write
//! down in how far it came and why it ended.

use std::sync::Arc;

use clerk_api::object::INSTANCE;
use clerk_api::{Client, Filters, From, Page, Read};

use super::config::{Mirror, Table, Which};
use super::lock::Lock;
use super::run::{Mode, Run, Step, Wish, say};
use super::{full, incremental, store};
use crate::attempt::{Failure, attempt};
use crate::error::{FdwError, OrRaise};
use crate::io_thread::Pages;
use crate::spi::Transactions;
use crate::webhook;

/// How many failed webhooks a sync tries again.
const MOST_RETRIES: u32 = 10_000;

/// What every part of a sync works with.
pub struct Sync<'s> {
    pub mirror: &'s Mirror,
    pub run: &'s Run<'s>,
    pub client: Arc<Client>,
    pub transactions: &'s Transactions,
}

/// Syncs a mirror, and raises an error if that fails.
pub fn sync(which: Which, wish: Wish, wait: bool, announced: Option<String>) {
    let lock = Lock::take(&Mirror::load(which).or_raise(), wait).or_raise();
    let transactions = Transactions::begin().or_raise();
    // It may have been changed, or dropped, while another sync held the lock.
    let mirror = Mirror::load(which).or_raise();
    let begun = Run::begin(&mirror, wish, announced).or_raise();
    transactions.commit();
    let Some(run) = begun else {
        return transactions.end().or_raise();
    };
    let done = steps(&mirror, &run, &transactions);
    let (state, message) = match &done {
        Ok(()) => ("succeeded", None),
        Err(failure) if failure.is_cancel() => ("cancelled", Some(failure.message())),
        Err(failure) => ("failed", Some(failure.message())),
    };
    run.end(state, message.as_deref()).or_raise();
    transactions.commit();
    drop(lock);
    transactions.end().or_raise();
    if let Err(failure) = done {
        failure.raise();
    }
}

/// Syncs one table after the other.
fn steps(mirror: &Mirror, run: &Run, transactions: &Transactions) -> Result<(), Failure> {
    let (client, tables) = attempt(|| {
        let (client, _) = mirror.server.connect(mirror.owner)?;
        check_instance(mirror, &client, run.wish.dry_run)?;
        Ok((client, mirror.tables(run.wish.objects.as_deref())?))
    })?;
    transactions.commit();
    if !run.wish.dry_run {
        // One by one, because each takes a lock until its transaction ends.
        webhook::retry(mirror, MOST_RETRIES, |_, _| transactions.commit())?;
    }
    let sync = Sync { mirror, run, client, transactions };
    let mut accident = None;
    for table in &tables {
        let (step, too_many) = match attempt(|| sync.mode(table))? {
            Mode::Full => full::sync(&sync, table)?,
            Mode::Incremental => incremental::sync(&sync, table)?,
        };
        let message = too_many.as_ref().map(ToString::to_string);
        let state = if message.is_some() { "failed" } else { "succeeded" };
        sync.commit(|| step.end(state, message.as_deref()))?;
        say(match run.wish.dry_run {
            true => format!("dry run: {}", step.summary()),
            false => step.summary(),
        });
        accident = accident.or(too_many);
    }
    match accident {
        Some(error) => attempt(|| Err(error)),
        None => Ok(()),
    }
}

/// A key of another instance must not touch the mirror. Whose it is, the first sync learns.
pub fn check_instance(mirror: &Mirror, client: &Arc<Client>, is_dry: bool) -> Result<(), FdwError> {
    let read = Read { from: From::Itself, ..Read::all(&INSTANCE, Vec::new()) };
    let page = next(mirror, &mut Pages::start(read, Arc::clone(client))?)?;
    let id = page.map(|page| page.id(0).into_owned());
    match (&mirror.instance_id, id) {
        (Some(known), id) if id.as_ref() != Some(known) => Err(FdwError::OtherInstance {
            mirror: mirror.name.clone(),
            server: mirror.server.name.clone(),
            known: known.clone(),
            found: id.unwrap_or_else(|| "none that it tells".to_owned()),
        }),
        (None, Some(id)) if !is_dry => store::run(
            "UPDATE clerk_fdw_internal.mirror SET instance_id = $2 WHERE number = $1::int4 AND instance_id IS NULL",
            &[Some(&mirror.key()), Some(&id)],
        ),
        _ => Ok(()),
    }
}

/// The next page.
pub fn next(mirror: &Mirror, pages: &mut Pages) -> Result<Option<Page>, FdwError> {
    pages.next().map_err(|error| FdwError::Clerk { error, server: mirror.server.name.clone() })
}

impl Sync<'_> {
    /// Whether the table is to be read whole.
    fn mode(&self, table: &Table) -> Result<Mode, FdwError> {
        let row = store::row(
            "SELECT (known_until IS NOT NULL)::text,
                    (full_at IS NULL OR pass_started_at IS NOT NULL
                     OR full_at + $3::interval <= now())::text
               FROM clerk_fdw_internal.mirror_table
              WHERE mirror = $1::int4 AND object = $2",
            &[Some(&self.mirror.key()), Some(table.object.name), Some(&self.mirror.full_every)],
        )?
        .unwrap_or_default();
        let is = |index: usize| row.get(index).is_some_and(|value| value.as_deref() == Some("true"));
        let (is_known, is_due) = (is(0), is(1));
        let can_increment = is_known && table.object.order("updated_at").is_some();
        Ok(match self.run.wish.mode {
            Some(Mode::Incremental) if can_increment => Mode::Incremental,
            None if can_increment && !is_due && !self.run.wish.force => Mode::Incremental,
            _ => Mode::Full,
        })
    }

    /// Does something in a subtransaction.
    pub fn attempt<T>(&self, action: impl FnOnce() -> Result<T, FdwError>) -> Result<T, Failure> {
        attempt(action)
    }

    /// The same, and commits it.
    pub fn commit<T>(&self, action: impl FnOnce() -> Result<T, FdwError>) -> Result<T, Failure> {
        let done = self.attempt(action)?;
        self.transactions.commit();
        Ok(done)
    }

    /// Starts reading.
    pub fn start(&self, read: Read) -> Result<Pages, Failure> {
        self.attempt(|| Pages::start(read, Arc::clone(&self.client)))
    }

    /// The next page; counts what was asked for it.
    pub fn next(&self, step: &mut Step, pages: &mut Pages) -> Result<Option<Page>, Failure> {
        let page = self.attempt(|| next(self.mirror, pages));
        step.asks(pages.stats());
        if !matches!(page, Ok(Some(_))) {
            step.ends_reading();
        }
        page
    }

    /// The one page that a reading gives.
    pub fn only(&self, step: &mut Step, read: Read) -> Result<Option<Page>, Failure> {
        let mut pages = self.start(read)?;
        let page = self.next(step, &mut pages);
        step.ends_reading();
        page
    }

    /// How many objects Clerk has, or how many of them these parameters leave.
    pub fn count(&self, step: &mut Step, table: &Table, filters: Filters) -> Result<Option<u64>, Failure> {
        let from = From::Count { below: None, filters };
        let page = self.only(step, Read { from, ..Read::all(table.object, Vec::new()) })?;
        Ok(page.and_then(|page| page.total_count()))
    }

    /// A list that is read whole, in pages as large as the server's options say.
    pub fn whole(&self, table: &Table) -> Read {
        Read { page_size: self.mirror.server.page_size(), ..Read::all(table.object, Vec::new()) }
    }
}
