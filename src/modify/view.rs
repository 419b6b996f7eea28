//! WITH CHECK OPTION of the views through which rows are written.

use clerk_api::Locator;
use pgrx::{PgList, pg_sys};

use super::statement::{RowValues, Statement, range_table_index};
use crate::error::FdwError;
use crate::fdw::convert::ColumnConverter;
use crate::pg::encoding::from_server;
use crate::pg::expression::is_true;

/// Checks a view's WITH CHECK OPTION before the row is sent, because afterwards it would be at Clerk. Of a new row the
/// columns that Clerk fills are not known yet; a check that uses one of them is left to Postgres, which checks every row
/// once more as Clerk has made it. What `attrs` says of other columns cannot be checked, so it is refused here.
///
/// # Safety
/// The slot must hold a row of the relation, which must be the statement's.
pub unsafe fn check(
    statement: &Statement,
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    row: &RowValues,
    old: Option<&RowValues>,
) {
    // SAFETY: the caller guarantees the relation, whose checks are WithCheckOptions with as many prepared conditions over
    // its columns, and a row of it. pull_varattnos makes a valid bitmap set, or leaves it null, which is an empty one. The
    // context is the one for single rows, in which Postgres itself evaluates these conditions.
    unsafe {
        if (*relation).ri_WithCheckOptions.is_null() {
            return;
        }
        let columns = || statement.reader.converters.iter().enumerate();
        let has_changed = |index: usize| old.map_or(row[index].is_some(), |old| old[index] != row[index]);
        if columns().any(|(index, column)| column.locator == Locator::Whole && has_changed(index)) {
            FdwError::AttrsThroughView.raise();
        }
        let context = match (*state).es_per_tuple_exprcontext {
            context if context.is_null() => pg_sys::MakePerTupleExprContext(state),
            context => context,
        };
        (*context).ecxt_scantuple = slot;
        let checks = PgList::<pg_sys::WithCheckOption>::from_pg((*relation).ri_WithCheckOptions);
        let conditions = PgList::<pg_sys::ExprState>::from_pg((*relation).ri_WithCheckOptionExprs);
        for (check, condition) in checks.iter_ptr().zip(conditions.iter_ptr()) {
            let mut used = std::ptr::null_mut();
            pg_sys::pull_varattnos((*check).qual, range_table_index(relation), &mut used);
            let uses = |number: i16| {
                let member = i32::from(number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
                pg_sys::bms_is_member(member, used)
            };
            // Number 0 is a reference to the whole row.
            let is_unknown =
                |(index, column): (usize, &ColumnConverter)| row[index].is_none() && (uses(column.number) || uses(0));
            if old.is_none() && columns().any(is_unknown) {
                continue;
            }
            if !is_true(condition, context) {
                FdwError::CheckOption(from_server((*check).relname)).raise();
            }
        }
    }
}
