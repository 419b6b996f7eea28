//! Shows in EXPLAIN the first request of a scan, as it would be sent, and which conditions are pushed down. EXPLAIN
//! itself sends nothing to Clerk.

use std::ffi::{CStr, CString};

use clerk_api::catalog::Object;
use clerk_api::pushdown::{BoundCondition, Classified, Condition, Operator};
use clerk_api::{Fetch, extra_params};
use pgrx::{PgList, is_a, pg_guard, pg_sys};

use crate::error::OrRaise;
use crate::fdw::convert;
use crate::fdw::exec::scan::{Scan, ScanStats};
use crate::fdw::exec::values;
use crate::fdw::plan::private::{PlannedCondition, ScanPlan};
use crate::options::{self, Table};

/// The callback ExplainForeignScan: adds the properties of one node of a plan.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn explain_foreign_scan(
    node: *mut pg_sys::ForeignScanState,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: Postgres passes a foreign scan of this extension, whose plan get_foreign_plan made with the values of the
    // conditions in fdw_exprs, and the state of the EXPLAIN command.
    unsafe {
        let foreign_scan: *mut pg_sys::ForeignScan = (*node).ss.ps.plan.cast();
        let plan = ScanPlan::of(foreign_scan);
        let table = options::table(pg_sys::Oid::from(plan.relation)).or_raise();
        let classified = plan.classified(table.object);
        let output = ExplainOutput(explain);
        output.text(c"Clerk", &describe_request(&plan, &table, &classified, (*foreign_scan).fdw_exprs));
        show_conditions(&plan, &classified, &output);
        output.integer(c"Expected Requests", plan.requests as i64);
        if (*explain).analyze
            && let Some(scan) = Scan::of(node)
        {
            show_stats(scan.stats(), (*explain).timing, &output);
        }
    }
}

/// Shows which conditions Clerk evaluates exactly, which ones only reduce what it sends, and which ones Postgres
/// evaluates.
fn show_conditions(plan: &ScanPlan, classified: &Classified, output: &ExplainOutput) {
    let (mut exact, mut narrowing, mut local) = (Vec::new(), Vec::new(), Vec::new());
    for (condition, pushdown) in classified.iter() {
        let list = match pushdown {
            Some(pushdown) if pushdown.is_exact() => &mut exact,
            Some(_) => &mut narrowing,
            None => &mut local,
        };
        list.push(describe_condition(condition));
    }
    match plan.clauses - plan.conditions.len() {
        0 => {}
        1 => local.push("1 other condition".to_owned()),
        others => local.push(format!("{others} other conditions")),
    }
    for (label, list) in
        [(c"Evaluated by Clerk", exact), (c"Narrowed by Clerk", narrowing), (c"Left to Postgres", local)]
    {
        if !list.is_empty() {
            output.text(label, &list.join(", "));
        }
    }
}

fn describe_condition(condition: &Condition) -> String {
    let column = condition.column.name;
    match condition.operator {
        Operator::Equal if !condition.has_one_value => format!("{column} IN"),
        Operator::Equal => format!("{column} ="),
        Operator::AtLeast => format!("{column} >="),
        Operator::Above => format!("{column} >"),
        Operator::AtMost => format!("{column} <="),
        Operator::Below => format!("{column} <"),
        Operator::Like => format!("{column} LIKE"),
        Operator::ILike => format!("{column} ILIKE"),
        Operator::Is(true) => column.to_owned(),
        Operator::Is(false) => format!("NOT {column}"),
    }
}

/// Shows what a scan has cost.
fn show_stats(stats: ScanStats, timing: bool, output: &ExplainOutput) {
    output.integer(c"Requests", stats.requests as i64);
    output.integer(c"Rows Received", stats.rows as i64);
    output.integer(c"Bytes Received", stats.bytes as i64);
    output.integer(c"Retries", stats.retries as i64);
    if timing {
        output.milliseconds(c"Waited for Pacing", stats.pacing.as_secs_f64() * 1000.0);
        output.milliseconds(c"Waited for Clerk", stats.waiting.as_secs_f64() * 1000.0);
    }
    match stats.is_connection_reused {
        Some(true) => output.text(c"Connection", "reused"),
        Some(false) => output.text(c"Connection", "new"),
        None => {}
    }
}

