//! Reading everything: a pass over one object's list.
//!
//! Each page is committed together with its mark and its ids. So a pass that was cut off goes on behind its last
//! committed page, and at its end it is known what Clerk has.

use clerk_api::object::Paging;
use clerk_api::{From, Mark, Ordered, Read, rest};

use super::config::Table;
use super::deletes;
use super::merge::Merge;
use super::run::{Mode, Step};
use super::store;
use super::sync::Sync;
use crate::attempt::Failure;
use crate::error::FdwError;

/// A pass that is under way.
struct Pass {
    /// When it began, in seconds since 1970.
    started_at: String,
    expected: Option<u64>,
    /// No object has changed later than that when it began, in Unix milliseconds of Clerk's clock.
    known_until: Option<i64>,
    marks: Vec<Mark>,
}

/// What a step did, and why it deleted nothing if that looked like an accident.
pub type Done<'r> = (Step<'r>, Option<FdwError>);

pub fn sync<'s>(sync: &Sync<'s>, table: &Table) -> Result<Done<'s>, Failure> {
    let step = sync.attempt(|| sync.run.step(table, Mode::Full, None))?;
    go_on(sync, step, table)
}

/// Reads everything as part of a step that was begun.
pub fn go_on<'s>(sync: &Sync<'s>, mut step: Step<'s>, table: &Table) -> Result<Done<'s>, Failure> {
    let is_dry = sync.run.wish.dry_run;
    let under_way = if is_dry { None } else { sync.attempt(|| under_way(sync, table))? };
    let pass = match under_way {
        Some(pass) => pass,
        None => begin(sync, &mut step, table)?,
    };
    step.expect(pass.expected);
    sync.commit(|| step.log())?;

    let since = format!("to_timestamp({})", pass.started_at);
    let merge = Merge::new(sync.mirror, table, &since, is_dry);
    let rows_before = if is_dry { sync.attempt(|| deletes::live(table))? } else { 0 };
    for read in rest(&merge.ask(sync.whole(table)), pass.marks) {
        let mut pages = sync.start(read)?;
        while let Some(page) = sync.next(&mut step, &mut pages)? {
            let mut refused = Vec::new();
            let merged = merge.page(
                &page,
                || sync.transactions.commit(),
                |id, failure| refused.push((id.to_owned(), failure)),
            )?;
            step.read(page.len(), merged);
            sync.commit(|| {
                for (id, failure) in &refused {
                    step.refuse(id, failure)?;
                }
                if !is_dry {
                    remember(sync, table, &page)?;
                }
                step.log()
            })?;
            step.notice();
        }
    }
    if is_dry {
        step.deleted = rows_before.saturating_sub(step.merged.alive);
        let too_many = deletes::accident(sync, table, step.deleted, rows_before);
        return Ok((step, too_many));
    }
    check_complete(sync, &mut step, table, pass.known_until)?;
    let too_many = deletes::what_is_gone(sync, &mut step, table, &since)?;
    sync.commit(|| end(sync, table, too_many.is_none()))?;
    Ok((step, too_many))
}

/// The pass that was cut off, if there is one.
fn under_way(sync: &Sync, table: &Table) -> Result<Option<Pass>, FdwError> {
    let key = sync.mirror.key();
    let values = [Some(&*key), Some(table.object.name)];
    let row = store::row(
        "SELECT date_part('epoch', pass_started_at), pass_expected, pass_known_until FROM clerk_fdw_internal.mirror_table
          WHERE mirror = $1::int4 AND object = $2",
        &values,
    )?;
    let Some([Some(started_at), expected, known_until]) = row.as_deref() else { return Ok(None) };
    let marks = store::rows(
        "SELECT mark FROM clerk_fdw_internal.sync_page WHERE mark IS NOT NULL
            AND mirror = $1::int4 AND object = $2
          ORDER BY number",
        &values,
    )?;
    let marks = marks.iter().flatten().flatten().filter_map(|mark| serde_json::from_str(mark).ok());
    Ok(Some(Pass {
        started_at: started_at.clone(),
        expected: expected.as_ref().and_then(|count| count.parse().ok()),
        known_until: known_until.as_ref().and_then(|at| at.parse().ok()),
        marks: marks.collect(),
    }))
}

/// Begins a pass: what changes from now on is for the sync after it.
fn begin(sync: &Sync, step: &mut Step, table: &Table) -> Result<Pass, Failure> {
    let known_until = match table.object.order("updated_at") {
        Some(order) => newest(sync, step, table, order.parameter)?,
        None => None,
    };
    let expected = sync.count(step, table, Vec::new())?;
    let is_dry = sync.run.wish.dry_run;
    sync.commit(|| {
        if is_dry {
            let now = store::value("SELECT date_part('epoch', clock_timestamp())", &[])?;
            return Ok(Pass { started_at: now.unwrap_or_default(), expected, known_until, marks: Vec::new() });
        }
        let (expected_text, known_text) =
            (expected.map(|count| count.to_string()), known_until.map(|at| at.to_string()));
        let started_at = store::value(
            "UPDATE clerk_fdw_internal.mirror_table SET pass_started_at = clock_timestamp(),
                    pass_known_until = $3::int8, pass_expected = $4::int8
              WHERE mirror = $1::int4 AND object = $2
             RETURNING date_part('epoch', pass_started_at)",
            &[Some(&sync.mirror.key()), Some(table.object.name), known_text.as_deref(), expected_text.as_deref()],
        )?;
        forget(sync, table)?;
        Ok(Pass { started_at: started_at.unwrap_or_default(), expected, known_until, marks: Vec::new() })
    })
}

