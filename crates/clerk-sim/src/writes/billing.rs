//! Billing: prices of plans, and the end of subscription items.

use super::form::FieldKind::{Choice, Integer, Text};
use super::form::{Call, Write, field};
use super::given::Patch;
use super::show;
use crate::endpoint::{ParameterKind, parameter};
use crate::error::ClerkError;
use crate::resources::money;
use crate::state::State;

const ITEMS: &str = "subscription_items";
const PRICES: &str = "prices";

/// A price is nothing, or at least so many cents.
const LEAST: i64 = 100;

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/billing/prices",
        &[&[
            field("plan_id", Text).required(),
            field("currency", Text),
            field("amount", Integer(0, i64::MAX)).required().nullable(),
            field("annual_monthly_amount", Integer(0, i64::MAX)).nullable(),
            field("description", Text),
            field("supported_billing_periods", Choice(&["month", "annual", "both"])),
        ]],
        add_price,
    )
    .closed(),
    Write::plain("DELETE", "/billing/subscription_items/{subscription_item_id}", cancel)
        .with_parameters(&[&[parameter("end_now", ParameterKind::Boolean)]]),
];

fn add_price(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let given = &call.given;
    let plan = given.required("plan_id");
    show::found(state, "plans", &plan)?;
    if given.text("currency").is_some_and(|currency| !currency.eq_ignore_ascii_case("usd")) {
        return Err(ClerkError::invalid_value("currency", "it has to be USD"));
    }
    let (amount, annual) = (given.integer("amount"), given.integer("annual_monthly_amount"));
    for (name, amount) in [("amount", amount), ("annual_monthly_amount", annual)] {
        if amount.is_some_and(|amount| amount != 0 && amount < LEAST) {
            return Err(ClerkError::too_small(name, LEAST));
        }
    }
    let periods = match (amount, annual) {
        (None, None) => return Err(ClerkError::required("amount")),
        (Some(_), None) => "month",
        (None, Some(_)) => "annual",
        (Some(_), Some(_)) => "both",
    };
    if given.text("supported_billing_periods").is_some_and(|given| given != periods) {
        return Err(ClerkError::invalid_value("supported_billing_periods", "the amounts are those of other periods"));
    }
    let mut patch = Patch::default();
    patch.set("plan_id", plan)?;
    patch.set("amount", amount.unwrap_or_default())?;
    patch.set("annual_monthly_amount", annual.unwrap_or_default())?;
    patch.set("fee", amount.map(money))?;
    patch.set("annual_monthly_fee", annual.map(money))?;
    patch.copy_or(given, "description", ())?;
    patch.set("supported_billing_periods", periods)?;
    show::create(state, PRICES, patch)
}

/// Cancels an item at the end of what is paid, or at once.
fn cancel(state: &mut State, call: &Call) -> Result<String, ClerkError> {
    let item = show::found(state, ITEMS, call.id())?;
    let ends_now = call.query.boolean("end_now") == Some(true);
    let is_over = match item.text("status") {
        "ended" | "expired" | "abandoned" => true,
        "canceled" => !ends_now,
        _ => false,
    };
    if is_over {
        let why = "The subscription item was canceled or ended before.";
        return Err(ClerkError::wrong_state(422, "subscription_item_already_canceled", why));
    }
    if item.is_true("is_free") {
        let why = "A subscription item without a fee cannot be canceled.";
        return Err(ClerkError::wrong_state(422, "subscription_item_not_cancelable", why));
    }
    let now = state.clock;
    let mut patch = Patch::default();
    patch.set("status", if ends_now { "ended" } else { "canceled" })?;
    if !item.value("canceled_at").is_i64() {
        patch.set("canceled_at", now)?;
    }
    if ends_now {
        patch.set("ended_at", now)?;
    }
    patch.set("next_payment", ())?;
    show::update(state, ITEMS, call.id(), patch)
}
