//! Billing: plans and their prices, subscriptions and their items, statements and the attempts to pay them.

mod events;
mod money;
mod plans;
mod statements;
mod subscriptions;

pub(crate) use money::money;

use super::kind::{Amount, Kind, no_event, same_data};
use super::route::{Ask, COUNTED, Form, Parent, Route};
use crate::endpoint::Condition::Is;
use crate::endpoint::ParameterKind::{Boolean, Choice, Text};
use crate::endpoint::{Endpoint, PAGE, Parameter, filter, parameter};
use crate::entry::Entry;

/// The hidden fields of what is paid by a user or an organization.
const PAYER_FIELDS: &[&str] = &["user_id", "organization_id"];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "plans",
        noun: "plan",
        hidden: &["created_at", "updated_at"],
        owners: &[],
        amount: Amount::Exactly(plans::COUNT),
        make: plans::plan,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "prices",
        noun: "price",
        hidden: &["updated_at"],
        owners: &[],
        amount: Amount::Exactly(plans::COUNT + 4),
        make: plans::price,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "subscriptions",
        noun: "subscription",
        hidden: &["user_id", "organization_id", "subscription_items"],
        owners: PAYER_FIELDS,
        amount: Amount::Many,
        make: subscriptions::subscription,
        event: events::subscription_event,
        event_data: events::subscription,
    },
    Kind {
        name: "subscription_items",
        noun: "subscription item",
        hidden: &["subscription_id", "is_free", "payer_type"],
        owners: &["subscription_id"],
        amount: Amount::Many,
        make: subscriptions::item,
        event: events::item_event,
        event_data: events::item,
    },
    Kind {
        name: "statements",
        noun: "statement",
        hidden: &["created_at", "updated_at", "user_id", "organization_id", "groups"],
        owners: &[],
        amount: Amount::Many,
        make: statements::statement,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "payment_attempts",
        noun: "payment attempt",
        hidden: &[],
        owners: &["statement_id"],
        amount: Amount::Many,
        make: statements::payment_attempt,
        event: |change| change.event("paymentAttempt.created", "paymentAttempt.updated", None),
        event_data: events::payment_attempt,
    },
];

const PAGINATED: &[Parameter] = &[parameter("paginated", Boolean)];
const PAYER_TYPES: &[&str] = &["user", "org"];

pub(super) const ROUTES: &[Route] = &[
    Route::list(
        "plans",
        Endpoint {
            path: "/billing/plans",
            parameters: &[PAGINATED, PAGE, &[filter("payer_type", Choice(PAYER_TYPES), Is("for_payer_type"))]],
        },
        COUNTED,
    ),
    Route::list(
        "prices",
        Endpoint { path: "/billing/prices", parameters: &[PAGINATED, PAGE, &[filter("plan_id", Text, Is("plan_id"))]] },
        COUNTED,
    ),
    Route {
        answer: Form::List { shape: COUNTED, keeps: is_item_asked },
        ..Route::list(
            "subscription_items",
            Endpoint {
                path: "/billing/subscription_items",
                parameters: &[
                    PAGINATED,
                    PAGE,
                    &[
                        parameter("status", Choice(&["active", "ended", "past_due", "upcoming", "free_trial"])),
                        filter("payer_type", Choice(PAYER_TYPES), Is("payer_type")),
                        filter("plan_id", Text, Is("plan_id")),
                        parameter("include_free", Boolean),
                        parameter("query", Text),
                    ],
                ],
            },
            COUNTED,
        )
    },
    Route {
        embed: statements::groups,
        ..Route::list("statements", Endpoint { path: "/billing/statements", parameters: &[PAGINATED, PAGE] }, COUNTED)
    },
    Route { embed: statements::groups, ..Route::one("statements", "/billing/statements/{statementID}") },
    Route {
        parent: Parent::Entry("statements"),
        answer: Form::List { shape: COUNTED, keeps: |ask, entry| entry.is("statement_id", ask.parent) },
        ..Route::list(
            "payment_attempts",
            Endpoint { path: "/billing/statements/{statementID}/payment_attempts", parameters: &[PAGINATED, PAGE] },
            COUNTED,
        )
    },
    Route {
        parent: Parent::User,
        embed: subscriptions::items,
        answer: Form::One { finds: |ask, entry| entry.is("user_id", ask.parent) },
        ..Route::one("subscriptions", "/users/{user_id}/billing/subscription")
    },
    Route {
        parent: Parent::Organization,
        embed: subscriptions::items,
        answer: Form::One { finds: |ask, entry| entry.is("organization_id", ask.parent) },
        ..Route::one("subscriptions", "/organizations/{organization_id}/billing/subscription")
    },
];

fn is_item_asked(ask: &Ask, entry: &Entry) -> bool {
    let query = ask.query;
    let has_status = query.text("status").is_none_or(|status| match status {
        "free_trial" => entry.is_true("is_free_trial") && entry.is("status", "active"),
        status => entry.is("status", status),
    });
    let is_queried = query.text("query").is_none_or(|part| {
        let payer = entry.value("payer");
        let names = ["email", "first_name", "last_name", "organization_name", "user_id", "organization_id"];
        let mut texts = names.iter().filter_map(|name| payer[*name].as_str()).chain([entry.text("id")]);
        texts.any(|text| text.to_lowercase().contains(&part.to_lowercase()))
    });
    has_status && is_queried && (!entry.is_true("is_free") || query.boolean("include_free") == Some(true))
}
