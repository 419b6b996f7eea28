//! Organization billing subscriptions: what an organization pays for.

use crate::catalog::Kind::{Boolean, Json, Text, Time};
use crate::catalog::Source::{Key, Member};
use crate::catalog::column::{attrs, column, member};
use crate::catalog::{KeyColumn, Mirroring, Object};

pub(super) const OBJECT: Object = Object {
    name: "organization_billing_subscriptions",
    aliases: &["organizations/billing/subscription"],
    description: "The billing subscriptions of organizations. Clerk shows them by organization.",
    key_columns: &[KeyColumn::get("organization_id", "/organizations/{organization_id}/billing/subscription")],
    columns: &[
        column("organization_billing_subscription_id", Text, Member("id"), "The subscription's id.")
            .id()
            .aliases(&["id"]),
        column("organization_id", Text, Key, "The organization's id."),
        member("status", Text, "active, past_due, canceled, ended, abandoned or incomplete."),
        member("payer_id", Text, "The id of who pays."),
        member("active_at", Time, "When the subscription became active."),
        member("past_due_at", Time, "When its payment became overdue."),
        member("eligible_for_free_trial", Boolean, "Whether the payer can still have a free trial."),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("created_at", Time, "When the subscription was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("subscription_items", Json, "The items of the subscription, one for each plan."),
        member("next_payment", Json, "The next payment."),
        attrs(),
    ],
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
