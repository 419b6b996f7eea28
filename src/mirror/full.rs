//! Reading everything: a pass over one object's list.
//!
//! Each page is committed together with its mark and its ids. So a pass that was cut off goes on behind its last
//! committed page, and at its end it is known what Clerk has.

use clerk_api::object::Paging;
use clerk_api::{From, Mark, Ordered, Page, Read, rest};

use super::config::Table;
use super::merge::Merge;
use super::moment::{self, Moment};
use super::run::{Mode, Step, say};
use super::sync::Sync;
use super::{compare, counts, deletes, store};
use crate::attempt::Failure;
use crate::error::FdwError;

/// A pass that is under way.
struct Pass {
    started_at: Moment,
    expected: Option<u64>,
    /// No object has changed later than that when it began, in Unix milliseconds of Clerk's clock.
    known_until: Option<i64>,
    marks: Vec<Mark>,
    /// It goes on where another sync was cut off, and relies on what that one noted.
    is_resumed: bool,
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
    let mut pass = match under_way {
        Some(pass) => pass,
        None => begin(sync, &mut step, table)?,
    };
    step.expect(pass.expected);
    sync.commit(|| step.log())?;

    let since = pass.started_at;
    let merge = Merge::new(sync.mirror, table, Some(since), is_dry);
    let rows_before = match is_dry {
        true => sync.attempt(|| counts::exact(table))?.live(),
        false => 0,
    };
    for read in rest(&merge.ask(sync.whole(table)), std::mem::take(&mut pass.marks)) {
        let mut pages = sync.start(read)?;
        while let Some(page) = sync.next(&mut step, &mut pages)? {
            take(sync, &mut step, &merge, table, &page)?;
        }
    }
    if is_dry {
        step.deleted = rows_before.saturating_sub(step.merged.alive);
        let too_many = deletes::accident(sync, table, step.deleted, rows_before);
        return Ok((step, too_many));
    }
    let is_complete = complete(sync, &mut step, &merge, table, &pass)?;
    let too_many = deletes::what_is_gone(sync, &mut step, &merge, table, since, is_complete)?;
    sync.commit(|| end(sync, table, too_many.is_none()))?;
    Ok((step, too_many))
}

/// Merges a page, and commits it with its mark, its ids and its log.
fn take(sync: &Sync, step: &mut Step, merge: &Merge, table: &Table, page: &Page) -> Result<(), Failure> {
    let mut refused = Vec::new();
    let commit = || sync.transactions.commit();
    let merged = merge.page(page, commit, |id, failure| refused.push((id.to_owned(), failure)))?;
    step.read(page.len(), merged);
    sync.commit(|| {
        for (id, failure) in &refused {
            step.refuse(id, failure)?;
        }
        if !sync.run.wish.dry_run {
            remember(sync, table, page)?;
        }
        step.log()
    })?;
    step.notice();
    Ok(())
}

