//! Plans and their prices.

use serde_json::{Value, json};

use super::money::money;
use crate::resources::maker::Maker;
use crate::table::Row;

/// A plan: its slug, its name, who pays for it, and its price per month in cents.
type Plan = (&'static str, &'static str, &'static str, i64);

const PLANS: &[Plan] = &[
    ("free_user", "Free", "user", 0),
    ("pro", "Pro – für Einzelne", "user", 1200),
    ("free_org", "Free team", "org", 0),
    ("team", "Team 🚀", "org", 4900),
    ("enterprise", "エンタープライズ", "org", 99_900),
];

pub(super) const COUNT: usize = PLANS.len();

pub(super) fn plan(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("cplan_");
    let product_id = maker.id("cprod_");
    let (slug, name, payer_type, fee) = if maker.is_new {
        (format!("plan_{}", maker.index), maker.name(), "user", 900)
    } else {
        let (slug, name, payer_type, fee) = PLANS.get(maker.index)?;
        ((*slug).to_owned(), (*name).to_owned(), *payer_type, *fee)
    };
    let feature_id = maker.id("feat_");
    let feature = json!({
        "object": "feature",
        "id": feature_id,
        "name": "Unlimited search",
        "description": maker.index.is_multiple_of(2).then(|| maker.sentence()),
        "slug": "search",
        "avatar_url": null,
    });
    let has_trial = fee == 1200;
    let mut plan = json!({
        "object": "commerce_plan",
        "id": id,
        "name": name,
        "fee": money(fee),
        "annual_monthly_fee": (fee > 0).then(|| money(fee * 5 / 6)),
        "annual_fee": (fee > 0).then(|| money(fee * 10)),
        "description": maker.sentence(),
        "product_id": product_id,
        "is_default": fee == 0,
        "is_recurring": true,
        "publicly_visible": maker.index != 4,
        "has_base_fee": fee > 0,
        "for_payer_type": payer_type,
        "slug": slug,
        "avatar_url": "https://img.clerk.com/plan",
        "features": if fee == 0 { json!([]) } else { json!([feature]) },
        "free_trial_enabled": has_trial,
        "free_trial_days": has_trial.then_some(14),
        "unit_prices": [{
            "name": "seats",
            "block_size": 1,
            "tiers": [
                { "starts_at_block": 1, "ends_after_block": 10, "fee_per_block": money(0) },
                { "starts_at_block": 11, "ends_after_block": null, "fee_per_block": money(500) },
            ],
        }],
        "created_at": maker.at,
    });
    maker.thin(&mut plan, &["features", "unit_prices"], &["description", "avatar_url"]);
    Some(plan)
}

pub(super) fn price(maker: &mut Maker) -> Option<Value> {
    let plan = maker.entry("plans", "plan_id")?;
    maker.not_before(plan.created_at());
    let id = maker.id("cprice_");
    let is_default = maker.index < COUNT && !maker.is_new;
    let fee = plan.value("fee")["amount"].as_i64().unwrap_or_default();
    // A price of the plan's own, or one that was agreed with somebody.
    let amount = if is_default { fee } else { fee + maker.number(1, 9) * 100 };
    let mut price = json!({
        "object": "commerce_price",
        "id": id,
        "plan_id": plan.id(),
        "instance_id": maker.state.instance.id,
        "currency": "USD",
        "currency_symbol": "$",
        "amount": amount,
        "annual_monthly_amount": amount * 5 / 6,
        "fee": money(amount),
        "annual_monthly_fee": (amount > 0).then(|| money(amount * 5 / 6)),
        "description": (!is_default).then(|| maker.sentence()),
        "is_default": is_default,
        "created_at": maker.at,
        "supported_billing_periods": maker.turn(&["both", "month", "annual"]),
    });
    maker.thin(&mut price, &["description"], &[]);
    Some(price)
}
