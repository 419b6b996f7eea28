//! Runs a sync from beginning to end.
//!
//! A sync commits each page. Everything that can fail runs in a subtransaction, so that there always is a transaction
//! left in which to log how far the sync got and why it ended.
//!
//! Each file uses only those above it:
//!
//! | file | question |
//! | --- | --- |
//! | [`log`] | What does the log say about a sync? |
//! | [`session`] | What does every part of a sync work with? |
//! | `pass` | What is stored about a full sync, so that another one can resume it? |
//! | `page` | How is a page merged and committed? |
//! | `deletes` | Which rows does a sync find to be deleted, and when are they too many? |
//! | `compare` | Where do Clerk and a table differ? |
//! | `full` | How is everything read? |
//! | `incremental` | How are changes read? |

mod compare;
mod deletes;
mod full;
mod incremental;
pub mod log;
mod page;
mod pass;
pub mod session;

use crate::error::{FdwError, OrRaise};
use crate::mirror::lock::SyncLock;
use crate::mirror::model::{Mirror, MirrorRef, Table};
use crate::mirror::store;
use crate::pg::subtransaction::{Failure, in_subtransaction};
use crate::pg::transactions::{Transactions, without_interrupts};
use log::{Mode, Run, SyncOptions, send_notice};
use session::{StepOutcome, SyncSession, check_instance};

/// What is done with a mirror before its tables are synced.
pub type BeforeSync<'b> = &'b dyn Fn(&Mirror, &Transactions) -> Result<(), Failure>;

/// Syncs a mirror, and raises an error if that fails. `announced` is the run's number in the log if it already has one.
/// `before` is called with the mirror and its transactions, once it is known that the key belongs to the right Clerk
/// instance.
pub fn sync_mirror(
    mirror_ref: MirrorRef,
    options: SyncOptions,
    wait: bool,
    announced: Option<String>,
    before: BeforeSync,
) {
    let lock = SyncLock::acquire(&Mirror::load(mirror_ref).or_raise(), wait).or_raise();
    let transactions = Transactions::begin().or_raise();
    // The mirror may have been changed or dropped while another sync held the lock.
    let mirror = Mirror::load(mirror_ref).or_raise();
    let run = Run::begin(&mirror, options, announced).or_raise();
    transactions.commit();
    let Some(run) = run else {
        return transactions.end().or_raise();
    };
    let result = sync_tables(&mirror, &run, &transactions, before);
    let (state, message) = match &result {
        Ok(()) => ("succeeded", None),
        Err(failure) if failure.is_cancel() => ("cancelled", Some(failure.message())),
        Err(failure) => ("failed", Some(failure.message())),
    };
    without_interrupts(|| run.end(state, message.as_deref()).or_raise());
    transactions.commit();
    drop(lock);
    transactions.end().or_raise();
    if let Err(failure) = result {
        failure.raise();
    }
}

/// Syncs the tables one after the other. If one of them has too many deletions, or Clerk refuses to list its objects
/// because the instance does not use them, the rest is still synced before that error is raised.
fn sync_tables(mirror: &Mirror, run: &Run, transactions: &Transactions, before: BeforeSync) -> Result<(), Failure> {
    let (client, tables) = in_subtransaction(|| {
        let (client, _) = mirror.server.connect(mirror.owner)?;
        check_instance(mirror, &client, run.options.dry_run)?;
        Ok((client, mirror.tables(run.options.objects.as_deref())?))
    })?;
    transactions.commit();
    if !run.options.dry_run {
        before(mirror, transactions)?;
    }
    let session = SyncSession { mirror, run, client, transactions };
    let mut first_failure: Option<Failure> = None;
    for table in &tables {
        let outcome = match in_subtransaction(|| mode(&session, table))? {
            Mode::Full => full::sync_table(&session, table),
            Mode::Incremental => incremental::sync_table(&session, table),
        };
        let StepOutcome { step, delete_error } = match outcome {
            Ok(outcome) => outcome,
            Err(failure) if failure.is_refused_by_clerk() => {
                let message = failure.message();
                session.commit(|| run.end_object(table.object.name, "failed", Some(&message)))?;
                send_notice(format!("{}: {message}", table.object.name));
                first_failure.get_or_insert(failure);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let message = delete_error.as_ref().map(ToString::to_string);
        let state = if message.is_some() { "failed" } else { "succeeded" };
        session.commit(|| step.end(state, message.as_deref()))?;
        send_notice(match run.options.dry_run {
            true => format!("dry run: {}", step.summary()),
            false => step.summary(),
        });
        if let Some(error) = delete_error
            && let Err(failure) = in_subtransaction(|| Err::<(), _>(error))
        {
            first_failure.get_or_insert(failure);
        }
    }
    first_failure.map_or(Ok(()), Err)
}

/// How a table is synced: as the caller demands, if that is possible, else in full when a full sync is due.
fn mode(session: &SyncSession, table: &Table) -> Result<Mode, FdwError> {
    let row = store::row(
        "SELECT (known_until IS NOT NULL)::text,
                (full_at IS NULL OR pass_started_at IS NOT NULL
                 OR full_at + $3::interval <= now())::text
           FROM clerk_fdw_internal.mirror_table
          WHERE mirror = $1::int4 AND object = $2",
        &[Some(&session.mirror.key()), Some(table.object.name), Some(&session.mirror.full_every)],
    )?
    .unwrap_or_default();
    let is_true = |index: usize| row.get(index).is_some_and(|value| value.as_deref() == Some("true"));
    let (is_known, is_due) = (is_true(0), is_true(1));
    let can_increment = is_known && table.object.by_update().is_some();
    Ok(match session.run.options.mode {
        Some(Mode::Incremental) if can_increment => Mode::Incremental,
        None if can_increment && !is_due && !session.run.options.force => Mode::Incremental,
        _ => Mode::Full,
    })
}
