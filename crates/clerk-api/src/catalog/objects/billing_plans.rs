//! Billing plans: what users and organizations can subscribe to.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Boolean, Integer, Json, Text};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, narrowing};
use crate::catalog::{List, Object, PAGINATED};

pub(super) const OBJECT: Object = Object {
    name: "billing_plans",
    aliases: &["billing/plans"],
    description: "The plans that users and organizations can subscribe to.",
    list: Some(List::by_offset("/billing/plans").params(PAGINATED)),
    columns: &[
        column("billing_plan_id", Text, Path(&["id"]), "The billing plan's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name."),
        column("slug", Text, Path(&["slug"]), "The name's form in addresses."),
        column("description", Text, Path(&["description"]), "What people read about it."),
        column("for_payer_type", Text, Path(&["for_payer_type"]), "Who can subscribe: user or org.")
            .filters(&[narrowing(One { values: &["user", "org"] }, "payer_type")]),
        column("product_id", Text, Path(&["product_id"]), "The id of the product that it belongs to."),
        column("is_default", Boolean, Path(&["is_default"]), "Whether it is what everybody has who chose no other."),
        column("is_recurring", Boolean, Path(&["is_recurring"]), "Whether it is paid again each period."),
        column("publicly_visible", Boolean, Path(&["publicly_visible"]), "Whether pricing tables show it."),
        column("has_base_fee", Boolean, Path(&["has_base_fee"]), "Whether it has a fee besides those by unit."),
        column("free_trial_enabled", Boolean, Path(&["free_trial_enabled"]), "Whether it begins with a free trial."),
        column("free_trial_days", Integer, Path(&["free_trial_days"]), "How long the free trial is, in days."),
        column("avatar_url", Text, Path(&["avatar_url"]), "The address of its image."),
        column(
            "fee",
            Json,
            Path(&["fee"]),
            "The monthly fee, with its amount in cents, its currency and its formatted text.",
        ),
        column(
            "annual_monthly_fee",
            Json,
            Path(&["annual_monthly_fee"]),
            "The monthly fee for those who pay by the year.",
        ),
        column("annual_fee", Json, Path(&["annual_fee"]), "The fee for a year."),
        column("features", Json, Path(&["features"]), "The features that it includes."),
        column("unit_prices", Json, Path(&["unit_prices"]), "The prices by unit, such as by seat."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
