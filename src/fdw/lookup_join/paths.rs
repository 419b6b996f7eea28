//! Adds paths that look the inner side of a join up.

use std::ptr::null_mut;

use pgrx::{PgList, pg_guard, pg_sys};

use super::cost::different_values;
use super::create_plan::{path_methods, path_private};
use super::key::Key;
use super::private::{JoinKind, LookupPath};
use crate::fdw::plan::cost::Estimate;
use crate::fdw::plan::private::{PathPrivate, to_list};
use crate::fdw::plan::rel_info::RelInfo;
use crate::fdw::plan::sizes;
use crate::pg::settings;

static mut PREVIOUS_HOOK: pg_sys::set_join_pathlist_hook_type = None;

/// Installs the planner hook.
pub fn install() {
    // SAFETY: this runs once, on the main thread, when Postgres has loaded the library. The hook is null or that of another
    // library, which is kept and called.
    unsafe {
        PREVIOUS_HOOK = pg_sys::set_join_pathlist_hook;
        pg_sys::set_join_pathlist_hook = Some(set_join_pathlist);
    }
}

/// The hook that Postgres calls for each pair of relations that it considers to join.
///
/// # Safety
/// Only Postgres may call this, or a hook that was installed later, with the arguments of that hook.
#[pg_guard]
unsafe extern "C-unwind" fn set_join_pathlist(
    root: *mut pg_sys::PlannerInfo,
    join: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    join_type: pg_sys::JoinType::Type,
    extra: *mut pg_sys::JoinPathExtraData,
) {
    // SAFETY: Postgres passes the root of a query that is being planned and a join of two relations of it, and the
    // arguments go unchanged to the previous hook. The guard turns an ERROR of that hook into a panic, so that no longjmp
    // crosses Rust's frames.
    unsafe {
        if let Some(previous) = PREVIOUS_HOOK {
            pg_sys::ffi::pg_guard_ffi_boundary(|| previous(root, join, outer, inner, join_type, extra));
        }
        if !settings::is_lookup_join_enabled() || !is_own(inner) || !(*inner).lateral_relids.is_null() {
            return;
        }
        // The scan of a table with such a clause gets a node above it that checks the clause once.
        let clauses = PgList::<pg_sys::RestrictInfo>::from_pg((*inner).baserestrictinfo);
        if clauses.iter_ptr().any(|clause| (*clause).pseudoconstant) {
            return;
        }
        let Some(info) = RelInfo::of(inner) else { return };
        let pair = Pair { root, join, outer, inner, extra, info };
        if join_type == pg_sys::JoinType::JOIN_UNIQUE_OUTER {
            pair.add_unique();
        } else if let Some(kind) = JoinKind::of(join_type) {
            for path in PgList::<pg_sys::Path>::from_pg((*outer).pathlist).iter_ptr() {
                pair.add(path, kind);
            }
        }
    }
}

/// Whether a relation is a foreign table of this extension.
///
/// # Safety
/// The relation must be one of the query that is being planned.
unsafe fn is_own(rel: *mut pg_sys::RelOptInfo) -> bool {
    // SAFETY: the caller guarantees a relation. Its callbacks are null or those of a foreign-data wrapper.
    unsafe {
        let is_table = matches!(
            (*rel).reloptkind,
            pg_sys::RelOptKind::RELOPT_BASEREL | pg_sys::RelOptKind::RELOPT_OTHER_MEMBER_REL
        );
        let own: pg_sys::GetForeignRelSize_function = Some(sizes::get_foreign_rel_size);
        let callback = (*rel).fdwroutine.as_ref().and_then(|routine| routine.GetForeignRelSize);
        is_table && callback.map(|callback| callback as usize) == own.map(|own| own as usize)
    }
}

/// Two relations that Postgres considers to join, of which the inner one is a foreign table of this extension.
struct Pair<'p> {
    root: *mut pg_sys::PlannerInfo,
    join: *mut pg_sys::RelOptInfo,
    outer: *mut pg_sys::RelOptInfo,
    inner: *mut pg_sys::RelOptInfo,
    extra: *mut pg_sys::JoinPathExtraData,
    info: &'p RelInfo,
}

