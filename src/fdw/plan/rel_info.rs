//! What is found out once about each foreign table of a query: its options, and what of its clauses Clerk can evaluate.
//!
//! GetForeignRelSize leaves it in the relation's `fdw_private`, where paths, costs and the plan read it.

use clerk_api::pushdown::{Classified, Pushdown};
use pgrx::{PgList, PgMemoryContexts, pg_sys};

use super::clause::{ForeignRel, PushableClause};
use super::private::{PlannedCondition, PlannedValue};
use crate::error::OrRaise;
use crate::options::{self, Table};

/// A foreign table of the query that is being planned.
pub struct RelInfo {
    pub rel: ForeignRel,
    pub table: Table,
    /// The clauses on this table alone.
    pub clauses: Clauses,
    /// Those together with the join clauses of a parameterized path, by its ParamPathInfo.
    parameterized: Vec<(*mut pg_sys::ParamPathInfo, Clauses)>,
}

impl RelInfo {
    /// Finds it out, and leaves it with the relation for as long as the query is planned.
    ///
    /// # Safety
    /// Called by GetForeignRelSize with the planner's own structures.
    pub unsafe fn attach<'p>(
        root: *mut pg_sys::PlannerInfo,
        rel: *mut pg_sys::RelOptInfo,
        relation: pg_sys::Oid,
    ) -> &'p mut RelInfo {
        let table = options::table(relation).or_raise();
        // SAFETY: root and rel are the planner's. The memory that the planner works in outlives the relation, and the
        // pointer that leak_and_drop_on_delete gives is valid until that memory is freed.
        unsafe {
            let foreign_rel = ForeignRel { root, relid: (*rel).relid, relation, object: table.object };
            let clauses = Clauses::of(foreign_rel, (*rel).baserestrictinfo);
            let info = RelInfo { rel: foreign_rel, table, clauses, parameterized: Vec::new() };
            let info = PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(info);
            (*rel).fdw_private = info.cast();
            &mut *info
        }
    }

    /// What was found out about a relation. None if it was not GetForeignRelSize of this extension that planned it, as
    /// for the parent of an inheritance tree.
    ///
    /// # Safety
    /// `rel` is a relation of the planner's, and a foreign table of this extension if its `fdw_private` is set.
    pub unsafe fn of<'p>(rel: *mut pg_sys::RelOptInfo) -> Option<&'p mut RelInfo> {
        // SAFETY: of a foreign table of ours, nobody else sets fdw_private, and attach has set it to a RelInfo.
        unsafe { (*rel).fdw_private.cast::<RelInfo>().as_mut() }
    }

    /// Classifies the clauses of a parameterized path, which are those of the join and those on this table alone.
    ///
    /// # Safety
    /// The ParamPathInfo is one of this relation's.
    pub unsafe fn parameterize(&mut self, parameters: *mut pg_sys::ParamPathInfo, base: *mut pg_sys::List) -> &Clauses {
        // SAFETY: both lists hold RestrictInfos of the query that is being planned.
        let clauses = unsafe { Clauses::of(self.rel, pg_sys::list_concat_copy((*parameters).ppi_clauses, base)) };
        self.parameterized.push((parameters, clauses));
        &self.parameterized[self.parameterized.len() - 1].1
    }

    /// The clauses of a path: those of its parameterization, if it has one.
    pub fn clauses_of(&self, parameters: *mut pg_sys::ParamPathInfo) -> &Clauses {
        let found = self.parameterized.iter().find(|(other, _)| *other == parameters);
        found.map_or(&self.clauses, |(_, clauses)| clauses)
    }
}

/// Clauses of a query on one foreign table, classified.
pub struct Clauses {
    /// How many there are, pushable or not.
    pub count: usize,
    pushable: Vec<PushableClause>,
    pub classified: Classified,
}

impl Clauses {
    /// # Safety
    /// The list holds expressions or RestrictInfos of the query that is being planned.
    pub unsafe fn of(rel: ForeignRel, clauses: *mut pg_sys::List) -> Self {
        // SAFETY: the caller promises what the list holds, which is what pushable_clause asks for.
        let all: Vec<_> = unsafe {
            PgList::<pg_sys::Expr>::from_pg(clauses).iter_ptr().map(|clause| rel.pushable_clause(clause)).collect()
        };
        let count = all.len();
        let pushable: Vec<_> = all.into_iter().flatten().collect();
        let conditions = pushable.iter().map(PushableClause::condition).collect();
        Clauses { count, pushable, classified: Classified::new(rel.object, conditions) }
    }

    /// Whether Clerk evaluates all of them exactly, so that nothing is left for Postgres to sort out.
    pub fn is_exact(&self) -> bool {
        self.pushable.len() == self.count && self.classified.is_exact()
    }

    /// Each pushable clause with how it is pushed down; `None` where it is left to Postgres.
    pub fn iter(&self) -> impl Iterator<Item = (&PushableClause, Option<Pushdown>)> {
        self.pushable.iter().zip(self.classified.iter().map(|(_, pushdown)| pushdown))
    }

    /// The pushable clauses as the plan keeps them, whose values are [`Self::expressions`].
    pub fn planned(&self) -> Vec<PlannedCondition> {
        let mut number = 0;
        let conditions = self.pushable.iter().map(|clause| PlannedCondition {
            column: clause.column.name.to_owned(),
            operator: clause.operator,
            has_one_value: clause.condition().has_one_value,
            values: clause
                .values
                .iter()
                .map(|(_, kind)| {
                    number += 1;
                    PlannedValue { expression: number - 1, kind: *kind }
                })
                .collect(),
        });
        conditions.collect()
    }

    /// The values of the pushable clauses, for Postgres to prepare.
    pub fn expressions(&self) -> *mut pg_sys::List {
        let mut list = PgList::<pg_sys::Expr>::new();
        for (expression, _) in self.pushable.iter().flat_map(|clause| &clause.values) {
            list.push(*expression);
        }
        list.into_pg()
    }
}
