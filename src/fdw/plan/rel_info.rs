//! Collects what planning needs to know about a foreign table of a query: its options and which clauses Clerk can
//! evaluate.
//!
//! GetForeignRelSize collects it once and stores it in the relation's `fdw_private`, for the functions that add paths,
//! estimate costs and make the plan.

use clerk_api::catalog::Column;
use clerk_api::pushdown::{Classified, Condition, Operator, Pushdown};
use pgrx::{PgList, PgMemoryContexts, pg_sys};

use super::clause::{ForeignRel, PushableClause};
use super::private::{PlannedCondition, PlannedValue};
use crate::error::OrRaise;
use crate::options::{self, Table};

/// A foreign table of the query that is being planned.
pub struct RelInfo {
    pub rel: ForeignRel,
    pub table: Table,
    /// Whether the number of the table's rows is known, and not a default.
    pub is_size_known: bool,
    /// The clauses on this table alone.
    pub clauses: Clauses,
    /// The clauses of parameterized paths.
    parameterized: Vec<ParameterizedClauses>,
}

/// The clauses of parameterized paths with one ParamPathInfo: its join clauses and the clauses on the table alone.
struct ParameterizedClauses {
    param_info: *mut pg_sys::ParamPathInfo,
    clauses: Clauses,
}

impl RelInfo {
    /// Collects the information about a relation and stores it in its `fdw_private`, until the memory that the query is
    /// planned in is freed.
    ///
    /// # Safety
    /// `rel` must be a foreign table of this extension in the query that the root plans.
    pub unsafe fn attach<'p>(
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        relation: pg_sys::Oid,
        is_size_known: bool,
    ) -> &'p mut RelInfo {
        let table = options::table(relation).or_raise();
        // SAFETY: the caller guarantees a relation of the root's query, whose baserestrictinfo holds RestrictInfos.
        // Planning runs in a memory context that lives at least as long as the relation, and the pointer that
        // leak_and_drop_on_delete returns is valid until that context is deleted.
        unsafe {
            let foreign_rel = ForeignRel { root, relid: (*rel).relid, relation, object: table.object };
            let clauses = Clauses::of(foreign_rel, (*rel).baserestrictinfo);
            let info = RelInfo { rel: foreign_rel, table, is_size_known, clauses, parameterized: Vec::new() };
            let info = PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(info);
            (*rel).fdw_private = info.cast();
            &mut *info
        }
    }

    /// The information about a relation. `None` if GetForeignRelSize was not called for it, as for the parent of an
    /// inheritance tree.
    ///
    /// # Safety
    /// `rel` must be a foreign table of this extension in the query that is being planned, and no other reference to
    /// its RelInfo may exist.
    pub unsafe fn of<'p>(rel: *mut pg_sys::RelOptInfo) -> Option<&'p mut RelInfo> {
        // SAFETY: Postgres initializes fdw_private to null, and for a foreign table of this extension only `attach`
        // sets it, to a RelInfo that lives as long as the relation. The caller guarantees that there is no other
        // reference.
        unsafe { (*rel).fdw_private.cast::<RelInfo>().as_mut() }
    }

    /// Classifies the clauses of parameterized paths with a ParamPathInfo: its join clauses and the clauses on this
    /// table alone.
    ///
    /// # Safety
    /// The ParamPathInfo must be one of this relation, and `base` must hold the RestrictInfos on this table alone.
    pub unsafe fn parameterize(&mut self, param_info: *mut pg_sys::ParamPathInfo, base: *mut pg_sys::List) {
        // SAFETY: the caller guarantees that ppi_clauses and `base` are lists of RestrictInfos of the query.
        let clauses = unsafe { Clauses::of(self.rel, pg_sys::list_concat_copy((*param_info).ppi_clauses, base)) };
        self.parameterized.push(ParameterizedClauses { param_info, clauses });
    }

    /// The clauses of a path with a ParamPathInfo, or of one that is not parameterized.
    pub fn clauses_of(&self, param_info: *mut pg_sys::ParamPathInfo) -> &Clauses {
        let parameterized = self.parameterized.iter().find(|other| other.param_info == param_info);
        parameterized.map_or(&self.clauses, |parameterized| &parameterized.clauses)
    }
}

/// The clauses of a query on one foreign table, with how Clerk can evaluate them.
pub struct Clauses {
    /// How many there are, pushable or not.
    pub count: usize,
    pushable: Vec<PushableClause>,
    pub classified: Classified,
}

impl Clauses {
    /// Analyzes and classifies clauses.
    ///
    /// # Safety
    /// The list must hold expressions or RestrictInfos of the query that `rel.root` plans.
    pub unsafe fn of(rel: ForeignRel, clauses: *mut pg_sys::List) -> Self {
        // SAFETY: the caller guarantees a list of expressions or RestrictInfos of the query.
        let all: Vec<_> = unsafe {
            PgList::<pg_sys::Expr>::from_pg(clauses).iter_ptr().map(|clause| rel.pushable_clause(clause)).collect()
        };
        let count = all.len();
        let pushable: Vec<_> = all.into_iter().flatten().collect();
        let conditions = pushable.iter().map(PushableClause::condition).collect();
        Clauses { count, pushable, classified: Classified::new(rel.object, conditions) }
    }

    /// Whether Clerk evaluates all clauses exactly, so that Postgres filters out no row that Clerk sends.
    pub fn is_exact(&self) -> bool {
        self.pushable.len() == self.count && self.classified.is_exact()
    }

    /// The pushable clauses, each with how it is pushed down; `None` if Clerk cannot evaluate it.
    pub fn iter(&self) -> impl Iterator<Item = (&PushableClause, Option<Pushdown>)> {
        self.pushable.iter().zip(self.classified.iter().map(|(_, pushdown)| pushdown))
    }

    /// These clauses, and the condition that a column has one of the values that a lookup join looks up.
    pub fn with_lookup(&self, rel: ForeignRel, column: &'static Column) -> Classified {
        let conditions = self.pushable.iter().map(PushableClause::condition);
        let lookup = Condition { column, operator: Operator::Equal, has_one_value: false };
        Classified::new(rel.object, conditions.chain([lookup]).collect())
    }

    /// The pushable clauses in the form that the plan keeps them. Their values are indexes in [`Self::expressions`].
    pub fn planned(&self) -> Vec<PlannedCondition> {
        let mut number = 0;
        let conditions = self.pushable.iter().map(|clause| PlannedCondition {
            column: clause.column.name.to_owned(),
            operator: clause.operator,
            has_one_value: clause.condition().has_one_value,
            is_lookup: false,
            values: clause
                .values
                .iter()
                .map(|value| {
                    number += 1;
                    PlannedValue { expression: number - 1, kind: value.kind }
                })
                .collect(),
        });
        conditions.collect()
    }

    /// The values of the pushable clauses, for `fdw_exprs` of the plan.
    pub fn expressions(&self) -> *mut pg_sys::List {
        let mut list = PgList::<pg_sys::Expr>::new();
        for value in self.pushable.iter().flat_map(|clause| &clause.values) {
            list.push(value.expression);
        }
        list.into_pg()
    }
}
