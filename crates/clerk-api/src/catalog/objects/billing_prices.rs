//! Billing prices: what plans cost, custom prices included.

use crate::catalog::Kind::{Boolean, Integer, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{INTEGER, TEXT, field};
use crate::catalog::{FieldKind, KeyColumn, List, Object, PAGINATED, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/billing/prices",
        &[
            field("plan_id", TEXT).required(),
            field("currency", TEXT),
            field("amount", INTEGER).required().nullable(),
            field("annual_monthly_amount", INTEGER).nullable(),
            field("description", TEXT),
            field("supported_billing_periods", FieldKind::Choice(&["month", "annual", "both"])),
        ],
    )),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "billing_prices",
    description: "The prices of plans.",
    list: Some(List::by_offset("/billing/prices").params(PAGINATED)),
    key_columns: &[KeyColumn::list("plan_id", List::by_offset("/billing/prices?plan_id={plan_id}").params(PAGINATED))],
    columns: &[
        column("billing_price_id", Text, Member("id"), "The billing price's id.").id().aliases(&["id"]),
        member("plan_id", Text, "The plan's id.").parent("billing_plans"),
        member("currency", Text, "The currency, such as USD."),
        member("currency_symbol", Text, "The currency's sign."),
        member("amount", Integer, "The price by the month, in cents."),
        member("annual_monthly_amount", Integer, "The price of a month for those who pay by the year, in cents."),
        member("description", Text, "What it is for."),
        member("is_default", Boolean, "Whether it is the plan's own price."),
        member("supported_billing_periods", Text, "For which periods it can be paid."),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("created_at", Time, "When the price was created.").creation_time(),
        member("fee", Json, "The price by the month, with its amount in cents, its currency and its formatted text."),
        member("annual_monthly_fee", Json, "The price of a month for those who pay by the year."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
