//! Subscriptions and their items.

use serde_json::{Value, json};

use super::money::{self, Payer, money};
use crate::entry::Entry;
use crate::resources::maker::Maker;
use crate::state::State;
use crate::table::Row;

pub(super) fn subscription(maker: &mut Maker) -> Option<Value> {
    let payer = Payer::next(maker)?;
    maker.not_before(payer.created_at());
    let id = maker.id("csub_");
    let status =
        maker.turn(&["active", "past_due", "active", "canceled", "ended", "active", "abandoned", "incomplete"]);
    let fee = maker.number(1, 90) * 100;
    let totals = money::totals(maker, fee);
    let mut next = json!({
        "date": maker.days(30),
        "amount": money(fee + fee / 10),
        "per_unit_totals": [],
        "totals": totals,
    });
    maker.thin(&mut next, &["per_unit_totals"], &["totals"]);
    let (user, organization) = match payer {
        Payer::User(user) => (Some(&user.id), None),
        Payer::Organization(organization) => (None, Some(&organization.id)),
    };
    let mut subscription = json!({
        "object": "commerce_subscription",
        "id": id,
        "instance_id": maker.state.instance.id,
        "status": status,
        "payer_id": payer.id(),
        "created_at": maker.at,
        "updated_at": maker.updated(),
        "active_at": (status != "incomplete").then_some(maker.at),
        "past_due_at": (status == "past_due").then(|| maker.days(30)),
        "next_payment": next,
        "eligible_for_free_trial": maker.chance(0.3),
        "user_id": user,
        "organization_id": organization,
    });
    maker.thin(&mut subscription, &["next_payment", "eligible_for_free_trial"], &[]);
    Some(subscription)
}

/// The items of a subscription, the oldest first.
pub(super) fn items(state: &State, subscription: &Entry) -> Option<(&'static str, String)> {
    let items: Vec<&str> = items_of(state, subscription).map(|item| item.json.as_str()).collect();
    Some(("subscription_items", format!("[{}]", items.join(","))))
}

pub(super) fn items_of<'a>(state: &'a State, subscription: &'a Entry) -> impl Iterator<Item = &'a Entry> {
    state.entries("subscription_items").filter(|item| item.is("subscription_id", subscription.id()))
}

/// Who pays for a subscription.
pub(super) fn payer_of<'a>(state: &'a State, subscription: &Entry) -> Option<Payer<'a>> {
    match state.users.get(subscription.text("user_id")) {
        Some(user) => Some(Payer::User(user)),
        None => state.organizations.get(subscription.text("organization_id")).map(Payer::Organization),
    }
}

pub(super) fn item(maker: &mut Maker) -> Option<Value> {
    let subscription = maker.entry("subscriptions", "subscription_id")?;
    maker.not_before(subscription.created_at());
    let payer = payer_of(maker.state, subscription)?;
    let payer_type = match payer {
        Payer::User(_) => "user",
        Payer::Organization(_) => "org",
    };
    let plan = match maker.given_text("plan_id") {
        Some(id) => maker.state.entry("plans", id),
        None => plan_for(maker, payer_type),
    };
    let fee = plan.and_then(|plan| plan.value("fee")["amount"].as_i64()).unwrap_or_default();
    let price = maker.state.entries("prices").find(|price| plan.is_some_and(|plan| price.is("plan_id", plan.id())));
    let id = maker.id("csubitem_");
    let is_free = fee == 0;
    let status = match maker.turn(&[
        "active",
        "ended",
        "active",
        "past_due",
        "upcoming",
        "canceled",
        "incomplete",
        "abandoned",
        "expired",
    ]) {
        _ if is_free => "active",
        status => status,
    };
    let is_trial = status == "active" && !is_free && !maker.is_new && maker.index.is_multiple_of(3);
    let payer_json = payer.json(maker);
    let method = money::payment_method(maker, &payer.id());
    let totals = money::totals(maker, fee);
    let mut next = json!({ "amount": money(fee), "date": maker.days(30), "per_unit_totals": [], "totals": totals });
    maker.thin(&mut next, &["per_unit_totals", "totals"], &[]);
    let mut item = json!({
        "object": "commerce_subscription_item",
        "id": id,
        "instance_id": maker.state.instance.id,
        "status": status,
        "credit": { "amount": money(fee / 3), "cycle_remaining_percent": 33.3 },
        "credits": money::credits(fee / 3),
        "plan_id": plan.map(Row::id),
        "price_id": price.map(Row::id),
        "plan": plan.and_then(|plan| serde_json::from_str::<Value>(&plan.json).ok()),
        "plan_period": maker.turn(&["month", "annual"]),
        "payment_method": method,
        "lifetime_paid": money(fee * 3),
        "next_payment": (!is_free && status == "active").then_some(next),
        "payer_id": payer.id(),
        "payer": payer_json,
        "is_free_trial": is_trial,
        "period_start": maker.at,
        "period_end": (!is_free).then(|| maker.days(30)),
        "proration_date": "2026-03-31",
        "canceled_at": (status == "canceled").then(|| maker.days(3)),
        "past_due_at": (status == "past_due").then(|| maker.days(30)),
        "ended_at": (status == "ended").then(|| maker.days(30)),
        "created_at": maker.at,
        "updated_at": maker.updated(),
        "seats": {
            "quantity": maker.number(1, 50),
            "tiers": [{ "quantity": 10, "fee_per_block": money(0), "total": money(0) }],
        },
        "totals": totals,
        "subscription_id": subscription.id(),
        "is_free": is_free,
        "payer_type": payer_type,
    });
    maker.thin(
        &mut item,
        &["credit", "credits", "payment_method", "lifetime_paid", "proration_date", "seats", "totals"],
        &["plan", "seats", "totals"],
    );
    if price.is_none() {
        item.as_object_mut()?.remove("price_id");
    }
    Some(item)
}

/// One of the plans that a user, or an organization, can have.
fn plan_for<'a>(maker: &Maker<'a>, payer_type: &str) -> Option<&'a Entry> {
    let plans: Vec<&Entry> =
        maker.state.entries("plans").filter(|plan| plan.is("for_payer_type", payer_type)).collect();
    let free = plans.iter().find(|plan| plan.is_true("is_default"));
    if maker.index % 6 < 2 && !maker.is_new {
        return free.copied();
    }
    let paid: Vec<&Entry> = plans.iter().copied().filter(|plan| !plan.is_true("is_default")).collect();
    paid.get(maker.index % paid.len().max(1)).copied()
}
