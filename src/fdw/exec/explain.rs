//! What EXPLAIN says about a scan: the first request that it makes, as it would be sent, and what becomes of the
//! conditions. Nothing is sent for it.

use std::ffi::{CStr, CString};

use clerk_api::Fetch;
use clerk_api::catalog::Object;
use clerk_api::pushdown::{BoundCondition, Classified, Condition, Operator};
use pgrx::{PgList, is_a, pg_guard, pg_sys};

use crate::error::OrRaise;
use crate::fdw::convert;
use crate::fdw::exec::scan::{Scan, Spent};
use crate::fdw::exec::values;
use crate::fdw::plan::private::{PlannedCondition, ScanPlan};
use crate::options::{self, Table};

/// Postgres prints one node of a plan.
#[pg_guard]
pub unsafe extern "C-unwind" fn explain_foreign_scan(
    node: *mut pg_sys::ForeignScanState,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: Postgres passes a scan of a foreign table of this extension, and its own state.
    unsafe {
        let foreign_scan: *mut pg_sys::ForeignScan = (*node).ss.ps.plan.cast();
        let plan = ScanPlan::of(foreign_scan);
        let table = options::table(pg_sys::Oid::from(plan.relation)).or_raise();
        let classified = plan.classified(table.object);
        let out = Out(explain);
        out.text(c"Clerk", &request(&plan, &table, &classified, (*foreign_scan).fdw_exprs));
        pushdowns(&plan, &classified, &out);
        out.integer(c"Expected Requests", plan.requests as i64);
        if (*explain).analyze
            && let Some(scan) = Scan::of(node)
        {
            spent(scan.spent(), (*explain).timing, &out);
        }
    }
}

/// Which conditions Clerk evaluates, which only narrow what it sends, and which stay with Postgres.
fn pushdowns(plan: &ScanPlan, classified: &Classified, out: &Out) {
    let (mut exact, mut narrowing, mut local) = (Vec::new(), Vec::new(), Vec::new());
    for (condition, pushdown) in classified.iter() {
        let list = match pushdown {
            Some(pushdown) if pushdown.is_exact() => &mut exact,
            Some(_) => &mut narrowing,
            None => &mut local,
        };
        list.push(words(condition));
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
            out.text(label, &list.join(", "));
        }
    }
}

fn words(condition: &Condition) -> String {
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

/// What a scan has cost.
fn spent(spent: Spent, timing: bool, out: &Out) {
    out.integer(c"Requests", spent.requests as i64);
    out.integer(c"Rows Received", spent.rows as i64);
    out.integer(c"Bytes Received", spent.bytes as i64);
    out.integer(c"Retries", spent.retries as i64);
    if timing {
        out.milliseconds(c"Waited for Pacing", spent.paced.as_secs_f64() * 1000.0);
        out.milliseconds(c"Waited for Clerk", spent.asked.as_secs_f64() * 1000.0);
    }
    match spent.reused {
        Some(true) => out.text(c"Connection", "reused"),
        Some(false) => out.text(c"Connection", "new"),
        None => {}
    }
}

/// The first request, with the values that are constants; column names in braces stand for the others.
///
/// # Safety
/// The list holds the expressions of the plan's conditions.
unsafe fn request(plan: &ScanPlan, table: &Table, classified: &Classified, expressions: *mut pg_sys::List) -> String {
    let missing = classified.missing_keys();
    if !missing.is_empty() {
        return format!("nothing: a condition on {} is needed", missing.join(" or "));
    }
    // SAFETY: the caller promises a list of expressions, whose node tag says which of them are constants.
    let constants: Vec<Option<Option<pg_sys::Datum>>> = unsafe {
        let constant = |expression: *mut pg_sys::Expr| {
            is_a(expression.cast(), pg_sys::NodeTag::T_Const).then(|| {
                let constant: *mut pg_sys::Const = expression.cast();
                (!(*constant).constisnull).then_some((*constant).constvalue)
            })
        };
        PgList::<pg_sys::Expr>::from_pg(expressions).iter_ptr().map(constant).collect()
    };
    let is_constant = |condition: &PlannedCondition| {
        condition.values.iter().all(|value| constants.get(value.expression).is_some_and(Option::is_some))
    };
    // Where one equality on a column is not known yet, nor is what several of them leave together.
    let is_open = |condition: &&PlannedCondition| condition.operator == Operator::Equal && !is_constant(condition);
    let open: Vec<_> = plan.conditions.iter().filter(is_open).collect();
    let bound = plan.conditions.iter().map(|condition| {
        let is_beside_open =
            condition.operator == Operator::Equal && open.iter().any(|open| open.column == condition.column);
        match is_constant(condition) && !is_beside_open {
            // SAFETY: the planner has matched the kinds to the types of the expressions.
            true => unsafe { values::bind(condition, |number| constants.get(number).copied().flatten().flatten()) },
            false => BoundCondition::Placeholder(format!("{{{}}}", condition.column)),
        }
    });
    let bound: Vec<_> = bound.collect();
    let is_single = |column: &str| open.iter().any(|condition| condition.column == column && condition.has_one_value);
    let has_more_values = open.iter().any(|condition| !is_single(&condition.column));
    match classified.bind(&bound, plan.order_by(table.object), plan.is_count) {
        None => "nothing: no row can satisfy the conditions".to_owned(),
        Some(query) => {
            let extra_params = extra_params(plan, table.object);
            let (page_size, limit_hint) = (table.page_size, plan.limit);
            let fetch = Fetch { query, page_size, limit_hint, extra_params, ..Fetch::all(table.object, Vec::new()) };
            fetch.describe(has_more_values)
        }
    }
}

/// The query parameters that the columns need which the query uses.
fn extra_params(plan: &ScanPlan, object: &'static Object) -> Vec<(&'static str, &'static str)> {
    let relation = pg_sys::Oid::from(plan.relation);
    let columns = plan.columns.iter().filter_map(|number| convert::column_of(relation, *number, object));
    columns.filter_map(|column| column.extra_param).collect()
}

/// Where the properties go, in whichever format was asked for.
struct Out(*mut pg_sys::ExplainState);

impl Out {
    fn text(&self, label: &CStr, value: &str) {
        let value = crate::pg::encoding::to_c_string(value);
        // SAFETY: two C strings and the state that Postgres gave.
        unsafe { pg_sys::ExplainPropertyText(label.as_ptr(), value, self.0) };
    }

    fn integer(&self, label: &CStr, value: i64) {
        // SAFETY: a C string, no unit, and the state that Postgres gave.
        unsafe { pg_sys::ExplainPropertyInteger(label.as_ptr(), std::ptr::null(), value, self.0) };
    }

    fn milliseconds(&self, label: &CStr, value: f64) {
        let unit = CString::from(c"ms");
        // SAFETY: two C strings, and the state that Postgres gave.
        unsafe { pg_sys::ExplainPropertyFloat(label.as_ptr(), unit.as_ptr(), value, 1, self.0) };
    }
}
