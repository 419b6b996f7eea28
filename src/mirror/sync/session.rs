//! What every part of a sync works with: the mirror, the log, the connection to Clerk and the transactions.

use std::sync::Arc;

use clerk_api::catalog::INSTANCE;
use clerk_api::{Client, Fetch, Page, Query, TimeRange};

use super::log::{Run, Step};
use crate::error::FdwError;
use crate::mirror::model::{Mirror, Table};
use crate::mirror::store;
use crate::pg::subtransaction::{Failure, in_subtransaction};
use crate::pg::transactions::Transactions;
use crate::remote::io_thread::Pages;

/// What every part of a sync works with.
pub struct SyncSession<'s> {
    pub mirror: &'s Mirror,
    pub run: &'s Run<'s>,
    pub client: Arc<Client>,
    pub transactions: &'s Transactions,
}

/// What syncing one table has led to.
pub struct StepOutcome<'r> {
    pub step: Step<'r>,
    /// Why nothing was deleted, if the deletions were too many.
    pub delete_error: Option<FdwError>,
}

/// Checks that the key belongs to the Clerk instance that the mirror was first read from: the data of another instance
/// must not get into it. The first sync stores the instance's id.
pub fn check_instance(mirror: &Mirror, client: &Arc<Client>, is_dry: bool) -> Result<(), FdwError> {
    let fetch = Fetch::all(INSTANCE, Vec::new());
    let page = next(mirror, &mut Pages::start(fetch, Arc::clone(client))?)?;
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

/// Waits for the next page.
pub fn next(mirror: &Mirror, pages: &mut Pages) -> Result<Option<Page>, FdwError> {
    pages.next().map_err(|error| FdwError::Clerk { error, server: mirror.server.name.clone() })
}

impl SyncSession<'_> {
    /// Runs an action in a subtransaction.
    pub fn in_subtransaction<T>(&self, action: impl FnOnce() -> Result<T, FdwError>) -> Result<T, Failure> {
        in_subtransaction(action)
    }

    /// Runs an action in a subtransaction and commits the transaction.
    pub fn commit<T>(&self, action: impl FnOnce() -> Result<T, FdwError>) -> Result<T, Failure> {
        let result = self.in_subtransaction(action)?;
        self.transactions.commit();
        Ok(result)
    }

    /// Starts a fetch.
    pub fn start(&self, fetch: Fetch) -> Result<Pages, Failure> {
        self.in_subtransaction(|| Pages::start(fetch, Arc::clone(&self.client)))
    }

    /// Waits for the next page, and counts the requests made for it.
    pub fn next(&self, step: &mut Step, pages: &mut Pages) -> Result<Option<Page>, Failure> {
        let page = self.in_subtransaction(|| next(self.mirror, pages));
        step.count_requests(pages.stats());
        if !matches!(page, Ok(Some(_))) {
            step.end_fetch();
        }
        page
    }

    /// Runs a fetch that has one page, and returns that page.
    pub fn only_page(&self, step: &mut Step, fetch: Fetch) -> Result<Option<Page>, Failure> {
        let mut pages = self.start(fetch)?;
        let page = self.next(step, &mut pages);
        step.end_fetch();
        page
    }

    /// The number of objects that Clerk has; `None` if Clerk does not count them.
    pub fn count_all(&self, step: &mut Step, table: &Table) -> Result<Option<u64>, Failure> {
        if !table.object.is_countable() {
            return Ok(None);
        }
        self.count_query(step, table, Query::Count { parent: None, filters: Vec::new() })
    }

    /// The number of objects that Clerk has that were created in a range of time.
    pub fn count_created_within(
        &self,
        step: &mut Step,
        table: &Table,
        range: TimeRange,
    ) -> Result<Option<u64>, Failure> {
        self.count_query(step, table, Query::count_created_within(table.object, range))
    }

    /// The result of a query that counts.
    pub fn count_query(&self, step: &mut Step, table: &Table, query: Query) -> Result<Option<u64>, Failure> {
        let page = self.only_page(step, Fetch { query, ..Fetch::all(table.object, Vec::new()) })?;
        Ok(page.and_then(|page| page.total_count()))
    }

    /// The fetch of the list of all objects, with the page size from the server's options.
    pub fn fetch_all(&self, table: &Table) -> Fetch {
        Fetch { page_size: self.mirror.server.page_size(), ..Fetch::all(table.object, Vec::new()) }
    }
}
