//! Statements, and the attempts to pay them.

use serde_json::{Value, json};

use super::money::{self, Payer, money};
use super::subscriptions::payer_of;
use crate::entry::Entry;
use crate::resources::maker::Maker;
use crate::state::State;
use crate::table::Row;

pub(super) fn statement(maker: &mut Maker) -> Option<Value> {
    let payer = Payer::next(maker)?;
    maker.not_before(payer.created_at());
    let id = maker.id("cstmt_");
    let fee = maker.number(1, 900) * 100;
    let (user, organization) = match payer {
        Payer::User(user) => (Some(&user.id), None),
        Payer::Organization(organization) => (None, Some(&organization.id)),
    };
    let payer = payer.json(maker);
    Some(json!({
        "object": "commerce_statement",
        "id": id,
        "instance_id": maker.state.instance.id,
        "timestamp": maker.at,
        "payer": payer,
        "status": maker.turn(&["open", "closed"]),
        "totals": {
            "grand_total": money(fee + fee / 10),
            "subtotal": money(fee),
            "base_fee": money(fee),
            "tax_total": money(fee / 10),
        },
        "created_at": maker.at,
        "user_id": user,
        "organization_id": organization,
    }))
}

/// The groups of a statement: its payment attempts, one group for each moment.
pub(super) fn groups(state: &State, statement: &Entry) -> Option<(&'static str, String)> {
    let mut groups: Vec<(i64, Vec<&str>)> = Vec::new();
    for attempt in state.entries("payment_attempts").filter(|attempt| attempt.is("statement_id", statement.id())) {
        match groups.last_mut() {
            Some((at, group)) if *at == attempt.created_at() => group.push(&attempt.json),
            _ => groups.push((attempt.created_at(), vec![&attempt.json])),
        }
    }
    let groups: Vec<String> = groups
        .into_iter()
        .map(|(at, items)| {
            let items = items.join(",");
            format!(r#"{{"object":"commerce_statement_group","timestamp":{at},"items":[{items}]}}"#)
        })
        .collect();
    Some(("groups", format!("[{}]", groups.join(","))))
}

pub(super) fn payment_attempt(maker: &mut Maker) -> Option<Value> {
    // Half of the statements have two attempts, and the others none.
    let statement = maker.shared("statements", "statement_id", 2)?;
    maker.not_before(statement.created_at());
    // A statement has the same hidden fields about its payer as a subscription.
    let payer = payer_of(maker.state, statement)?;
    // Only a few hundred are searched, so that many objects are generated in linear time.
    let mut subscriptions = maker.state.entries("subscriptions").take(300);
    let subscription =
        subscriptions.find(|entry| entry.is("user_id", payer.owner()) || entry.is("organization_id", payer.owner()));
    let mut items = maker.state.entries("subscription_items").take(300);
    let item = subscription.and_then(|subscription| items.find(|item| item.is("subscription_id", subscription.id())));

    let id = maker.id("cpayatt_");
    let payment_id = maker.id("cpay_");
    let payee_id = maker.id("cpayee_");
    let status = maker.turn(&["pending", "failed", "paid", "paid"]);
    let done_at = maker.days(1);
    let fee = statement.value("totals")["subtotal"]["amount"].as_i64().unwrap_or_default();
    let payer_json = payer.json(maker);
    let method = money::payment_method(maker, &payer.id());
    let totals = money::totals(maker, fee);
    let mut attempt = json!({
        "object": "commerce_payment",
        "id": id,
        "payment_id": payment_id,
        "instance_id": maker.state.instance.id,
        "charge_type": maker.turn(&["recurring", "checkout"]),
        "payee_id": payee_id,
        "payee": {
            "id": payee_id,
            "gateway_type": "stripe",
            "gateway_external_id": maker.secret(),
            "gateway_status": "active",
        },
        "payer_id": payer.id(),
        "payer": payer_json,
        "amount": money(fee + fee / 10),
        "totals": totals,
        "payment_method_id": method["id"],
        "payment_method": method,
        "statement_id": statement.id(),
        "gateway_external_id": maker.secret(),
        "gateway_external_url": "https://payments.example.com/attempt",
        "status": status,
        "paid_at": (status == "paid").then_some(done_at),
        "failed_at": (status == "failed").then_some(done_at),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    if let Some(item) = item {
        attempt["subscription_item_id"] = json!(item.id());
        attempt["subscription_item"] = serde_json::from_str(&item.json).unwrap_or_default();
    }
    maker.thin(
        &mut attempt,
        &["subscription_item", "totals"],
        &["gateway_external_id", "gateway_external_url", "totals"],
    );
    Some(attempt)
}
