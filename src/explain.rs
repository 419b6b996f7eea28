//! What EXPLAIN says about a scan: the requests that it makes, in Clerk's own words. Nothing is sent for it.

use std::ffi::{CStr, CString};

use clerk_api::object::{Answer, Object, Paging, Test};
use clerk_api::{Filters, From, OLDEST_FIRST, Ordered};
use pgrx::{PgList, is_a, pg_guard, pg_sys};

use crate::condition::{Condition, Operator, ValueKind};
use crate::error::OrRaise;
use crate::option;
use crate::plan::ScanPlan;
use crate::scan::{Scan, Spent};
use crate::shippable::{self, Known};
use crate::value;

/// Postgres prints one node of a plan.
#[pg_guard]
pub unsafe extern "C-unwind" fn explain_foreign_scan(
    node: *mut pg_sys::ForeignScanState,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: the node is a scan of a foreign table of ours.
    unsafe {
        let foreign_scan: *mut pg_sys::ForeignScan = (*node).ss.ps.plan.cast();
        let plan = ScanPlan::of(foreign_scan);
        let table = option::table(pg_sys::Oid::from(plan.relation)).or_raise();
        let out = Out(explain);
        out.text(c"Clerk", &request(&plan, table.object, (*foreign_scan).fdw_exprs, table.page_size));
        services(&plan, table.object, &out);
        out.integer(c"Expected Requests", plan.requests as i64);
        if (*explain).analyze
            && let Some(scan) = Scan::of(node)
        {
            spent(scan.spent(), (*explain).timing, &out);
        }
    }
}

