//! The ways to read a table that the planner may choose from: all of it at once, in an order of Clerk's, for the
//! values of another table's row, or only how many rows there are.

use std::ptr::null_mut;

use clerk_api::object::{Answer, Kind};
use pgrx::{PgList, is_a, pg_guard, pg_sys};
use serde::{Deserialize, Serialize};

use crate::condition::{self, Condition, Operator, Subject};
use crate::cost::{COUNT_COST, Estimate};
use crate::error::OrRaise;
use crate::option::{self, Table};
use crate::plan::{PlannedOrder, Understood, subject, to_list};
use crate::shippable::{self, Service};

/// What a path tells the plan that is made of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Private {
    pub order: Option<PlannedOrder>,
    /// The table whose rows are only counted.
    pub count: Option<pg_sys::Index>,
    pub requests: f64,
}

/// Postgres asks for the ways to read the table.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_paths(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    relation: pg_sys::Oid,
) {
    let table = option::table(relation).or_raise();
    // SAFETY: root and rel are the planner's, for this relation.
    unsafe {
        let subject = subject(root, (*rel).relid, relation, &table);
        let understood = Understood::of(subject, (*rel).baserestrictinfo);
        let estimate = Estimate::new(root, rel, &table, &understood);
        add(root, rel, &table, estimate, None, null_mut(), (*rel).lateral_relids);
        if let Some((order, pathkeys)) = clerks_order(root, rel, &table, subject, &understood) {
            add(root, rel, &table, estimate.in_order(&table), Some(order), pathkeys, (*rel).lateral_relids);
        }
        for parameters in parameterizations(root, rel, subject) {
            let clauses = pg_sys::list_concat_copy((*parameters).ppi_clauses, (*rel).baserestrictinfo);
            let understood = Understood::of(subject, clauses);
            let estimate = Estimate::new(root, rel, &table, &understood);
            add(root, rel, &table, estimate, None, null_mut(), (*parameters).ppi_req_outer);
        }
    }
}

unsafe fn add(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    table: &Table,
    estimate: Estimate,
    order: Option<PlannedOrder>,
    pathkeys: *mut pg_sys::List,
    outer: *mut pg_sys::Bitmapset,
) {
    // SAFETY: the caller's.
    unsafe {
        let path = pg_sys::create_foreignscan_path(
            root,
            rel,
            null_mut(),
            estimate.rows,
            #[cfg(feature = "pg18")]
            0,
            estimate.startup_cost(table),
            estimate.total_cost(table),
            pathkeys,
            outer,
            null_mut(),
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            null_mut(),
            to_list(&Private { order, count: None, requests: estimate.requests }),
        );
        pg_sys::add_path(rel, path.cast());
    }
}

/// The first order that the query wants, if it is one of Clerk's on a column that is never null.
unsafe fn clerks_order(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    table: &Table,
    subject: Subject,
    understood: &Understood,
) -> Option<(PlannedOrder, *mut pg_sys::List)> {
    // SAFETY: the planner's own structures; an equivalence class has members, which have expressions.
    unsafe {
        let wanted = PgList::<pg_sys::PathKey>::from_pg((*root).query_pathkeys);
        let first = wanted.get_ptr(0)?;
        let members = PgList::<pg_sys::EquivalenceMember>::from_pg((*(*first).pk_eclass).ec_members);
        let (column, declared) = members.iter_ptr().find_map(|member| subject.column((*member).em_expr))?;
        let is_ordered = matches!(column.kind, Kind::Time | Kind::Integer)
            && declared.is_exact
            && matches!(
                declared.base,
                pg_sys::INT8OID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID | pg_sys::DATEOID | pg_sys::INT4OID
            );
        // Another operator class may sort the same values otherwise.
        let is_usual = Some((*first).pk_opfamily) == condition::family(declared.base);
        let order = table.object.order(column.name).filter(|_| is_ordered && is_usual)?;
        #[cfg(feature = "pg18")]
        let descending = (*first).pk_cmptype == pg_sys::CompareType::COMPARE_GT;
        #[cfg(not(feature = "pg18"))]
        let descending = (*first).pk_strategy as u32 == pg_sys::BTGreaterStrategyNumber;
        // Objects that change places while a list is read can be missed, unless one page is all.
        let one_page = limit(root, rel).is_some_and(|limit| limit <= table.page_size) && understood.is_exact;
        let whole = wanted.len() == 1 && one_page;
        if !order.lasts && !whole || !is_one_list(table, understood) {
            return None;
        }
        let mut pathkeys = PgList::<pg_sys::PathKey>::new();
        pathkeys.push(first);
        Some((PlannedOrder { column: column.name.to_owned(), descending }, pathkeys.into_pg()))
    }
}

