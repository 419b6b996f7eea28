//! User billing subscriptions: what a user pays for.

use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Key, Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{KeyColumn, Mirroring, Object};

pub(super) const OBJECT: Object = Object {
    name: "user_billing_subscriptions",
    aliases: &["users/billing/subscription"],
    description: "The billing subscriptions of users. Clerk shows them by user.",
    key_columns: &[KeyColumn::get("user_id", "/users/{user_id}/billing/subscription")],
    columns: &[
        column("user_billing_subscription_id", Text, Path(&["id"]), "The subscription's id.").id().aliases(&["id"]),
        column("user_id", Text, Key, "The user's id."),
        column("status", Text, Path(&["status"]), "active, past_due, canceled, ended, abandoned or incomplete."),
        column("payer_id", Text, Path(&["payer_id"]), "The id of who pays."),
        column("active_at", Time, Path(&["active_at"]), "When the subscription became active."),
        column("past_due_at", Time, Path(&["past_due_at"]), "When its payment became overdue."),
        column(
            "eligible_for_free_trial",
            Boolean,
            Path(&["eligible_for_free_trial"]),
            "Whether the payer can still have a free trial.",
        ),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("created_at", Time, Path(&["created_at"]), "When the subscription was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column(
            "subscription_items",
            Json,
            Path(&["subscription_items"]),
            "The items of the subscription, one for each plan.",
        ),
        column("next_payment", Json, Path(&["next_payment"]), "The next payment."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
