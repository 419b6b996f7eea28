//! Shows in EXPLAIN by which clause a lookup join looks rows up, and what it costs.

use pgrx::{PgList, pg_guard, pg_sys};

use super::exec::join_of;
use super::private::{JoinKind, LookupPlan};
use crate::fdw::exec::explain::ExplainOutput;
use crate::fdw::exec::scan::Scan;
use crate::pg::encoding::from_server;

/// The callback ExplainCustomScan: adds the properties of one node of a plan.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn explain_custom_scan(
    node: *mut pg_sys::CustomScanState,
    ancestors: *mut pg_sys::List,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: Postgres passes a node whose plan `create_plan` has made, its ancestors and the state of the EXPLAIN command.
    // The first list of custom_exprs has the join's clauses, which are expressions of the plan.
    unsafe {
        let scan: *mut pg_sys::CustomScan = (*node).ss.ps.plan.cast();
        let plan = LookupPlan::of(scan);
        let output = ExplainOutput(explain);
        match plan.path.kind {
            JoinKind::Inner => {}
            JoinKind::Left => output.text(c"Join Type", "Left"),
            JoinKind::Semi => output.text(c"Join Type", "Semi"),
            JoinKind::Anti => output.text(c"Join Type", "Anti"),
        }
        let context = pg_sys::set_deparse_context_plan((*explain).deparse_cxt, scan.cast(), ancestors);
        let clauses = PgList::<pg_sys::List>::from_pg((*scan).custom_exprs).get_ptr(0);
        let clauses = clauses.map(|clauses| PgList::<pg_sys::Node>::from_pg(clauses));
        let (mut key, mut others) = (Vec::new(), Vec::new());
        for (number, clause) in clauses.iter().flat_map(|clauses| clauses.iter_ptr()).enumerate() {
            let text = from_server(pg_sys::deparse_expression(clause, context, true, false));
            if number == plan.key_clause { key.push(text) } else { others.push(text) }
        }
        output.text(c"Lookup Cond", &key.join(" AND "));
        if !others.is_empty() {
            output.text(c"Join Filter", &others.join(" AND "));
        }
        output.integer(c"Keys per Request", plan.path.values_per_request as i64);
        output.integer(c"Expected Requests", plan.path.requests as i64);
        if (*explain).analyze
            && let Some(join) = join_of(node)
        {
            let counts = join.counts();
            output.integer(c"Keys", counts.values as i64);
            output.integer(c"Distinct Keys", counts.looked_up as i64);
            output.integer(c"Remembered", (counts.values - counts.looked_up) as i64);
            if let Some(scan) = Scan::of(join.inner()) {
                output.integer(c"Requests", scan.stats().requests as i64);
            }
        }
    }
}
