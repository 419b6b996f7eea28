//! Billing subscription items: who has which plan.

use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{Event, KeyColumn, List, Object};

/// Without the second parameter Clerk leaves out the items of free plans.
const ALL: &[(&str, &str)] = &[("paginated", "true"), ("include_free", "true")];

pub(super) const OBJECT: Object = Object {
    name: "billing_subscription_items",
    aliases: &["billing/subscription_items"],
    description: "Which user or organization has which plan, free plans included.",
    list: Some(List::by_offset("/billing/subscription_items").params(ALL)),
    key_columns: &[KeyColumn::list(
        "plan_id",
        List::by_offset("/billing/subscription_items?plan_id={plan_id}").params(ALL),
    )],
    columns: &[
        column("billing_subscription_item_id", Text, Path(&["id"]), "The billing subscription item's id.")
            .id()
            .aliases(&["id"]),
        column("plan_id", Text, Path(&["plan_id"]), "The plan's id."),
        column("price_id", Text, Path(&["price_id"]), "The price's id."),
        column("payer_id", Text, Path(&["payer_id"]), "The id of who pays."),
        column(
            "status",
            Text,
            Path(&["status"]),
            "active, canceled, expired, ended, past_due, upcoming, incomplete or abandoned.",
        ),
        column("plan_period", Text, Path(&["plan_period"]), "The billing period: month or annual."),
        column("is_free_trial", Boolean, Path(&["is_free_trial"]), "Whether it is a free trial."),
        column("period_start", Time, Path(&["period_start"]), "When the current period began."),
        column("period_end", Time, Path(&["period_end"]), "When the current period ends."),
        column("proration_date", Text, Path(&["proration_date"]), "The day from which it was prorated."),
        column("canceled_at", Time, Path(&["canceled_at"]), "When it was canceled."),
        column("past_due_at", Time, Path(&["past_due_at"]), "When its payment became overdue."),
        column("ended_at", Time, Path(&["ended_at"]), "When it ended."),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("created_at", Time, Path(&["created_at"]), "When the item was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("payer", Json, Path(&["payer"]), "Who pays: a user or an organization."),
        column("plan", Json, Path(&["plan"]), "The plan."),
        column("credit", Json, Path(&["credit"]), "What is credited for an earlier plan."),
        column("credits", Json, Path(&["credits"]), "All credits, by kind."),
        column("payment_method", Json, Path(&["payment_method"]), "How it is paid."),
        column(
            "lifetime_paid",
            Json,
            Path(&["lifetime_paid"]),
            "What was paid in all, with its amount in cents, its currency and its formatted text.",
        ),
        column("next_payment", Json, Path(&["next_payment"]), "The next payment."),
        column("seats", Json, Path(&["seats"]), "The seats that are paid for and used."),
        column("totals", Json, Path(&["totals"]), "The totals."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[
        Event::partial("subscriptionItem.abandoned"),
        Event::partial("subscriptionItem.active"),
        Event::partial("subscriptionItem.canceled"),
        Event::partial("subscriptionItem.ended"),
        Event::partial("subscriptionItem.freeTrialEnding"),
        Event::partial("subscriptionItem.incomplete"),
        Event::partial("subscriptionItem.pastDue"),
        Event::partial("subscriptionItem.upcoming"),
        Event::partial("subscriptionItem.updated"),
    ],
    ..Object::BLANK
};
