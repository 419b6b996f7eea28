//! The events of billing and their data, which has other fields than the objects of the API.

use serde_json::{Value, json};

use super::money::money;
use super::subscriptions::items_of;
use crate::entry::Entry;
use crate::generate::time::DAY;
use crate::resources::kind::Change;
use crate::state::State;
use crate::table::Row;

pub(super) fn subscription_event(change: &Change) -> Option<&'static str> {
    match (change.old, change.new, change.new_status()) {
        (None, _, _) => Some("subscription.created"),
        (_, None, _) => None,
        (_, _, Some("active")) => Some("subscription.active"),
        (_, _, Some("past_due")) => Some("subscription.pastDue"),
        _ => Some("subscription.updated"),
    }
}

pub(super) fn item_event(change: &Change) -> Option<&'static str> {
    let status = change.new?.text("status");
    match change.new_status() {
        Some("abandoned") => Some("subscriptionItem.abandoned"),
        Some("active") => Some("subscriptionItem.active"),
        Some("canceled") => Some("subscriptionItem.canceled"),
        Some("ended") => Some("subscriptionItem.ended"),
        Some("incomplete") => Some("subscriptionItem.incomplete"),
        Some("past_due") => Some("subscriptionItem.pastDue"),
        Some("upcoming") => Some("subscriptionItem.upcoming"),
        // No event can have the status `expired`.
        None if status != "expired" => Some("subscriptionItem.updated"),
        _ => None,
    }
}

/// The payer of an object. What a payer does not have is an empty text, because the events have no nulls here.
fn payer(payer: &Value) -> Value {
    let text = |field: &str| payer[field].as_str().unwrap_or_default().to_owned();
    json!({
        "object": "commerce_payer",
        "id": text("id"),
        "user_id": text("user_id"),
        "first_name": text("first_name"),
        "last_name": text("last_name"),
        "email": text("email"),
        "organization_id": text("organization_id"),
        "organization_name": text("organization_name"),
        "image_url": text("image_url"),
    })
}

/// The plan of an item; null if there is none.
fn plan(item: &Entry) -> Value {
    let plan = item.value("plan");
    if plan.is_null() {
        return Value::Null;
    }
    let fee = &plan["fee"];
    json!({
        "id": plan["id"],
        "slug": plan["slug"],
        "name": plan["name"],
        "is_recurring": plan["is_recurring"],
        "amount": fee["amount"].as_i64().unwrap_or_default(),
        "currency": fee["currency"].as_str().unwrap_or("USD"),
    })
}

/// An item without its payer and its subscription, which only events of items have.
fn item_value(item: &Entry) -> Value {
    let mut value = json!({
        "object": "commerce_subscription_item",
        "id": item.id(),
        "status": item.value("status"),
        "is_free_trial": item.is_true("is_free_trial"),
        "created_at": item.created_at(),
        "updated_at": item.value("updated_at").as_i64().unwrap_or(item.created_at()),
        "period_start": item.value("period_start"),
        "period_end": item.value("period_end"),
        "interval": item.value("plan_period"),
        "plan_id": item.value("plan_id"),
        "plan": plan(item),
        "subscription_id": null,
    });
    if let Some(quantity) = item.value("seats").get("quantity") {
        value["seats"] = json!({ "quantity": quantity });
    }
    value
}

pub(super) fn item(_: &State, entry: &Entry, _: &str) -> serde_json::Result<String> {
    let mut value = item_value(entry);
    value["payer"] = payer(entry.value("payer"));
    value["subscription_id"] = entry.value("subscription_id").clone();
    Ok(value.to_string())
}

pub(super) fn subscription(state: &State, entry: &Entry, _: &str) -> serde_json::Result<String> {
    let items: Vec<&Entry> = items_of(state, entry).collect();
    let status = entry.text("status");
    let changed_at = |is_so: bool| is_so.then(|| entry.value("updated_at"));
    let current: Vec<Value> =
        items.iter().filter(|item| !item.is("status", "expired")).map(|item| item_value(item)).collect();
    let known_payer = items.first().map(|item| payer(item.value("payer")));
    let new_payer = || {
        let (user, organization) = (entry.text("user_id"), entry.text("organization_id"));
        let name = state.organizations.get(organization).map(|organization| organization.name.as_str());
        let user = state.users.get(user);
        payer(&json!({
            "id": entry.value("payer_id"),
            "user_id": user.map(|user| &user.id),
            "first_name": user.map(|user| &user.first_name),
            "last_name": user.map(|user| &user.last_name),
            "email": user.map(|user| user.primary_email()),
            "organization_id": organization,
            "organization_name": name,
        }))
    };
    let data = json!({
        "object": "commerce_subscription",
        "id": entry.id(),
        "status": status,
        "active_at": entry.value("active_at"),
        "canceled_at": changed_at(status == "canceled"),
        "created_at": entry.created_at(),
        "ended_at": changed_at(status == "ended"),
        "past_due_at": entry.value("past_due_at"),
        "updated_at": entry.value("updated_at"),
        "latest_payment_id": null,
        "payer_id": entry.value("payer_id"),
        "payer": known_payer.unwrap_or_else(new_payer),
        "payment_source_id": null,
        "items": current,
    });
    Ok(data.to_string())
}

pub(super) fn payment_attempt(state: &State, entry: &Entry, _: &str) -> serde_json::Result<String> {
    let payee = entry.value("payee");
    let method = entry.value("payment_method");
    let amount = entry.value("amount");
    let totals = entry.value("totals");
    let total = |name: &str| if totals.is_null() { amount } else { &totals[name] };
    let failed = json!({ "code": "card_declined", "decline_code": "insufficient_funds" });
    let item = state.entry("subscription_items", entry.text("subscription_item_id"));
    let items: Vec<Value> = item
        .map(|item| {
            let mut value = item_value(item);
            let start = item.value("period_start").as_i64().unwrap_or_default();
            value["period_end"] = json!(item.value("period_end").as_i64().unwrap_or(start + 30 * DAY));
            value["subscription_id"] = item.value("subscription_id").clone();
            value
        })
        .into_iter()
        .collect();
    let data = json!({
        "object": "commerce_payment",
        "id": entry.id(),
        "instance_id": entry.value("instance_id"),
        "payment_id": entry.value("payment_id"),
        "invoice_id": "",
        "statement_id": entry.value("statement_id"),
        "gateway_external_id": entry.text("gateway_external_id"),
        "status": entry.value("status"),
        "created_at": entry.created_at(),
        "updated_at": entry.value("updated_at"),
        "paid_at": entry.value("paid_at"),
        "failed_at": entry.value("failed_at"),
        "failed_reason": entry.is("status", "failed").then_some(failed),
        "billing_date": entry.created_at(),
        "charge_type": entry.value("charge_type"),
        "payee": payee,
        "payer": payer(entry.value("payer")),
        "totals": {
            "subtotal": total("subtotal"),
            "tax_total": if totals.is_null() { money(0) } else { totals["tax_total"].clone() },
            "grand_total": total("grand_total"),
        },
        "payment_source": {
            "id": method["id"],
            "gateway": method["gateway"],
            "gateway_external_id": method["gateway_external_id"],
            "gateway_external_account_id": method["gateway_external_account_id"],
            "payment_method": if method["payment_type"] == "link" { "link" } else { "card" },
            "status": method["status"],
            "card_type": method["card_type"],
            "last4": method["last4"],
        },
        "subscription_items": items,
    });
    Ok(data.to_string())
}