/// Whether the conditions leave one list to read, which takes an order.
fn is_one_list(table: &Table, understood: &Understood) -> bool {
    let conditions = understood.conditions();
    let services = shippable::services(table.object, &conditions);
    conditions.iter().zip(services).all(|(condition, service)| match service {
        Some(Service::Key(key)) => condition.has_one_value() && matches!(key.answer, Answer::List { orders: true, .. }),
        Some(Service::Filter(_)) if condition.operator == Operator::Equal => condition.has_one_value(),
        _ => true,
    })
}

/// Whether Clerk counts what the conditions leave, in the instance's list or below one owner, in one request.
fn is_countable(table: &Table, understood: &Understood) -> bool {
    let conditions = understood.conditions();
    let services = shippable::services(table.object, &conditions);
    let is_one_object =
        |service: &Option<Service>| matches!(service, Some(Service::Key(key)) if key.answer == Answer::One);
    conditions.iter().all(Condition::has_one_value) && !services.iter().any(is_one_object)
}

/// The sets of other tables whose rows' values can choose what to read.
unsafe fn parameterizations(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    subject: Subject,
) -> Vec<*mut pg_sys::ParamPathInfo> {
    let mut found: Vec<*mut pg_sys::ParamPathInfo> = Vec::new();
    // SAFETY: the planner's own structures.
    unsafe {
        let mut clauses: Vec<*mut pg_sys::RestrictInfo> =
            PgList::<pg_sys::RestrictInfo>::from_pg((*rel).joininfo).iter_ptr().collect();
        if (*rel).has_eclass_joins {
            let implied = pg_sys::generate_implied_equalities_for_column(
                root,
                rel,
                Some(is_ours),
                (&raw const subject).cast_mut().cast(),
                (*rel).lateral_referencers,
            );
            clauses.extend(PgList::<pg_sys::RestrictInfo>::from_pg(implied).iter_ptr());
        }
        for clause in clauses {
            if !pg_sys::join_clause_is_movable_to(clause, rel) || !is_served(subject, clause) {
                continue;
            }
            let outer = pg_sys::bms_union((*clause).clause_relids, (*rel).lateral_relids);
            let outer = pg_sys::bms_del_member(outer, (*rel).relid as i32);
            if pg_sys::bms_membership(outer) == pg_sys::BMS_Membership::BMS_EMPTY_SET {
                continue;
            }
            let parameters = pg_sys::get_baserel_parampathinfo(root, rel, outer);
            if !found.contains(&parameters) {
                found.push(parameters);
            }
        }
    }
    found
}

/// Whether Clerk looks objects up by what a join's condition compares.
unsafe fn is_served(subject: Subject, clause: *mut pg_sys::RestrictInfo) -> bool {
    // SAFETY: the caller's.
    let Some(found) = (unsafe { subject.understand(clause.cast()) }) else { return false };
    let understood = Understood { found: vec![found], is_exact: false };
    let conditions = understood.conditions();
    conditions[0].operator == Operator::Equal
        && shippable::services(subject.object, &conditions).iter().all(Option::is_some)
}

/// Postgres asks whether a member of an equivalence class is a column that join conditions shall be made for.
#[pg_guard]
unsafe extern "C-unwind" fn is_ours(
    _root: *mut pg_sys::PlannerInfo,
    _rel: *mut pg_sys::RelOptInfo,
    _class: *mut pg_sys::EquivalenceClass,
    member: *mut pg_sys::EquivalenceMember,
    subject: *mut std::ffi::c_void,
) -> bool {
    // SAFETY: parameterizations passes its subject.
    unsafe { (*subject.cast::<Subject>()).column((*member).em_expr).is_some() }
}

/// Postgres asks whether Clerk can do more than scan: it can count.
#[pg_guard]
pub unsafe extern "C-unwind" fn get_foreign_upper_paths(
    root: *mut pg_sys::PlannerInfo,
    stage: pg_sys::UpperRelationKind::Type,
    input: *mut pg_sys::RelOptInfo,
    output: *mut pg_sys::RelOptInfo,
    _extra: *mut std::ffi::c_void,
) {
    // SAFETY: the planner's own structures.
    unsafe {
        let query = &*(*root).parse;
        if stage != pg_sys::UpperRelationKind::UPPERREL_GROUP_AGG
            || (*input).reloptkind != pg_sys::RelOptKind::RELOPT_BASEREL
            || (*input).fdw_private.is_null()
            || !query.groupClause.is_null()
            || !query.groupingSets.is_null()
            || !query.havingQual.is_null()
            || query.hasTargetSRFs
            || !(*input).lateral_relids.is_null()
        {
            return;
        }
        let target = (*root).upper_targets[stage as usize];
        let counts = PgList::<pg_sys::Expr>::from_pg(inputs_of((*target).exprs));
        if counts.is_empty() || !counts.iter_ptr().all(|count| is_count_of_rows(count)) {
            return;
        }
        let relation = (**(*root).simple_rte_array.add((*input).relid as usize)).relid;
        let table = option::table(relation).or_raise();
        let understood = Understood::of(subject(root, (*input).relid, relation, &table), (*input).baserestrictinfo);
        if !understood.is_exact || !is_countable(&table, &understood) {
            return;
        }
        let path = pg_sys::create_foreign_upper_path(
            root,
            output,
            target,
            1.0,
            #[cfg(feature = "pg18")]
            0,
            COUNT_COST,
            COUNT_COST,
            null_mut(),
            null_mut(),
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            null_mut(),
            to_list(&Private { order: None, count: Some((*input).relid), requests: 1.0 }),
        );
        pg_sys::add_path(output, path.cast());
    }
}

