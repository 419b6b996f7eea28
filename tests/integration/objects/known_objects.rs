//! A world in which an object of each kind has an id that the tests know.

use clerk_sim::Config;
use serde_json::json;

use crate::support::*;

/// A world with an object of each kind whose id is known, and copies of the tables. Those of objects that are listed
/// below parents are copied with the parents that the queries name.
pub fn world(tables: &[&str]) -> Oracle {
    let oracle = Oracle::new(Config { users: 12, organizations: 6, memberships: 20, others: 15, ..small() }, "");
    oracle.sim.change(|state| {
        let mut known = |object, fields| state.create(object, fields).expect(object);
        known("invitations", json!({"id": "inv_known", "email_address": "known@example.com"}));
        known("invitations", json!({"status": "revoked", "email_address": "known@example.com"}));
        known("waitlist_entries", json!({"email_address": "known@example.com"}));
        known("allowlist_identifiers", json!({"identifier": "known@example.com"}));
        known("blocklist_identifiers", json!({"identifier": "known@example.com"}));
        known("organization_invitations", json!({"organization_id": "org_acme", "email_address": "known@example.com"}));
        known("organization_domains", json!({"organization_id": "org_acme", "name": "known.example.com"}));
        known("organization_roles", json!({"id": "role_known", "key": "org:known", "name": "Known"}));
        known("organization_permissions", json!({"id": "perm_known", "key": "org:known:read", "name": "Known things"}));
        known("role_sets", json!({"id": "rset_known", "key": "role_set:known", "name": "Known"}));
        known("redirect_urls", json!({"id": "ru_known", "url": "https://known.example.com"}));
        known("jwt_templates", json!({"id": "jtmp_known", "name": "known"}));
        known("oauth_applications", json!({"id": "oa_known", "client_id": "known", "name": "Known"}));
        known("saml_connections", json!({"id": "samlc_known", "organization_id": "org_acme", "name": "Known"}));
        known("enterprise_connections", json!({"id": "entc_known", "organization_id": "org_acme", "active": true}));
        known("directories", json!({"id": "dir_known"}));
        known("sessions", json!({"id": "sess_known", "user_id": "user_ada", "client_id": "client_known"}));
        known("sessions", json!({"user_id": "user_ada", "status": "pending"}));
        known("sessions", json!({"user_id": "user_bob"}));
        known("machines", json!({"id": "mch_known", "name": "Known"}));
        // Clerk takes only subjects whose ids have their full length.
        known("users", json!({"id": "user_keykeykeykeykeykeykeykeykey"}));
        known("organizations", json!({"id": "org_keykeykeykeykeykeykeykeykey"}));
        known("machines", json!({"id": "mch_keykeykeykeykeykeykeykeykey"}));
        known(
            "api_keys",
            json!({"id": "ak_00000000000000000000000000000001", "subject": "user_keykeykeykeykeykeykeykeykey"}),
        );
        known("api_keys", json!({"subject": "user_keykeykeykeykeykeykeykeykey", "revoked": true}));
        known("api_keys", json!({"subject": "org_keykeykeykeykeykeykeykeykey"}));
        known("m2m_tokens", json!({"subject": "mch_keykeykeykeykeykeykeykeykey"}));
        known("m2m_tokens", json!({"subject": "mch_keykeykeykeykeykeykeykeykey", "revoked": true}));
        known("billing_plans", json!({"id": "cplan_known", "slug": "known"}));
        known("billing_prices", json!({"plan_id": "cplan_known"}));
        known("billing_statements", json!({"id": "cstmt_known"}));
        known("billing_payment_attempts", json!({"statement_id": "cstmt_known"}));
    });
    for table in tables {
        let parents = match *table {
            "sessions" => "user_id IN ('user_ada', 'user_bob')",
            "api_keys" => "subject IN ('user_keykeykeykeykeykeykeykeykey', 'org_keykeykeykeykeykeykeykeykey')",
            "m2m_tokens" => "subject = 'mch_keykeykeykeykeykeykeykeykey'",
            "billing_payment_attempts" => "statement_id = 'cstmt_known'",
            "user_billing_subscriptions" => "user_id IN ('user_ada', 'user_bob')",
            "organization_billing_subscriptions" => "organization_id IN ('org_acme', 'org_zoo')",
            _ => "true",
        };
        oracle.copy(table, parents);
    }
    oracle
}