/// Which conditions Clerk evaluates, which only narrow what it sends, and which stay with Postgres.
fn services(plan: &ScanPlan, object: &'static Object, out: &Out) {
    let (mut exact, mut narrowing, mut local) = (Vec::new(), Vec::new(), Vec::new());
    for (condition, service) in plan.conditions.iter().zip(shippable::services(object, &plan.conditions)) {
        let list = match service {
            Some(service) if service.is_exact() => &mut exact,
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
    let column = &condition.column;
    let is_many = condition.values.len() > 1 || condition.values.iter().any(|value| value.kind == ValueKind::TextArray);
    match condition.operator {
        Operator::Equal if is_many => format!("{column} IN"),
        Operator::Equal => format!("{column} ="),
        Operator::AtLeast => format!("{column} >="),
        Operator::Above => format!("{column} >"),
        Operator::AtMost => format!("{column} <="),
        Operator::Below => format!("{column} <"),
        Operator::Like => format!("{column} LIKE"),
        Operator::ILike => format!("{column} ILIKE"),
        Operator::Is(true) => column.clone(),
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

/// The request, with the values that are constants; others stand in braces.
unsafe fn request(plan: &ScanPlan, object: &'static Object, expressions: *mut pg_sys::List, page_size: u32) -> String {
    // SAFETY: the caller's: the list holds the expressions of the plan's conditions.
    let constants: Vec<Option<Option<pg_sys::Datum>>> = unsafe {
        let constant = |expression: *mut pg_sys::Expr| {
            is_a(expression.cast(), pg_sys::NodeTag::T_Const).then(|| {
                let constant: *mut pg_sys::Const = expression.cast();
                (!(*constant).constisnull).then_some((*constant).constvalue)
            })
        };
        PgList::<pg_sys::Expr>::from_pg(expressions).iter_ptr().map(constant).collect()
    };
    let mut open = Filters::new();
    let is_constant = |condition: &Condition| {
        condition.values.iter().all(|value| constants.get(value.expression).is_some_and(Option::is_some))
    };
    // What other values a column may have besides is not known before the query runs.
    let is_open = |condition: &&Condition| condition.operator == Operator::Equal && !is_constant(condition);
    let open_columns: Vec<_> = plan.conditions.iter().filter(is_open).map(|condition| &condition.column).collect();
    let known: Vec<_> = plan
        .conditions
        .iter()
        .map(|condition| {
            let is_joined = condition.operator == Operator::Equal && open_columns.contains(&&condition.column);
            if is_constant(condition) && !is_joined {
                // SAFETY: the planner has matched the kinds to the expressions.
                return unsafe { value::known(condition, |number| constants.get(number).copied().flatten().flatten()) };
            }
            let braces = format!("{{{}}}", condition.column);
            match condition.values.first().map(|value| value.kind) {
                Some(ValueKind::Text | ValueKind::TextArray) if condition.operator == Operator::Equal => {
                    let are_many = condition.values.iter().any(|value| value.kind == ValueKind::TextArray);
                    Known::Texts([braces].into_iter().chain(are_many.then(|| MORE.to_owned())).collect())
                }
                _ => {
                    let filters = object.column(&condition.column, true).map_or(&[][..], |column| column.filters);
                    let serving = filters.iter().filter(|filter| match condition.operator {
                        Operator::AtLeast | Operator::Above => filter.test == Test::After,
                        Operator::AtMost | Operator::Below => matches!(filter.test, Test::Before { .. }),
                        Operator::Like | Operator::ILike => filter.test == Test::Contains,
                        _ => true,
                    });
                    open.extend(serving.map(|filter| (filter.parameter, braces.clone())));
                    Known::Nothing
                }
            }
        })
        .collect();
    let order = plan.order.as_ref().and_then(|order| {
        Some(Ordered { parameter: object.order(&order.column)?.parameter, descending: order.descending })
    });
    match shippable::read(object, &plan.conditions, &known, order, plan.count) {
        None => "nothing: no row can satisfy the conditions".to_owned(),
        Some(from) => described(object, from, open, plan.enough, page_size),
    }
}

fn described(object: &Object, from: From, open: Filters, enough: Option<u32>, page_size: u32) -> String {
    let limit = enough.map_or(page_size, |enough| enough.min(page_size));
    let (path, filters, order) = match from {
        From::List { filters, order } => (object.list.to_owned(), filters, Some(order.unwrap_or(OLDEST_FIRST))),
        From::Itself => return get(object.list, Filters::new()),
        From::Sample { .. } => (object.list.to_owned(), Filters::new(), None),
        From::Count { below: None, filters } => match object.paging {
            Paging::Cursor { count } => return get(count, filters.into_iter().chain(open)),
            Paging::Offset => return get(object.list, filters.into_iter().chain([("limit", "1".to_owned())])),
        },
        From::Count { below: Some((key, value)), filters } => {
            return get(&filled(key.path, &value), filters.into_iter().chain([("limit", "1".to_owned())]));
        }
        From::Batches { parameter, values, filters } => {
            let more = match are_open(&values) {
                true => format!(", values of {parameter} by the hundred"),
                false => format!(", {} values of {parameter} by the hundred", values.len()),
            };
            let first = values.into_iter().next().map(|value| (parameter, value));
            return get(object.list, first.into_iter().chain(filters).chain(open)) + &more;
        }
        From::Keys { key, values, filters, order } => {
            let more = match values.len() - 1 {
                0 => String::new(),
                _ if are_open(&values) => ", one for each value".to_owned(),
                more => format!(", and {more} more"),
            };
            let path = filled(key.path, values.first().map_or("", String::as_str));
            let Answer::List { orders, .. } = key.answer else { return get(&path, filters) + &more };
            let order = orders.then(|| order.unwrap_or(OLDEST_FIRST));
            let limit = ("limit", limit.to_string());
            let order = order.map(|order| ("order_by", order.to_string()));
            return get(&path, filters.into_iter().chain(order).chain([limit])) + &more;
        }
    };
    let order = order.map(|order| ("order_by", order.to_string()));
    get(&path, filters.into_iter().chain(open).chain(order).chain([("limit", limit.to_string())]))
}

/// Stands for the values after the first that are not known before the query runs.
const MORE: &str = "...";

fn are_open(values: &[String]) -> bool {
    values.last().is_some_and(|value| value == MORE)
}

fn filled(path: &str, value: &str) -> String {
    match (path.find('{'), path.find('}')) {
        (Some(begin), Some(end)) => format!("{}{value}{}", &path[..begin], &path[end + 1..]),
        _ => path.to_owned(),
    }
}

/// A request as a person would write it; more than a few values of one parameter are only counted.
fn get(path: &str, parameters: impl IntoIterator<Item = (&'static str, String)>) -> String {
    const SHOWN: usize = 5;
    let parameters: Vec<_> = parameters.into_iter().collect();
    let mut text = format!("GET {path}");
    for (index, (name, value)) in parameters.iter().take(SHOWN).enumerate() {
        text += if index == 0 { "?" } else { "&" };
        text += &format!("{name}={value}");
    }
    if let Some((name, _)) = parameters.get(SHOWN) {
        text += &format!("&{name}=... ({} in all)", parameters.len());
    }
    text
}

/// Where the properties go, in whichever format was asked for.
struct Out(*mut pg_sys::ExplainState);

impl Out {
    fn text(&self, label: &CStr, value: &str) {
        let value = crate::encoding::to_c_string(value);
        // SAFETY: two C strings and the state that Postgres gave.
        unsafe { pg_sys::ExplainPropertyText(label.as_ptr(), value, self.0) };
    }

    fn integer(&self, label: &CStr, value: i64) {
        // SAFETY: as above; no unit.
        unsafe { pg_sys::ExplainPropertyInteger(label.as_ptr(), std::ptr::null(), value, self.0) };
    }

    fn milliseconds(&self, label: &CStr, value: f64) {
        let unit = CString::from(c"ms");
        // SAFETY: as above.
        unsafe { pg_sys::ExplainPropertyFloat(label.as_ptr(), unit.as_ptr(), value, 1, self.0) };
    }
}
