//! Billing plans: what users and organizations can subscribe to.

use crate::catalog::FilterOp::One;
use crate::catalog::Kind::{Boolean, Integer, Json, Text};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::{List, Object, PAGINATED};

pub(super) const OBJECT: Object = Object {
    name: "billing_plans",
    aliases: &["billing/plans"],
    description: "The plans that users and organizations can subscribe to.",
    list: Some(List::by_offset("/billing/plans").params(PAGINATED)),
    columns: &[
        column("billing_plan_id", Text, Member("id"), "The billing plan's id.").id().aliases(&["id"]),
        member("name", Text, "The name."),
        member("slug", Text, "The name's form in addresses."),
        member("description", Text, "What people read about it."),
        member("for_payer_type", Text, "Who can subscribe: user or org.")
            .filters(&[narrowing(One { values: &["user", "org"] }, "payer_type")]),
        member("product_id", Text, "The id of the product that it belongs to."),
        member("is_default", Boolean, "Whether it is what everybody has who chose no other."),
        member("is_recurring", Boolean, "Whether it is paid again each period."),
        member("publicly_visible", Boolean, "Whether pricing tables show it."),
        member("has_base_fee", Boolean, "Whether it has a fee besides those by unit."),
        member("free_trial_enabled", Boolean, "Whether it begins with a free trial."),
        member("free_trial_days", Integer, "How long the free trial is, in days."),
        member("avatar_url", Text, "The address of its image."),
        member("fee", Json, "The monthly fee, with its amount in cents, its currency and its formatted text."),
        member("annual_monthly_fee", Json, "The monthly fee for those who pay by the year."),
        member("annual_fee", Json, "The fee for a year."),
        member("features", Json, "The features that it includes."),
        member("unit_prices", Json, "The prices by unit, such as by seat."),
        attrs(),
    ],
    ..Object::BLANK
};
