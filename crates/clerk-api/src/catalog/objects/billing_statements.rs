//! Billing statements: what payers owed and paid in a period.

use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{KeyColumn, List, Object, PAGINATED};

pub(super) const OBJECT: Object = Object {
    name: "billing_statements",
    aliases: &["billing/statements", "billing/statement"],
    description: "The statements of payers.",
    list: Some(List::by_offset("/billing/statements").params(PAGINATED)),
    key_columns: &[KeyColumn::get("billing_statement_id", "/billing/statements/{billing_statement_id}")],
    columns: &[
        column("billing_statement_id", Text, Path(&["id"]), "The billing statement's id.")
            .id()
            .aliases(&["id", "statement_id"]),
        column("status", Text, Path(&["status"]), "open or closed."),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("timestamp", Time, Path(&["timestamp"]), "When the statement was made.").creation_time(),
        column("payer", Json, Path(&["payer"]), "Who pays: a user or an organization."),
        column("totals", Json, Path(&["totals"]), "The totals."),
        column("groups", Json, Path(&["groups"]), "The items, grouped by day."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
