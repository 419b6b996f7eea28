//! Billing prices: what plans cost, custom prices included.

use crate::catalog::Kind::{Boolean, Integer, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{KeyColumn, List, Object, PAGINATED};

pub(super) const OBJECT: Object = Object {
    name: "billing_prices",
    description: "The prices of plans.",
    list: Some(List::by_offset("/billing/prices").params(PAGINATED)),
    key_columns: &[KeyColumn::list("plan_id", List::by_offset("/billing/prices?plan_id={plan_id}").params(PAGINATED))],
    columns: &[
        column("billing_price_id", Text, Path(&["id"]), "The billing price's id.").id().aliases(&["id"]),
        column("plan_id", Text, Path(&["plan_id"]), "The plan's id.").parent("billing_plans"),
        column("currency", Text, Path(&["currency"]), "The currency, such as USD."),
        column("currency_symbol", Text, Path(&["currency_symbol"]), "The currency's sign."),
        column("amount", Integer, Path(&["amount"]), "The price by the month, in cents."),
        column(
            "annual_monthly_amount",
            Integer,
            Path(&["annual_monthly_amount"]),
            "The price of a month for those who pay by the year, in cents.",
        ),
        column("description", Text, Path(&["description"]), "What it is for."),
        column("is_default", Boolean, Path(&["is_default"]), "Whether it is the plan's own price."),
        column(
            "supported_billing_periods",
            Text,
            Path(&["supported_billing_periods"]),
            "For which periods it can be paid.",
        ),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("created_at", Time, Path(&["created_at"]), "When the price was created.").creation_time(),
        column(
            "fee",
            Json,
            Path(&["fee"]),
            "The price by the month, with its amount in cents, its currency and its formatted text.",
        ),
        column(
            "annual_monthly_fee",
            Json,
            Path(&["annual_monthly_fee"]),
            "The price of a month for those who pay by the year.",
        ),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
