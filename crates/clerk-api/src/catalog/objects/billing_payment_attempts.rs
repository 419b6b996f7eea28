//! Billing payment attempts: how statements were paid, listed by statement.

use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::{Event, KeyColumn, List, Mirroring, Object, PAGINATED};

pub(super) const OBJECT: Object = Object {
    name: "billing_payment_attempts",
    aliases: &["billing/payment_attempts", "billing/statements/payment_attempts"],
    description: "The attempts to pay statements. Clerk lists them by statement.",
    key_columns: &[KeyColumn::list(
        "statement_id",
        List::by_offset("/billing/statements/{statement_id}/payment_attempts").params(PAGINATED),
    )
    .parent("/billing/statements/{statement_id}")],
    columns: &[
        column("billing_payment_attempt_id", Text, Member("id"), "The billing payment attempt's id.")
            .id()
            .aliases(&["id"]),
        member("statement_id", Text, "The statement's id.").parent("billing_statements"),
        member("payment_id", Text, "The payment's id."),
        member("status", Text, "pending, paid or failed."),
        member("charge_type", Text, "Why it was charged, such as checkout or recurring."),
        member("payer_id", Text, "The id of who pays."),
        member("payee_id", Text, "The id of who is paid."),
        member("subscription_item_id", Text, "The id of the subscription item that it is for."),
        member("payment_method_id", Text, "The id of the payment method."),
        member("gateway_external_id", Text, "Its id at the payment gateway."),
        member("gateway_external_url", Text, "Its address at the payment gateway."),
        member("paid_at", Time, "When it was paid."),
        member("failed_at", Time, "When it failed."),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("created_at", Time, "When the attempt was made.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("amount", Json, "The amount, with its amount in cents, its currency and its formatted text."),
        member("totals", Json, "The totals."),
        member("payer", Json, "Who pays: a user or an organization."),
        member("payee", Json, "Who is paid."),
        member("subscription_item", Json, "The subscription item that it is for."),
        member("payment_method", Json, "The payment method."),
        attrs(),
    ],
    events: &[Event::partial("paymentAttempt.created"), Event::partial("paymentAttempt.updated")],
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