/// Describes the first request. Values that are constants are shown; a column name in braces stands for any other
/// value.
///
/// # Safety
/// The list must hold the expressions of the plan's conditions.
unsafe fn describe_request(
    plan: &ScanPlan,
    table: &Table,
    classified: &Classified,
    expressions: *mut pg_sys::List,
) -> String {
    let missing = classified.missing_keys();
    if !missing.is_empty() {
        return format!("nothing: a condition on {} is needed", missing.join(" or "));
    }
    // SAFETY: the caller guarantees a list of expressions. A node with the tag T_Const is a Const.
    let constants: Vec<Option<Constant>> = unsafe {
        let constant = |expression: *mut pg_sys::Expr| {
            is_a(expression.cast(), pg_sys::NodeTag::T_Const).then(|| {
                let constant: *mut pg_sys::Const = expression.cast();
                Constant { value: (!(*constant).constisnull).then_some((*constant).constvalue) }
            })
        };
        PgList::<pg_sys::Expr>::from_pg(expressions).iter_ptr().map(constant).collect()
    };
    let is_constant = |condition: &PlannedCondition| {
        !condition.is_lookup
            && condition.values.iter().all(|value| constants.get(value.expression).is_some_and(Option::is_some))
    };
    // Several equalities on one column are sent as the intersection of their values. If the values of one of them are
    // not known yet, neither is the intersection, so all of them are shown as unknown.
    let is_unknown = |condition: &&PlannedCondition| condition.operator == Operator::Equal && !is_constant(condition);
    let unknown: Vec<_> = plan.conditions.iter().filter(is_unknown).collect();
    let bound = plan.conditions.iter().map(|condition| {
        let is_beside_unknown =
            condition.operator == Operator::Equal && unknown.iter().any(|other| other.column == condition.column);
        match is_constant(condition) && !is_beside_unknown {
            // SAFETY: the constants are the plan's expressions, and the planner chose each kind by the type of the
            // expression.
            true => unsafe { values::bind(condition, |number| constants.get(number)?.as_ref()?.value) },
            false => BoundCondition::Placeholder(format!("{{{}}}", condition.column)),
        }
    });
    let bound: Vec<_> = bound.collect();
    let is_single =
        |column: &str| unknown.iter().any(|condition| condition.column == column && condition.has_one_value);
    let has_more_values = unknown.iter().any(|condition| !is_single(&condition.column));
    match classified.bind(&bound, plan.order_by(table.object), plan.is_count) {
        None => "nothing: no row can satisfy the conditions".to_owned(),
        Some(query) => {
            let extra_params = params_of_columns(plan, table.object);
            let (page_size, limit_hint) = (table.page_size, plan.limit);
            let fetch = Fetch { query, page_size, limit_hint, extra_params, ..Fetch::all(table.object, Vec::new()) };
            fetch.describe(has_more_values)
        }
    }
}

/// The query parameters without which Clerk does not send the values of the columns that the query uses.
fn params_of_columns(plan: &ScanPlan, object: &'static Object) -> Vec<(&'static str, &'static str)> {
    let relation = pg_sys::Oid::from(plan.relation);
    let columns = plan.columns.iter().filter_map(|number| convert::catalog_column(relation, *number, object));
    extra_params(columns.filter_map(|column| column.extra_param))
}

/// A constant of a plan's expressions.
struct Constant {
    /// `None` for NULL.
    value: Option<pg_sys::Datum>,
}

/// Adds properties to the output of EXPLAIN, which Postgres prints in the format of the command.
pub struct ExplainOutput(pub *mut pg_sys::ExplainState);

impl ExplainOutput {
    pub fn text(&self, label: &CStr, value: &str) {
        let value = crate::pg::encoding::to_c_string(value);
        // SAFETY: label and value are C strings, and explain_foreign_scan got the state from Postgres.
        unsafe { pg_sys::ExplainPropertyText(label.as_ptr(), value, self.0) };
    }

    pub fn integer(&self, label: &CStr, value: i64) {
        // SAFETY: the label is a C string, the unit may be null, and explain_foreign_scan got the state from Postgres.
        unsafe { pg_sys::ExplainPropertyInteger(label.as_ptr(), std::ptr::null(), value, self.0) };
    }

    fn milliseconds(&self, label: &CStr, value: f64) {
        let unit = CString::from(c"ms");
        // SAFETY: label and unit are C strings, and explain_foreign_scan got the state from Postgres.
        unsafe { pg_sys::ExplainPropertyFloat(label.as_ptr(), unit.as_ptr(), value, 1, self.0) };
    }
}
