//! Billing statements: what payers owed and paid in a period.

use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::{KeyColumn, List, Object, PAGINATED};

pub(super) const OBJECT: Object = Object {
    name: "billing_statements",
    aliases: &["billing/statements", "billing/statement"],
    description: "The statements of payers.",
    list: Some(List::by_offset("/billing/statements").params(PAGINATED)),
    key_columns: &[KeyColumn::get("billing_statement_id", "/billing/statements/{billing_statement_id}")],
    columns: &[
        column("billing_statement_id", Text, Member("id"), "The billing statement's id.")
            .id()
            .aliases(&["id", "statement_id"]),
        member("status", Text, "open or closed."),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("timestamp", Time, "When the statement was made.").creation_time(),
        member("payer", Json, "Who pays: a user or an organization."),
        member("totals", Json, "The totals."),
        member("groups", Json, "The items, grouped by day."),
        attrs(),
    ],
    ..Object::BLANK
};
