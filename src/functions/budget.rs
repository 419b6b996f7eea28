//! The SQL function that shows how much of the rate limit is used: see `sql/7_budget.sql`.

use pgrx::prelude::*;

use crate::pg::encoding::for_message;
use crate::remote::budget;

extension_sql_file!("../../sql/7_budget.sql", name = "budget", requires = ["modify"]);

/// `clerk_fdw.budgets()`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns from the type as it is written here")]
fn budgets() -> TableIterator<
    'static,
    (
        name!(host, String),
        name!(instance, String),
        name!(rate_limit, i32),
        name!(used, i32),
        name!(held_for, Option<f64>),
        name!(waiting, i32),
        name!(refused, i64),
        name!(shared, bool),
    ),
> {
    TableIterator::new(budget::list().into_iter().map(|(state, shared)| {
        let number = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
        (
            for_message(state.host),
            state.instance,
            number(state.limit),
            number(state.used),
            state.held.map(|held| held.as_secs_f64()),
            number(state.waiting),
            i64::try_from(state.refused).unwrap_or(i64::MAX),
            shared,
        )
    }))
}
