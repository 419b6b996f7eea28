//! WITH CHECK OPTION of the views through which rows are written.

use clerk_api::write::Operation;
use pgrx::{PgList, pg_sys};

use super::statement::Statement;

/// Checks a view's WITH CHECK OPTION before the row is sent, because afterwards it would be at Clerk. Of a new row the
/// columns that Clerk fills are not known yet; a check that uses one of them is left to Postgres, which checks every row
/// once more as Clerk has made it.
///
/// # Safety
/// The slot must hold a row of the relation, which must be the statement's.
pub unsafe fn check(
    statement: &Statement,
    state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    row: &[Option<String>],
    operation: Operation,
) {
    // SAFETY: the caller guarantees the relation, whose checks are WithCheckOptions with expressions over its columns.
    // pull_varattnos makes a valid bitmap set, or leaves it null, which is an empty one.
    unsafe {
        if (*relation).ri_WithCheckOptions.is_null() {
            return;
        }
        let mut used = std::ptr::null_mut();
        for check in PgList::<pg_sys::WithCheckOption>::from_pg((*relation).ri_WithCheckOptions).iter_ptr() {
            pg_sys::pull_varattnos((*check).qual, (*relation).ri_RangeTableIndex, &mut used);
        }
        let columns = statement.reader.converters.iter().zip(row);
        let is_unknown = columns.filter(|(_, value)| value.is_none()).any(|(column, _)| {
            let member = i32::from(column.number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
            pg_sys::bms_is_member(member, used)
        });
        if operation == Operation::Update || !is_unknown {
            pg_sys::ExecWithCheckOptions(pg_sys::WCOKind::WCO_VIEW_CHECK, relation, slot, state);
        }
    }
}
