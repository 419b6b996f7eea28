//! Billing payment attempts: how statements were paid, listed by statement.

use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
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
        column("billing_payment_attempt_id", Text, Path(&["id"]), "The billing payment attempt's id.")
            .id()
            .aliases(&["id"]),
        column("statement_id", Text, Path(&["statement_id"]), "The statement's id.").parent("billing_statements"),
        column("payment_id", Text, Path(&["payment_id"]), "The payment's id."),
        column("status", Text, Path(&["status"]), "pending, paid or failed."),
        column("charge_type", Text, Path(&["charge_type"]), "Why it was charged, such as checkout or recurring."),
        column("payer_id", Text, Path(&["payer_id"]), "The id of who pays."),
        column("payee_id", Text, Path(&["payee_id"]), "The id of who is paid."),
        column(
            "subscription_item_id",
            Text,
            Path(&["subscription_item_id"]),
            "The id of the subscription item that it is for.",
        ),
        column("payment_method_id", Text, Path(&["payment_method_id"]), "The id of the payment method."),
        column("gateway_external_id", Text, Path(&["gateway_external_id"]), "Its id at the payment gateway."),
        column("gateway_external_url", Text, Path(&["gateway_external_url"]), "Its address at the payment gateway."),
        column("paid_at", Time, Path(&["paid_at"]), "When it was paid."),
        column("failed_at", Time, Path(&["failed_at"]), "When it failed."),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("created_at", Time, Path(&["created_at"]), "When the attempt was made.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column(
            "amount",
            Json,
            Path(&["amount"]),
            "The amount, with its amount in cents, its currency and its formatted text.",
        ),
        column("totals", Json, Path(&["totals"]), "The totals."),
        column("payer", Json, Path(&["payer"]), "Who pays: a user or an organization."),
        column("payee", Json, Path(&["payee"]), "Who is paid."),
        column("subscription_item", Json, Path(&["subscription_item"]), "The subscription item that it is for."),
        column("payment_method", Json, Path(&["payment_method"]), "The payment method."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[Event::partial("paymentAttempt.created"), Event::partial("paymentAttempt.updated")],
    mirroring: Mirroring::Never,
    ..Object::BLANK
};