/// The pass that was cut off, if there is one.
fn under_way(sync: &Sync, table: &Table) -> Result<Option<Pass>, FdwError> {
    let key = sync.mirror.key();
    let values = [Some(&*key), Some(table.object.name)];
    let row = store::row(
        &format!(
            "SELECT {}, pass_expected, pass_known_until FROM clerk_fdw_internal.mirror_table
              WHERE mirror = $1::int4 AND object = $2",
            moment::microseconds("pass_started_at")
        ),
        &values,
    )?;
    let Some([Some(started_at), expected, known_until]) = row.as_deref() else { return Ok(None) };
    let Some(started_at) = Moment::parse(started_at) else { return Ok(None) };
    let marks = store::rows(
        "SELECT mark FROM clerk_fdw_internal.sync_page WHERE mark IS NOT NULL
            AND mirror = $1::int4 AND object = $2
          ORDER BY number",
        &values,
    )?;
    let marks = marks.iter().flatten().flatten().filter_map(|mark| serde_json::from_str(mark).ok());
    Ok(Some(Pass {
        started_at,
        expected: expected.as_ref().and_then(|count| count.parse().ok()),
        known_until: known_until.as_ref().and_then(|at| at.parse().ok()),
        marks: marks.collect(),
        is_resumed: true,
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
        let pass = Pass { started_at: Moment::now(), expected, known_until, marks: Vec::new(), is_resumed: false };
        if is_dry {
            return Ok(pass);
        }
        let (expected_text, known_text) =
            (expected.map(|count| count.to_string()), known_until.map(|at| at.to_string()));
        store::run(
            &format!(
                "UPDATE clerk_fdw_internal.mirror_table
                    SET pass_started_at = {}, pass_known_until = $3::int8, pass_expected = $4::int8
                  WHERE mirror = $1::int4 AND object = $2",
                moment::time("$5")
            ),
            &[
                Some(&sync.mirror.key()),
                Some(table.object.name),
                known_text.as_deref(),
                expected_text.as_deref(),
                Some(&pass.started_at.parameter()),
            ],
        )?;
        forget(sync, table)?;
        Ok(pass)
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

/// Whether the pass is known to have seen all that was there when it began. A list that has no total of its own ends
/// with a page that is not full; whether that was its end, a count tells.
///
/// Clerk may count more than was read because a page was not what it should have been, or because objects were added
/// meanwhile that say they are old, as an import's do. In both cases the stretches of time are read again in which the
/// table has less. Those that still come in after that are for the next sync: a pass that waited for the end of an
/// import would not end before it.
fn complete(sync: &Sync, step: &mut Step, merge: &Merge, table: &Table, pass: &Pass) -> Result<bool, Failure> {
    let (Paging::Cursor { .. }, Some(known_until)) = (table.object.paging, pass.known_until) else { return Ok(true) };
    let more = |step: &mut Step| {
        let before = ("created_at_before", (known_until + 1).to_string());
        let counted = sync.count(step, table, vec![before])?.unwrap_or(0);
        Ok::<_, Failure>(counted.saturating_sub(sync.attempt(|| seen(sync, table))?))
    };
    if more(step)? == 0 {
        return Ok(true);
    }
    if table.created_at().is_some() {
        let clerk = sync.count(step, table, Vec::new())?.unwrap_or(0);
        let kept = sync.commit(|| {
            counts::check(sync.mirror, table)?;
            counts::kept(sync.mirror, table)
        })?;
        let take = |step: &mut Step, page: &Page| take(sync, step, merge, table, page);
        compare::read_differences(sync, step, merge, table, pass.started_at, (clerk, &kept), take)?;
    }
    let missing = more(step)?;
    if missing > 0 && pass.is_resumed {
        // A range may have been noted as read because of a page that was short, which nobody came to look into.
        sync.commit(|| give_up(sync, table))?;
        sync.attempt(|| Err(FdwError::Short { object: table.object.name, missing }))?;
    }
    if missing > 0 {
        say(format!(
            "{}: Clerk counts {missing} more than were read, as it does while others are added that say they are old; the next sync looks for them",
            table.object.name
        ));
    }
    Ok(missing == 0)
}

/// How many objects were on the pages of the pass.
fn seen(sync: &Sync, table: &Table) -> Result<u64, FdwError> {
    let seen = store::value(
        "SELECT count(DISTINCT seen.id)
           FROM clerk_fdw_internal.sync_page p CROSS JOIN LATERAL unnest(p.ids) AS seen(id)
          WHERE p.mirror = $1::int4 AND p.object = $2",
        &[Some(&sync.mirror.key()), Some(table.object.name)],
    )?;
    Ok(seen.and_then(|count| count.parse().ok()).unwrap_or(0))
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

/// Gives up a pass whose pages cannot be trusted: the next sync begins anew.
pub fn give_up(sync: &Sync, table: &Table) -> Result<(), FdwError> {
    store::run(
        "UPDATE clerk_fdw_internal.mirror_table SET pass_started_at = NULL WHERE mirror = $1::int4 AND object = $2",
        &[Some(&sync.mirror.key()), Some(table.object.name)],
    )?;
    forget(sync, table)
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
    // Which were set right when what is gone was looked for.
    let live = counts::kept(sync.mirror, table)?.live().to_string();
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