impl Pair<'_> {
    /// Adds the path of a semijoin whose inner side for Postgres is the outer side here, without its duplicates: `clerk.users
    /// WHERE user_id IN (SELECT …)`.
    ///
    /// # Safety
    /// The pair must be one of the query that is being planned.
    unsafe fn add_unique(&self) {
        // SAFETY: the caller guarantees relations of the query. create_unique_path takes the cheapest path, which must not
        // need rows of the other side.
        unsafe {
            let cheapest = (*self.outer).cheapest_total_path;
            if self.needs_inner(cheapest) {
                return;
            }
            let unique = pg_sys::create_unique_path(self.root, self.outer, cheapest, (*self.extra).sjinfo);
            if !unique.is_null() {
                self.add(unique.cast(), JoinKind::Inner);
            }
        }
    }

    /// Whether a path needs values of the inner side's rows.
    ///
    /// # Safety
    /// The path must be one of the query that is being planned.
    unsafe fn needs_inner(&self, path: *mut pg_sys::Path) -> bool {
        // SAFETY: the caller guarantees a path, whose parameterization is null or has a set of relations.
        unsafe {
            let required = (*path).param_info.as_ref().map_or(null_mut(), |info| info.ppi_req_outer);
            pg_sys::bms_overlap(required, (*self.inner).relids)
        }
    }

    /// Adds a path that joins the rows of a path of the outer side, if there is a clause to look rows up by.
    ///
    /// # Safety
    /// The path must be one of the outer side.
    unsafe fn add(&self, outer: *mut pg_sys::Path, kind: JoinKind) {
        // SAFETY: the caller guarantees the path, and the pair relations of the query. What the new paths refer to lives as
        // long as the planner's memory, and add_path takes ownership of the join's path.
        unsafe {
            if self.needs_inner(outer) {
                return;
            }
            let mut clauses = (*self.extra).restrictlist;
            let outer_join = kind.is_outer().then_some((*self.join).relids);
            let Some(key) = Key::best(self.info, clauses, (*self.outer).relids, outer_join) else { return };
            let values = different_values(self.root, &key, (*outer).rows.max(1.0));
            let table = &self.info.table;
            let estimate = Estimate::lookups(table, &key.classified, values, key.values_per_request);
            let inner = self.inner_path(&key, &estimate);

            let required = pg_sys::calc_non_nestloop_required_outer(outer, inner);
            let mut param_info = null_mut();
            if !required.is_null() {
                // Postgres may make the path one of a partition (reparameterize_path_by_child), and the clauses that it keeps
                // would not be adjusted. The other condition is that of Postgres' own joins.
                if pg_sys::enable_partitionwise_join || !pg_sys::bms_overlap(required, (*self.extra).param_source_rels)
                {
                    return;
                }
                let sjinfo = (*self.extra).sjinfo;
                param_info = pg_sys::get_joinrel_parampathinfo(
                    self.root,
                    self.join,
                    outer,
                    inner,
                    sjinfo,
                    required,
                    &mut clauses,
                );
            }
            let rows = param_info.as_ref().map_or((*self.join).rows, |info: &pg_sys::ParamPathInfo| info.ppi_rows);
            let quals = PgList::<pg_sys::RestrictInfo>::from_pg(clauses).len() as f64;
            let cpu = (*outer).rows * quals * pg_sys::cpu_operator_cost + rows * pg_sys::cpu_tuple_cost;
            let lookup = LookupPath {
                kind,
                is_inner_unique: (*self.extra).inner_unique,
                values_per_request: key.values_per_request,
                requests: estimate.requests,
            };
            let join_type = match kind {
                JoinKind::Inner => pg_sys::JoinType::JOIN_INNER,
                JoinKind::Left => pg_sys::JoinType::JOIN_LEFT,
                JoinKind::Semi => pg_sys::JoinType::JOIN_SEMI,
                JoinKind::Anti => pg_sys::JoinType::JOIN_ANTI,
            };
            let mut sides = PgList::<pg_sys::Path>::new();
            sides.push(outer);
            sides.push(inner);
            let path: *mut pg_sys::CustomPath = pg_sys::palloc0(size_of::<pg_sys::CustomPath>()).cast();
            (*path).path.type_ = pg_sys::NodeTag::T_CustomPath;
            (*path).path.pathtype = pg_sys::NodeTag::T_CustomScan;
            (*path).path.parent = self.join;
            (*path).path.pathtarget = (*self.join).reltarget;
            (*path).path.param_info = param_info;
            (*path).path.rows = rows;
            (*path).path.startup_cost = (*outer).startup_cost + (*inner).startup_cost;
            (*path).path.total_cost = (*outer).total_cost + (*inner).total_cost + cpu;
            #[cfg(feature = "pg18")]
            {
                (*path).path.disabled_nodes = (*outer).disabled_nodes;
            }
            (*path).path.pathkeys = pg_sys::build_join_pathkeys(self.root, self.join, join_type, (*outer).pathkeys);
            (*path).flags = pg_sys::CUSTOMPATH_SUPPORT_PROJECTION;
            (*path).custom_paths = sides.into_pg();
            (*path).custom_private = path_private(clauses, key.clause, &lookup);
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            {
                (*path).custom_restrictinfo = clauses;
            }
            (*path).methods = path_methods();
            pg_sys::add_path(self.join, path.cast());
        }
    }

    /// The path of the foreign scan that the join gives the values to.
    ///
    /// # Safety
    /// The key must be one of this pair.
    unsafe fn inner_path(&self, key: &Key, estimate: &Estimate) -> *mut pg_sys::Path {
        let private = PathPrivate {
            requests: estimate.requests,
            lookup: Some(key.comparison.column.name.to_owned()),
            ..PathPrivate::default()
        };
        let table = &self.info.table;
        // SAFETY: the pair has the foreign table and the root of the query.
        unsafe {
            pg_sys::create_foreignscan_path(
                self.root,
                self.inner,
                null_mut(),
                estimate.rows,
                #[cfg(feature = "pg18")]
                0,
                estimate.startup_cost(table),
                estimate.total_cost(table),
                null_mut(),
                null_mut(),
                null_mut(),
                #[cfg(any(feature = "pg17", feature = "pg18"))]
                null_mut(),
                to_list(&private),
            )
            .cast()
        }
    }
}
