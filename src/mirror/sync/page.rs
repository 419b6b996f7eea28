//! Merges a page and commits it together with its log entry.

use std::borrow::Cow;

use clerk_api::Page;

use super::log::Step;
use super::pass;
use super::session::SyncSession;
use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::tombstone;
use crate::mirror::model::Table;
use crate::mirror::store;
use crate::pg::subtransaction::Failure;

/// Merges a page, and commits it with its log entry.
pub fn merge_page(session: &SyncSession, step: &mut Step, merge: &Merge, page: &Page) -> Result<(), Failure> {
    let mut refused = Vec::new();
    let commit = || session.transactions.commit();
    let merged = merge.page(page, commit, |id, failure| refused.push((id.to_owned(), failure)))?;
    step.count_page(page.len(), merged);
    session.commit(|| {
        let page_ids = (0..page.len()).map(|object| page.id(object));
        let ids: Vec<_> = page_ids.filter(|id| !refused.iter().any(|(refused, _)| refused == id)).collect();
        if !session.run.options.dry_run {
            resolve(session, step.object, &ids)?;
        }
        for (id, failure) in &refused {
            step.refuse(id, failure)?;
        }
        step.log()
    })?;
    step.report_progress();
    Ok(())
}

/// Resolves the log entries of objects that the table has accepted now.
fn resolve(session: &SyncSession, object: &str, ids: &[Cow<str>]) -> Result<(), FdwError> {
    store::run(
        "UPDATE clerk_fdw_internal.sync_error SET resolved_at = clock_timestamp()
          WHERE mirror = $1::int4 AND object = $2 AND resolved_at IS NULL
            AND object_id IN (SELECT jsonb_array_elements_text($3::jsonb))",
        &[Some(&session.mirror.key()), Some(object), Some(&tombstone::json_array(ids))],
    )
}

/// Merges a page of a pass, and commits it with its checkpoint, its ids and its log entry.
pub fn merge_page_of_pass(
    session: &SyncSession,
    step: &mut Step,
    merge: &Merge,
    table: &Table,
    page: &Page,
) -> Result<(), Failure> {
    let mut refused = Vec::new();
    let commit = || session.transactions.commit();
    let merged = merge.page(page, commit, |id, failure| refused.push((id.to_owned(), failure)))?;
    step.count_page(page.len(), merged);
    session.commit(|| {
        for (id, failure) in &refused {
            step.refuse(id, failure)?;
        }
        if !session.run.options.dry_run {
            pass::store_page(session, table, page)?;
        }
        step.log()
    })?;
    step.report_progress();
    Ok(())
}
