//! Amounts of money, who pays them and how.

use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::generate::id;
use crate::object::{Organization, User};
use crate::resources::maker::{Maker, hash};

/// An amount in US dollars.
pub(crate) fn money(cents: i64) -> Value {
    json!({
        "amount": cents,
        "amount_formatted": format!("{}.{:02}", cents / 100, cents % 100),
        "currency": "USD",
        "currency_symbol": "$",
    })
}

/// The parts of an amount: the fee, and a tenth of it as tax.
pub(super) fn totals(maker: &mut Maker, fee: i64) -> Value {
    let tax = fee / 10;
    let mut totals = json!({
        "subtotal": money(fee),
        "base_fee": money(fee),
        "tax_total": money(tax),
        "grand_total": money(fee + tax),
        "per_unit_totals": [{
            "name": "seats",
            "block_size": 1,
            "tiers": [{ "quantity": null, "fee_per_block": money(0), "total": money(0) }],
        }],
        "credits": credits(fee / 4),
        "discounts": {
            "proration": {
                "amount": money(fee / 5),
                "cycle_days_passed": 6,
                "cycle_days_total": 30,
                "cycle_passed_percent": 20.5,
            },
            "total": money(fee / 5),
        },
    });
    maker.thin(&mut totals, &["per_unit_totals", "credits", "discounts"], &["credits", "discounts"]);
    totals
}

pub(super) fn credits(cents: i64) -> Value {
    json!({
        "proration": {
            "amount": money(cents),
            "cycle_days_remaining": 12,
            "cycle_days_total": 30,
            "cycle_remaining_percent": 40.25,
        },
        "payer": null,
        "total": money(cents),
    })
}

/// Who pays.
#[derive(Clone, Copy)]
pub(super) enum Payer<'a> {
    User(&'a User),
    Organization(&'a Organization),
}

impl<'a> Payer<'a> {
    /// The payer that is given, or the one whose turn it is: a bounded number of users and organizations, each of whom
    /// pays once. `None` after the last one.
    pub(super) fn next(maker: &mut Maker<'a>) -> Option<Payer<'a>> {
        if maker.given_text("organization_id").is_some() {
            return maker.organization("organization_id").map(Payer::Organization);
        }
        if maker.is_new {
            return match maker.user("user_id") {
                Some(user) => Some(Payer::User(user)),
                None if maker.given_text("user_id").is_some() => None,
                None => maker.organization("").map(Payer::Organization),
            };
        }
        let (place, most) = (maker.index / 2, maker.state.others.div_ceil(2));
        let state = maker.state;
        let (users, organizations) = (state.users.len().min(most), state.organizations.len().min(most));
        if maker.index.is_multiple_of(2) {
            (place < users).then(|| state.users.spread(place, users)).flatten().map(Payer::User)
        } else {
            let organization = (place < organizations).then(|| state.organizations.spread(place, organizations));
            organization.flatten().map(Payer::Organization)
        }
    }

    /// The id of the user or of the organization.
    pub(super) fn owner(self) -> &'a str {
        match self {
            Payer::User(user) => &user.id,
            Payer::Organization(organization) => &organization.id,
        }
    }

    pub(super) fn created_at(self) -> i64 {
        match self {
            Payer::User(user) => user.created_at,
            Payer::Organization(organization) => organization.created_at,
        }
    }

    /// The payer's own id, which is the same in everything that it pays.
    pub(super) fn id(self) -> String {
        id::new("cpayer_", &mut StdRng::seed_from_u64(hash(self.owner())), self.created_at())
    }

    /// The payer as a part of what it pays. The fields of organizations are null for users, and the other way round.
    pub(super) fn json(self, maker: &mut Maker) -> Value {
        let user = match self {
            Payer::User(user) => Some(user),
            Payer::Organization(_) => None,
        };
        let organization = match self {
            Payer::User(_) => None,
            Payer::Organization(organization) => Some(organization),
        };
        let mut payer = json!({
            "object": "commerce_payer",
            "id": self.id(),
            "instance_id": maker.state.instance.id,
            "user_id": user.map(|user| &user.id),
            "first_name": user.map(|user| &user.first_name),
            "last_name": user.map(|user| &user.last_name),
            "email": user.map(User::primary_email),
            "organization_id": organization.map(|organization| &organization.id),
            "organization_name": organization.map(|organization| &organization.name),
            "image_url": "https://img.clerk.com/payer",
            "credits_balance": money(0),
            "created_at": self.created_at(),
            "updated_at": self.created_at(),
        });
        let absent = if user.is_some() { "organization_name" } else { "first_name" };
        maker.thin(&mut payer, &[absent, "image_url", "credits_balance", "updated_at"], &[]);
        payer
    }
}

pub(super) fn payment_method(maker: &mut Maker, payer_id: &str) -> Value {
    let id = maker.id("cpm_");
    let kind = maker.turn(&["card", "link", "card", "payer-credits"]);
    let is_card = kind == "card";
    let mut method = json!({
        "object": "commerce_payment_method",
        "id": id,
        "payer_id": payer_id,
        "payment_type": kind,
        "is_default": true,
        "gateway": "stripe",
        "gateway_external_id": maker.secret(),
        "gateway_external_account_id": null,
        "last4": is_card.then_some("0000"),
        "status": if maker.chance(0.1) { "disconnected" } else { "active" },
        "wallet_type": null,
        "card_type": is_card.then_some("visa"),
        "expiry_year": is_card.then_some(2031),
        "expiry_month": is_card.then_some(7),
        "created_at": maker.at,
        "updated_at": maker.at,
        "is_removable": true,
    });
    maker.thin(&mut method, &["is_default", "expiry_year", "expiry_month", "is_removable"], &[]);
    method
}
