//! Queries over the objects of the whole catalogue.

use clerk_sim::{Config, Sim};
use fastrand::Rng;
use serde_json::json;

use super::hold_over;
use super::values::{Maker, Table};

use crate::support::*;

/// Signs up people who have what few users have.
fn settle(sim: &Sim, random: &mut Rng) {
    for n in 0..6 {
        let wallets: Vec<_> = (0..1 + n % 3).map(|wallet| format!("0x{n}{wallet}")).collect();
        let passkeys: Vec<_> = (0..=random.usize(..3))
            .map(|passkey| {
                json!({
                    "object": "passkey", "id": format!("idn_{n}{passkey}"), "name": format!("Key {}", passkey % 2),
                    "last_used_at": NOON + n, "verification": null,
                })
            })
            .collect();
        sim.create_user(json!({"web3_wallet": wallets, "passkeys": passkeys})).expect("a user");
    }
}

/// Where the parents of objects that Clerk lists below them are found.
fn all_parents(object: &str) -> &'static str {
    match object {
        "api_keys" => {
            "subject IN (SELECT user_id FROM copy.users UNION ALL SELECT organization_id FROM copy.organizations
                         UNION ALL SELECT machine_id FROM copy.machines)"
        }
        "m2m_tokens" => "subject IN (SELECT machine_id FROM copy.machines)",
        "billing_payment_attempts" => "statement_id IN (SELECT billing_statement_id FROM copy.billing_statements)",
        "organization_billing_subscriptions" => "organization_id IN (SELECT organization_id FROM copy.organizations)",
        _ => "user_id IN (SELECT user_id FROM copy.users)",
    }
}

/// Copies every object. Those below parents are read last, because the parents' copies say which there are.
fn tables(oracle: &Oracle) -> Vec<Table> {
    let objects = oracle.rows(
        "SELECT o.object, endpoint IS NOT NULL, column_name FROM clerk_fdw.objects() o JOIN clerk_fdw.columns() USING (object)
          WHERE is_id ORDER BY endpoint IS NULL",
    );
    let copied = |object: &str| oracle.one::<bool>(&format!("SELECT to_regclass('copy.{object}') IS NOT NULL"));
    // Clerk's list of one organization's invitations lacks a member that the list of all invitations has.
    oracle.run("ALTER FOREIGN TABLE clerk.organization_invitations DROP COLUMN attrs");
    let mut tables = Vec::new();
    for row in objects {
        let (object, has_list, id): (String, bool, String) = (row.get(0), row.get(1), row.get(2));
        if !copied(&object) {
            oracle.copy(&object, if has_list { "true" } else { all_parents(&object) });
        }
        let table = Table::new(oracle, &object, &id);
        let rows: i64 = oracle.one(&format!("SELECT count(*) FROM copy.{object}"));
        assert!(rows > 0, "there are no {object}");
        assert_eq!(has_list, table.parents.is_empty(), "{object}");
        tables.push(table);
    }
    assert!(tables.len() > 30, "{} objects", tables.len());
    tables
}

/// Random queries over every object give what they give over copies.
fn of_objects(of_many: usize, is_wanted: fn(&Table) -> bool) {
    let mut known = Vec::new();
    let config = Config { users: 30, organizations: 12, memberships: 60, ..small() };
    let mut number = 0;
    hold_over(config, settle, of_many, |oracle, maker: &mut Maker| {
        if known.is_empty() {
            known = tables(oracle);
            known.retain(is_wanted);
        }
        // Each object in turn, so that none is left out.
        number += 1;
        let table = &known[number % known.len()];
        match table.parents.is_empty() {
            true => maker.query(table),
            false => maker.query_below(table),
        }
    });
}

/// Every object that has a list of its own.
#[test]
fn queries_over_every_list() {
    of_objects(1, |table| table.parents.is_empty());
}

/// Every object that Clerk lists below parents.
#[test]
fn queries_below_parents() {
    of_objects(1, |table| !table.parents.is_empty());
}
