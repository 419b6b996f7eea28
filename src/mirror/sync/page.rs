//! Merges a page and commits it together with its log entry.

use std::borrow::Cow;

use clerk_api::Page;

use super::log::Step;
use super::pass;
use super::session::Sync;
use crate::error::FdwError;
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::tombstone;
use crate::mirror::model::Table;
use crate::mirror::store;
use crate::pg::subtransaction::Failure;

/// Merges a page, and commits it with its log entry.
pub fn merge_page(sync: &Sync, step: &mut Step, merge: &Merge, page: &Page) -> Result<(), Failure> {
    let mut refused = Vec::new();
    let commit = || sync.transactions.commit();
    let merged = merge.page(page, commit, |id, failure| refused.push((id.to_owned(), failure)))?;
    step.read(page.len(), merged);
    sync.commit(|| {
        let taken = (0..page.len()).map(|object| page.id(object));
        let ids: Vec<_> = taken.filter(|id| !refused.iter().any(|(refused, _)| refused == id)).collect();
        if !sync.run.options.dry_run {
            resolve(sync, step.object, &ids)?;
        }
        for (id, failure) in &refused {
            step.refuse(id, failure)?;
        }
        step.log()
    })?;
    step.notice();
    Ok(())
}

/// Resolves the log entries of objects that the table has accepted now.
fn resolve(sync: &Sync, object: &str, ids: &[Cow<str>]) -> Result<(), FdwError> {
    store::run(
        "UPDATE clerk_fdw_internal.sync_error SET resolved_at = clock_timestamp()
          WHERE mirror = $1::int4 AND object = $2 AND resolved_at IS NULL
            AND object_id IN (SELECT jsonb_array_elements_text($3::jsonb))",
        &[Some(&sync.mirror.key()), Some(object), Some(&tombstone::json(ids))],
    )
}

/// Merges a page of a pass, and commits it with its checkpoint, its ids and its log entry.
pub fn take_of_pass(sync: &Sync, step: &mut Step, merge: &Merge, table: &Table, page: &Page) -> Result<(), Failure> {
    let mut refused = Vec::new();
    let commit = || sync.transactions.commit();
    let merged = merge.page(page, commit, |id, failure| refused.push((id.to_owned(), failure)))?;
    step.read(page.len(), merged);
    sync.commit(|| {
        for (id, failure) in &refused {
            step.refuse(id, failure)?;
        }
        if !sync.run.options.dry_run {
            pass::remember(sync, table, page)?;
        }
        step.log()
    })?;
    step.notice();
    Ok(())
}
