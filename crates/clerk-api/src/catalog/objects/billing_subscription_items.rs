//! Billing subscription items: who has which plan.

use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::{Event, KeyColumn, List, Object, Write, Writes};

/// Without the second parameter Clerk leaves out the items of free plans.
const ALL: &[(&str, &str)] = &[("paginated", "true"), ("include_free", "true")];

const WRITES: Writes = Writes {
    delete: Some(Write::cancel("/billing/subscription_items/{billing_subscription_item_id}")),
    ..Writes::NONE
};

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
        column("billing_subscription_item_id", Text, Member("id"), "The billing subscription item's id.")
            .id()
            .aliases(&["id"]),
        member("plan_id", Text, "The plan's id."),
        member("price_id", Text, "The price's id."),
        member("payer_id", Text, "The id of who pays."),
        member("status", Text, "active, canceled, expired, ended, past_due, upcoming, incomplete or abandoned."),
        member("plan_period", Text, "The billing period: month or annual."),
        member("is_free_trial", Boolean, "Whether it is a free trial."),
        member("period_start", Time, "When the current period began."),
        member("period_end", Time, "When the current period ends."),
        member("proration_date", Text, "The day from which it was prorated."),
        member("canceled_at", Time, "When it was canceled."),
        member("past_due_at", Time, "When its payment became overdue."),
        member("ended_at", Time, "When it ended."),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("created_at", Time, "When the item was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("payer", Json, "Who pays: a user or an organization."),
        member("plan", Json, "The plan."),
        member("credit", Json, "What is credited for an earlier plan."),
        member("credits", Json, "All credits, by kind."),
        member("payment_method", Json, "How it is paid."),
        member(
            "lifetime_paid",
            Json,
            "What was paid in all, with its amount in cents, its currency and its formatted text.",
        ),
        member("next_payment", Json, "The next payment."),
        member("seats", Json, "The seats that are paid for and used."),
        member("totals", Json, "The totals."),
        attrs(),
    ],
    writes: WRITES,
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
