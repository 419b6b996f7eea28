//! Refuses COPY FROM into a table that cannot be written with the same error and hint as INSERT: Postgres' own check comes
//! first there, and has no hint.

use clerk_api::write::Operation;
use pgrx::{PgRelation, pg_sys};

use super::plan::writable_table;
use crate::error::OrRaise;
use crate::options;

/// Looks at a utility statement: see [`crate::pg::utility`].
///
/// # Safety
/// The node must be a utility statement.
pub unsafe fn check_utility(statement: *mut pg_sys::Node) {
    // SAFETY: the caller guarantees a node, which begins with its tag. One with the tag T_CopyStmt is a CopyStmt.
    unsafe {
        if (*statement).type_ == pg_sys::NodeTag::T_CopyStmt {
            check(statement.cast());
        }
    }
}

/// Fails for a COPY FROM into a foreign table of this extension that does not allow inserts.
///
/// # Safety
/// The statement must be a parsed COPY.
unsafe fn check(copy: *mut pg_sys::CopyStmt) {
    // SAFETY: the caller guarantees a parsed COPY, whose relation is null or a RangeVar. RangeVarGetRelidExtended returns
    // InvalidOid for one that does not exist, since missing ones are allowed here, and otherwise locks it.
    unsafe {
        if !(*copy).is_from || (*copy).relation.is_null() {
            return;
        }
        let missing_ok = pg_sys::RVROption::RVR_MISSING_OK;
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::RangeVarGetRelidExtended((*copy).relation, lock, missing_ok, None, std::ptr::null_mut());
        if relation != pg_sys::InvalidOid && options::is_own_table(relation) {
            let relation = PgRelation::with_lock(relation, pg_sys::NoLock as _);
            writable_table(relation.as_ptr(), Operation::Insert).or_raise_hidden();
        }
    }
}
