//! Finds the clause by which a join can look rows of a foreign table up: an equality of one of its columns with values of
//! the outer side, if Clerk finds the objects that have one of several values.

use std::ptr::null_mut;

use clerk_api::pushdown::{Classified, Operator};
use pgrx::{PgList, pg_sys};

use crate::fdw::plan::clause::{ComparedValue, PushableClause};
use crate::fdw::plan::rel_info::RelInfo;

/// A clause by which a join looks rows up.
pub struct Key {
    pub clause: *mut pg_sys::RestrictInfo,
    /// The clause as a comparison of a column with values.
    pub comparison: PushableClause,
    /// The conditions on the inner table alone, and the lookup.
    pub classified: Classified,
    /// How many values one request takes.
    pub values_per_request: usize,
}

impl Key {
    /// The clause that needs the fewest requests; `None` if no clause can be used.
    ///
    /// # Safety
    /// The list must hold the RestrictInfos of a join of `info`'s table with the outer relations, in the query that is
    /// being planned. `outer_join` has the join's relations if it is an outer join.
    pub unsafe fn best(
        info: &RelInfo,
        clauses: *mut pg_sys::List,
        outer: pg_sys::Relids,
        outer_join: Option<pg_sys::Relids>,
    ) -> Option<Key> {
        // SAFETY: the caller guarantees a list of RestrictInfos of the query.
        unsafe {
            let clauses = PgList::<pg_sys::RestrictInfo>::from_pg(clauses);
            let says_what_matches =
                |clause: &*mut pg_sys::RestrictInfo| outer_join.is_none_or(|join| !is_pushed_down(*clause, join));
            let keys = clauses.iter_ptr().filter(says_what_matches);
            let keys: Vec<_> = keys.filter_map(|clause| Key::of(info, clause, outer)).collect();
            let most = keys.iter().map(|key| key.values_per_request).max()?;
            keys.into_iter().find(|key| key.values_per_request == most)
        }
    }

    /// The key of a path, whose clause was found to be one before.
    ///
    /// # Safety
    /// The clause must be one of a join of `info`'s table.
    pub unsafe fn of_plan(info: &RelInfo, clause: *mut pg_sys::RestrictInfo) -> Option<Key> {
        // SAFETY: the caller guarantees the clause. Its relations are those of its values, and the inner one, which the values
        // of a comparison cannot refer to.
        unsafe { Key::of(info, clause, (*clause).clause_relids) }
    }

    /// A clause as a key; `None` if it cannot be one.
    ///
    /// # Safety
    /// The clause must be one of a join of `info`'s table with the outer relations.
    unsafe fn of(info: &RelInfo, clause: *mut pg_sys::RestrictInfo, outer: pg_sys::Relids) -> Option<Key> {
        // SAFETY: the caller guarantees a RestrictInfo of the query, whose values are expressions of the same query.
        unsafe {
            let comparison = info.rel.pushable_clause(clause.cast())?;
            let of = |value: &ComparedValue| pg_sys::pull_varnos(info.rel.root, value.expression.cast());
            let are_of_outer = comparison.values.iter().all(|value| pg_sys::bms_is_subset(of(value), outer))
                && comparison.values.iter().any(|value| !of(value).is_null());
            if comparison.operator != Operator::Equal || !are_of_outer {
                return None;
            }
            let classified = info.clauses.with_lookup(info.rel, comparison.column);
            let values_per_request = classified.values_per_request()?;
            Some(Key { clause, comparison, classified, values_per_request })
        }
    }

    /// The number of the column that is compared, in the inner table.
    ///
    /// # Safety
    /// `info` must be that of the inner table.
    pub unsafe fn attribute(&self, info: &RelInfo) -> i16 {
        let mut attributes = null_mut();
        // SAFETY: the clause of a RestrictInfo is an expression. pull_varattnos makes a valid set, in which attribute
        // numbers are stored with an offset, because system columns have negative ones.
        unsafe {
            pg_sys::pull_varattnos((*self.clause).clause.cast(), info.rel.relid, &mut attributes);
            let member = pg_sys::bms_next_member(attributes, -1);
            (member + pg_sys::FirstLowInvalidHeapAttributeNumber) as i16
        }
    }
}

/// Whether a clause is checked after an outer join has added its rows with nulls, as those of WHERE are. Then it does not
/// say which rows match.
///
/// # Safety
/// The clause must be one of the query that is being planned, and `join` the relations of a join.
pub unsafe fn is_pushed_down(clause: *mut pg_sys::RestrictInfo, join: pg_sys::Relids) -> bool {
    // SAFETY: the caller guarantees a RestrictInfo, whose required_relids are a set.
    unsafe { (*clause).is_pushed_down || !pg_sys::bms_is_subset((*clause).required_relids, join) }
}