/// When the object that changed last has changed, in Unix milliseconds. Where there is none, all time is known.
fn newest(sync: &Sync, step: &mut Step, table: &Table, parameter: &'static str) -> Result<Option<i64>, Failure> {
    let order = Some(Ordered { parameter, descending: true });
    let updated_at = table.object.column("updated_at", true);
    let values = updated_at.map(|column| column.source.into()).into_iter().collect();
    let from = From::List { filters: Vec::new(), order };
    let page = sync.only(step, Read { from, enough: Some(1), ..Read::all(table.object, values) })?;
    Ok(match page {
        Some(page) => page.value(0, 0).and_then(|at| at.parse().ok()),
        None => Some(0),
    })
}

/// A list that has no total of its own ends with a page that is not full. Whether that was its end, a count tells: of
/// what was there when the pass began and still is, no object can be missing.
fn check_complete(sync: &Sync, step: &mut Step, table: &Table, known_until: Option<i64>) -> Result<(), Failure> {
    let (Paging::Cursor { .. }, Some(known_until)) = (table.object.paging, known_until) else { return Ok(()) };
    let before = ("created_at_before", (known_until + 1).to_string());
    let Some(counted) = sync.count(step, table, vec![before])? else { return Ok(()) };
    let seen = sync.attempt(|| {
        store::value(
            "SELECT count(DISTINCT seen.id)
               FROM clerk_fdw_internal.sync_page p CROSS JOIN LATERAL unnest(p.ids) AS seen(id)
              WHERE p.mirror = $1::int4 AND p.object = $2",
            &[Some(&sync.mirror.key()), Some(table.object.name)],
        )
    })?;
    let seen = seen.and_then(|count| count.parse().ok()).unwrap_or(0);
    if seen >= counted {
        return Ok(());
    }
    // What its marks say cannot be trusted: the next pass begins anew.
    sync.commit(|| {
        store::run(
            "UPDATE clerk_fdw_internal.mirror_table SET pass_started_at = NULL
              WHERE mirror = $1::int4 AND object = $2",
            &[Some(&sync.mirror.key()), Some(table.object.name)],
        )?;
        forget(sync, table)
    })?;
    sync.attempt(|| Err(FdwError::Short { object: table.object.name, counted, seen }))
}

/// Writes down what a page held, to be committed with it.
fn remember(sync: &Sync, table: &Table, page: &clerk_api::Page) -> Result<(), FdwError> {
    let mark = page.mark().and_then(|mark| serde_json::to_string(mark).ok());
    let ids: Vec<_> = (0..page.len()).map(|object| page.id(object)).collect();
    let ids = serde_json::to_string(&ids).unwrap_or_default();
    store::run(
        "INSERT INTO clerk_fdw_internal.sync_page (mirror, object, mark, ids)
         SELECT $1::int4, $2, $3::jsonb, ARRAY(SELECT jsonb_array_elements_text($4::jsonb))",
        &[Some(&sync.mirror.key()), Some(table.object.name), mark.as_deref(), Some(&ids)],
    )
}

fn forget(sync: &Sync, table: &Table) -> Result<(), FdwError> {
    store::run(
        "DELETE FROM clerk_fdw_internal.sync_page
          WHERE mirror = $1::int4 AND object = $2",
        &[Some(&sync.mirror.key()), Some(table.object.name)],
    )
}

/// The pass is done: the table is in step with what Clerk had when it began, if it succeeded.
fn end(sync: &Sync, table: &Table, succeeded: bool) -> Result<(), FdwError> {
    let live = deletes::live(table)?.to_string();
    let key = sync.mirror.key();
    let values = [Some(&*key), Some(table.object.name)];
    // What was refused before was read again: if it was refused again, its entry says so.
    store::run(
        "UPDATE clerk_fdw_internal.sync_error e SET resolved_at = clock_timestamp()
           FROM clerk_fdw_internal.mirror_table t
          WHERE t.mirror = $1::int4 AND t.object = $2
            AND e.mirror = t.mirror AND e.object = t.object
            AND e.resolved_at IS NULL AND e.occurred_at < t.pass_started_at",
        &values,
    )?;
    store::run(
        "UPDATE clerk_fdw_internal.mirror_table SET known_until = pass_known_until, full_at = clock_timestamp(),
                success_at = CASE WHEN $4::bool THEN pass_started_at ELSE success_at END, drift = pass_expected - $3::int8,
                pass_started_at = NULL, pass_known_until = NULL, pass_expected = NULL
          WHERE mirror = $1::int4 AND object = $2",
        &[values[0], values[1], Some(&live), Some(store::truth(succeeded))],
    )?;
    forget(sync, table)
}