/// What expressions are computed from: columns, aggregates, and whatever else Postgres knows to come from below.
///
/// # Safety
/// The list holds expressions of the query that is being planned.
pub unsafe fn inputs_of(expressions: *mut pg_sys::List) -> *mut pg_sys::List {
    let all = pg_sys::PVC_INCLUDE_AGGREGATES | pg_sys::PVC_INCLUDE_WINDOWFUNCS | pg_sys::PVC_INCLUDE_PLACEHOLDERS;
    // SAFETY: the caller's.
    unsafe { pg_sys::pull_var_clause(expressions.cast(), all as i32) }
}

/// `count(*)`, or `count` of a constant, without FILTER and DISTINCT.
unsafe fn is_count_of_rows(expression: *mut pg_sys::Expr) -> bool {
    /// The aggregates count() and count("any") in pg_proc.
    const COUNT: u32 = 2803;
    const COUNT_ANY: u32 = 2147;
    // SAFETY: a node's tag tells what it is; an aggregate's arguments are target entries.
    unsafe {
        if !is_a(expression.cast(), pg_sys::NodeTag::T_Aggref) {
            return false;
        }
        let aggregate = &*expression.cast::<pg_sys::Aggref>();
        let counts_all = match aggregate.aggfnoid.to_u32() {
            COUNT => true,
            COUNT_ANY => PgList::<pg_sys::TargetEntry>::from_pg(aggregate.args).iter_ptr().all(|argument| {
                let constant: *mut pg_sys::Const = (*argument).expr.cast();
                is_a(constant.cast(), pg_sys::NodeTag::T_Const) && !(*constant).constisnull
            }),
            _ => false,
        };
        counts_all && aggregate.aggfilter.is_null() && aggregate.aggdistinct.is_null()
    }
}

/// A LIMIT with its OFFSET, where only this table stands behind it. Postgres itself has set it to -1 where grouping,
/// DISTINCT, window functions or set-returning functions stand between.
///
/// # Safety
/// Called while planning, with the planner's own structures.
pub unsafe fn limit(root: *mut pg_sys::PlannerInfo, rel: *mut pg_sys::RelOptInfo) -> Option<u32> {
    // SAFETY: plain reads.
    unsafe {
        let is_alone = (*rel).reloptkind == pg_sys::RelOptKind::RELOPT_BASEREL
            && pg_sys::bms_membership((*root).all_baserels) == pg_sys::BMS_Membership::BMS_SINGLETON;
        let with_ties = (*(*root).parse).limitOption == pg_sys::LimitOption::LIMIT_OPTION_WITH_TIES;
        // What an expression is estimated at now, such as a call of a stable function, may be more when a plan that was
        // kept is executed.
        let is_fixed = |node: *mut pg_sys::Node| node.is_null() || is_a(node, pg_sys::NodeTag::T_Const);
        let parse = &*(*root).parse;
        let is_fixed = is_fixed(parse.limitCount) && is_fixed(parse.limitOffset);
        let limit = (*root).limit_tuples;
        (is_alone && !with_ties && is_fixed && limit >= 1.0).then(|| limit.min(f64::from(u32::MAX)) as u32)
    }
}

/// The numbers of the table's columns whose values the query uses, the conditions that the scan checks among them.
///
/// # Safety
/// As [`limit`]; the list holds RestrictInfos.
pub unsafe fn used_columns(rel: *mut pg_sys::RelOptInfo, conditions: *mut pg_sys::List) -> Vec<i16> {
    // SAFETY: the target list and the conditions are expressions; a bitmap set tells its members.
    unsafe {
        let mut used = null_mut();
        pg_sys::pull_varattnos((*(*rel).reltarget).exprs.cast(), (*rel).relid, &mut used);
        for condition in PgList::<pg_sys::RestrictInfo>::from_pg(conditions).iter_ptr() {
            pg_sys::pull_varattnos((*condition).clause.cast(), (*rel).relid, &mut used);
        }
        let has = |number: i16| {
            let member = i32::from(number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
            pg_sys::bms_is_member(member, used)
        };
        // Number 0 stands for the whole row.
        let all = has(0);
        (1..=(*rel).max_attr).filter(|number| all || has(*number)).collect()
    }
}
