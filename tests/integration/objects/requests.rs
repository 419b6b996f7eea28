//! What Clerk is asked for queries about each object, and that the rows are those of a copy.

use clerk_sim::Config;
use serde_json::json;

use crate::support::*;

/// A world with an object of each kind whose id is known, and copies of the tables. Those of objects that are listed
/// below parents are copied with the parents that the queries name.
fn world(tables: &[&str]) -> Oracle {
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
        known("api_keys", json!({"id": "ak_known", "subject": "user_ada"}));
        known("api_keys", json!({"subject": "user_ada", "revoked": true}));
        known("api_keys", json!({"subject": "org_acme"}));
        known("m2m_tokens", json!({"subject": "mch_known"}));
        known("m2m_tokens", json!({"subject": "mch_known", "revoked": true}));
        known("billing_plans", json!({"id": "cplan_known", "slug": "known"}));
        known("billing_prices", json!({"plan_id": "cplan_known"}));
        known("billing_statements", json!({"id": "cstmt_known"}));
        known("billing_payment_attempts", json!({"statement_id": "cstmt_known"}));
    });
    for table in tables {
        let parents = match *table {
            "sessions" => "user_id IN ('user_ada', 'user_bob')",
            "api_keys" => "subject IN ('user_ada', 'org_acme')",
            "m2m_tokens" => "subject = 'mch_known'",
            "billing_payment_attempts" => "statement_id = 'cstmt_known'",
            "user_billing_subscriptions" => "user_id IN ('user_ada', 'user_bob')",
            "organization_billing_subscriptions" => "organization_id IN ('org_acme', 'org_zoo')",
            _ => "true",
        };
        oracle.copy(table, parents);
    }
    oracle
}

/// The parts of users come from the users' own endpoints.
#[test]
fn elements_of_users() {
    let oracle = world(&[
        "user_email_addresses",
        "user_phone_numbers",
        "user_external_accounts",
        "user_web3_wallets",
        "user_passkeys",
    ]);
    oracle.check(
        "",
        &[
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE user_id = 'user_ada'", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE user_id IN ('user_ada', 'user_bob')", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE email_address = 'ada@work.example'", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE email_address IN ('ada@work.example', 'bob@example.com')", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE email_address LIKE '%@work.example'", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE is_primary", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE user_email_address_id = 'x'", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE user_id = 'nobody'", &["?"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses ORDER BY created_at LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.user_email_addresses", &["?"]),
            ("SELECT 1 FROM clerk.user_email_addresses LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT user_phone_number_id, user_id, phone_number FROM clerk.user_phone_numbers", &["?"]),
            ("SELECT user_phone_number_id, user_id, phone_number FROM clerk.user_phone_numbers WHERE user_id = 'user_ada'", &["?"]),
            ("SELECT user_phone_number_id, user_id, phone_number FROM clerk.user_phone_numbers WHERE phone_number = '+15550100002'", &["?"]),
            ("SELECT user_phone_number_id, user_id, phone_number FROM clerk.user_phone_numbers WHERE phone_number LIKE '%0100002'", &["?"]),
            ("SELECT count(*) FROM clerk.user_phone_numbers", &["?"]),
            ("SELECT 1 FROM clerk.user_phone_numbers LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT user_external_account_id, user_id FROM clerk.user_external_accounts", &["?"]),
            ("SELECT user_external_account_id, user_id FROM clerk.user_external_accounts WHERE user_id = 'user_ada'", &["?"]),
            ("SELECT user_external_account_id, user_id FROM clerk.user_external_accounts WHERE provider = 'oauth_google'", &["?"]),
            ("SELECT count(*) FROM clerk.user_external_accounts", &["?"]),
            ("SELECT 1 FROM clerk.user_external_accounts LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT user_web3_wallet_id, user_id FROM clerk.user_web3_wallets", &["?"]),
            ("SELECT user_web3_wallet_id, user_id FROM clerk.user_web3_wallets WHERE user_id = 'user_ada'", &["?"]),
            ("SELECT user_web3_wallet_id, user_id FROM clerk.user_web3_wallets WHERE web3_wallet = '0x1'", &["?"]),
            ("SELECT count(*) FROM clerk.user_web3_wallets", &["?"]),
            ("SELECT 1 FROM clerk.user_web3_wallets LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT user_passkey_id, user_id FROM clerk.user_passkeys", &["?"]),
            ("SELECT user_passkey_id, user_id FROM clerk.user_passkeys WHERE user_id = 'user_ada'", &["?"]),
            ("SELECT user_passkey_id, user_id FROM clerk.user_passkeys WHERE user_passkey_id = 'x'", &["?"]),
            ("SELECT count(*) FROM clerk.user_passkeys", &["?"]),
            ("SELECT 1 FROM clerk.user_passkeys LIMIT 2", &["?"]),
        ],
    );
}

/// Invitations, the waitlist, the allowlist and the blocklist.
#[test]
fn who_may_sign_up() {
    let oracle = world(&["invitations", "waitlist_entries", "allowlist_identifiers", "blocklist_identifiers"]);
    oracle.check(
        "",
        &[
            ("SELECT invitation_id, status FROM clerk.invitations", &["?"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE status = 'pending'", &["?"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE status = 'revoked'", &["?"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE status <> 'revoked'", &["?"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE status IN ('pending', 'revoked')", &["?"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE email_address = 'known@example.com'", &["?"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE email_address = 'known@example.com' AND status = 'pending'", &["?"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE invitation_id = 'inv_known'", &["?"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE created_at > '2024-03-10Z'", &["?"]),
            ("SELECT created_at FROM clerk.invitations ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.invitations", &["?"]),
            ("SELECT 1 FROM clerk.invitations LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries", &["?"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries WHERE status = 'invited'", &["?"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries WHERE status = 'unheard of'", &["?"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries WHERE email_address = 'known@example.com'", &["?"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries WHERE waitlist_entry_id = 'x'", &["?"]),
            ("SELECT created_at FROM clerk.waitlist_entries ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.waitlist_entries", &["?"]),
            ("SELECT 1 FROM clerk.waitlist_entries LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT allowlist_identifier_id FROM clerk.allowlist_identifiers", &["?"]),
            ("SELECT allowlist_identifier_id FROM clerk.allowlist_identifiers WHERE identifier = 'known@example.com'", &["?"]),
            ("SELECT allowlist_identifier_id FROM clerk.allowlist_identifiers WHERE allowlist_identifier_id = 'x'", &["?"]),
            ("SELECT count(*) FROM clerk.allowlist_identifiers", &["?"]),
            ("SELECT 1 FROM clerk.allowlist_identifiers LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT blocklist_identifier_id FROM clerk.blocklist_identifiers", &["?"]),
            ("SELECT blocklist_identifier_id FROM clerk.blocklist_identifiers WHERE identifier = 'known@example.com'", &["?"]),
            ("SELECT blocklist_identifier_id FROM clerk.blocklist_identifiers WHERE blocklist_identifier_id = 'x'", &["?"]),
            ("SELECT count(*) FROM clerk.blocklist_identifiers", &["?"]),
            ("SELECT 1 FROM clerk.blocklist_identifiers LIMIT 2", &["?"]),
        ],
    );
}

/// What belongs to organizations, and what their members may do.
#[test]
fn of_organizations() {
    let oracle = world(&[
        "organization_invitations",
        "organization_domains",
        "organization_roles",
        "organization_permissions",
        "role_sets",
    ]);
    oracle.check(
        "",
        &[
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations", &["?"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id = 'org_acme'", &["?"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id IN ('org_acme', 'org_zoo')", &["?"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id = 'org_x'", &["?"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id = 'org_acme' AND status = 'pending'", &["?"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id = 'org_acme' AND email_address = 'known@example.com'", &["?"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE status = 'revoked'", &["?"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE email_address = 'known@example.com'", &["?"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_invitation_id = 'x'", &["?"]),
            ("SELECT created_at FROM clerk.organization_invitations ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.organization_invitations", &["?"]),
            ("SELECT 1 FROM clerk.organization_invitations LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_id = 'org_acme'", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_id IN ('org_acme', 'org_zoo')", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_id = 'org_x'", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_id = 'org_acme' AND name = 'known.example.com'", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE name = 'known.example.com'", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE name IN ('known.example.com', 'other.example.com')", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE name LIKE '%known%'", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE enrollment_mode = 'enterprise_sso'", &["?"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_domain_id = 'x'", &["?"]),
            ("SELECT created_at FROM clerk.organization_domains ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.organization_domains", &["?"]),
            ("SELECT 1 FROM clerk.organization_domains LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT organization_role_id, key FROM clerk.organization_roles", &["?"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE organization_role_id = 'role_known'", &["?"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE key = 'org:known'", &["?"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE name = 'Known'", &["?"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE key LIKE '%know%'", &["?"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE organization_role_id = 'x'", &["?"]),
            ("SELECT created_at FROM clerk.organization_roles ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.organization_roles", &["?"]),
            ("SELECT 1 FROM clerk.organization_roles LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT organization_permission_id, key FROM clerk.organization_permissions", &["?"]),
            ("SELECT organization_permission_id, key FROM clerk.organization_permissions WHERE organization_permission_id = 'perm_known'", &["?"]),
            ("SELECT organization_permission_id, key FROM clerk.organization_permissions WHERE key = 'org:known:read'", &["?"]),
            ("SELECT organization_permission_id, key FROM clerk.organization_permissions WHERE name LIKE 'Known%'", &["?"]),
            ("SELECT created_at FROM clerk.organization_permissions ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.organization_permissions", &["?"]),
            ("SELECT 1 FROM clerk.organization_permissions LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT role_set_id, key FROM clerk.role_sets", &["?"]),
            ("SELECT role_set_id, key FROM clerk.role_sets WHERE role_set_id = 'rset_known'", &["?"]),
            ("SELECT role_set_id, key FROM clerk.role_sets WHERE key = 'role_set:known'", &["?"]),
            ("SELECT role_set_id, key FROM clerk.role_sets WHERE name = 'Known'", &["?"]),
            ("SELECT role_set_id, key FROM clerk.role_sets WHERE role_set_id = 'x'", &["?"]),
            ("SELECT created_at FROM clerk.role_sets ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.role_sets", &["?"]),
            ("SELECT 1 FROM clerk.role_sets LIMIT 2", &["?"]),
        ],
    );
}

/// The instance, its domains, templates and applications.
#[test]
fn settings_of_the_instance() {
    let oracle = world(&[
        "instance",
        "organization_settings",
        "domains",
        "redirect_urls",
        "jwt_templates",
        "oauth_applications",
    ]);
    oracle.check(
        "",
        &[
            ("SELECT instance_id FROM clerk.instance", &["?"]),
            ("SELECT instance_id FROM clerk.instance WHERE instance_id = 'x'", &["?"]),
            ("SELECT count(*) FROM clerk.instance", &["?"]),
            ("SELECT 1 FROM clerk.instance LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT organization_settings_id FROM clerk.organization_settings", &["?"]),
            ("SELECT organization_settings_id FROM clerk.organization_settings WHERE enabled", &["?"]),
            ("SELECT count(*) FROM clerk.organization_settings", &["?"]),
            ("SELECT 1 FROM clerk.organization_settings LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT domain_id FROM clerk.domains", &["?"]),
            ("SELECT domain_id FROM clerk.domains WHERE name = 'known.example.com'", &["?"]),
            ("SELECT domain_id FROM clerk.domains WHERE domain_id = 'x'", &["?"]),
            ("SELECT domain_id FROM clerk.domains LIMIT 1", &["?"]),
            ("SELECT count(*) FROM clerk.domains", &["?"]),
            ("SELECT 1 FROM clerk.domains LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT redirect_url_id FROM clerk.redirect_urls", &["?"]),
            ("SELECT redirect_url_id FROM clerk.redirect_urls WHERE redirect_url_id = 'ru_known'", &["?"]),
            ("SELECT redirect_url_id FROM clerk.redirect_urls WHERE url = 'https://known.example.com'", &["?"]),
            ("SELECT redirect_url_id FROM clerk.redirect_urls WHERE redirect_url_id = 'x'", &["?"]),
            ("SELECT count(*) FROM clerk.redirect_urls", &["?"]),
            ("SELECT 1 FROM clerk.redirect_urls LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT jwt_template_id FROM clerk.jwt_templates", &["?"]),
            ("SELECT jwt_template_id FROM clerk.jwt_templates WHERE jwt_template_id = 'jtmp_known'", &["?"]),
            ("SELECT jwt_template_id FROM clerk.jwt_templates WHERE name = 'known'", &["?"]),
            ("SELECT count(*) FROM clerk.jwt_templates", &["?"]),
            ("SELECT 1 FROM clerk.jwt_templates LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT oauth_application_id FROM clerk.oauth_applications", &["?"]),
            (
                "SELECT oauth_application_id FROM clerk.oauth_applications WHERE oauth_application_id = 'oa_known'",
                &["?"],
            ),
            ("SELECT oauth_application_id FROM clerk.oauth_applications WHERE name = 'Known'", &["?"]),
            ("SELECT oauth_application_id FROM clerk.oauth_applications WHERE client_id = 'known'", &["?"]),
            ("SELECT oauth_application_id FROM clerk.oauth_applications WHERE name LIKE '%Known%'", &["?"]),
            ("SELECT created_at FROM clerk.oauth_applications ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.oauth_applications", &["?"]),
            ("SELECT 1 FROM clerk.oauth_applications LIMIT 2", &["?"]),
        ],
    );
}

/// Connections to identity providers, and their directories.
#[test]
fn enterprise_sign_in() {
    let oracle = world(&["saml_connections", "enterprise_connections", "directories"]);
    oracle.check(
        "",
        &[
            ("SELECT saml_connection_id FROM clerk.saml_connections", &["?"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE saml_connection_id = 'samlc_known'", &["?"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE organization_id = 'org_acme'", &["?"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE organization_id IN ('org_acme', 'org_zoo')", &["?"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE name = 'Known'", &["?"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE active", &["?"]),
            ("SELECT created_at FROM clerk.saml_connections ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.saml_connections", &["?"]),
            ("SELECT 1 FROM clerk.saml_connections LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections", &["?"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections WHERE enterprise_connection_id = 'entc_known'", &["?"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections WHERE organization_id = 'org_acme'", &["?"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections WHERE organization_id = 'org_acme' AND active", &["?"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections WHERE NOT active", &["?"]),
            ("SELECT count(*) FROM clerk.enterprise_connections", &["?"]),
            ("SELECT 1 FROM clerk.enterprise_connections LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT directory_id FROM clerk.directories", &["?"]),
            ("SELECT directory_id FROM clerk.directories WHERE directory_id = 'dir_known'", &["?"]),
            ("SELECT directory_id FROM clerk.directories WHERE enabled", &["?"]),
            ("SELECT directory_id FROM clerk.directories WHERE directory_id = 'x'", &["?"]),
            ("SELECT count(*) FROM clerk.directories", &["?"]),
            ("SELECT 1 FROM clerk.directories LIMIT 2", &["?"]),
        ],
    );
}

/// Sessions, machines, keys and tokens.
#[test]
fn sessions_and_machines() {
    let oracle = world(&["sessions", "machines", "api_keys", "m2m_tokens"]);
    oracle.check(
        "",
        &[
            ("SELECT session_id, user_id FROM clerk.sessions WHERE user_id = 'user_ada'", &["?"]),
            ("SELECT session_id, user_id FROM clerk.sessions WHERE user_id IN ('user_ada', 'user_bob')", &["?"]),
            ("SELECT session_id, user_id FROM clerk.sessions WHERE user_id = 'user_ada' AND status = 'active'", &["?"]),
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE user_id = 'user_ada' AND status = 'pending'",
                &["?"],
            ),
            ("SELECT session_id, user_id FROM clerk.sessions WHERE client_id = 'client_known'", &["?"]),
            ("SELECT session_id, user_id FROM clerk.sessions WHERE session_id = 'sess_known'", &["?"]),
            ("SELECT session_id, user_id FROM clerk.sessions WHERE session_id IN ('sess_known', 'x')", &["?"]),
            ("SELECT session_id, user_id FROM clerk.sessions WHERE user_id = 'nobody'", &["?"]),
            ("SELECT count(*) FROM clerk.sessions WHERE user_id = 'user_ada'", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT machine_id FROM clerk.machines", &["?"]),
            ("SELECT machine_id FROM clerk.machines WHERE machine_id = 'mch_known'", &["?"]),
            ("SELECT machine_id FROM clerk.machines WHERE name = 'Known'", &["?"]),
            ("SELECT machine_id FROM clerk.machines WHERE name LIKE 'Know%'", &["?"]),
            ("SELECT created_at FROM clerk.machines ORDER BY created_at DESC LIMIT 3", &["?"]),
            ("SELECT count(*) FROM clerk.machines", &["?"]),
            ("SELECT 1 FROM clerk.machines LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT api_key_id, subject FROM clerk.api_keys WHERE subject = 'user_ada'", &["?"]),
            ("SELECT api_key_id, subject FROM clerk.api_keys WHERE subject IN ('user_ada', 'org_acme')", &["?"]),
            ("SELECT api_key_id, subject FROM clerk.api_keys WHERE api_key_id = 'ak_known'", &["?"]),
            ("SELECT api_key_id, subject FROM clerk.api_keys WHERE subject = 'user_ada' AND revoked", &["?"]),
            ("SELECT api_key_id, subject FROM clerk.api_keys WHERE subject = 'nobody'", &["?"]),
            ("SELECT count(*) FROM clerk.api_keys WHERE subject = 'user_ada'", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT m2m_token_id, subject FROM clerk.m2m_tokens WHERE subject = 'mch_known'", &["?"]),
            ("SELECT m2m_token_id, subject FROM clerk.m2m_tokens WHERE subject = 'mch_known' AND NOT revoked", &["?"]),
            ("SELECT m2m_token_id, subject FROM clerk.m2m_tokens WHERE subject = 'nobody'", &["?"]),
            ("SELECT count(*) FROM clerk.m2m_tokens WHERE subject = 'mch_known'", &["?"]),
        ],
    );
}

/// Plans, prices, subscriptions, statements and payments.
#[test]
fn billing() {
    let oracle = world(&[
        "billing_plans",
        "billing_prices",
        "billing_subscription_items",
        "billing_statements",
        "billing_payment_attempts",
        "user_billing_subscriptions",
        "organization_billing_subscriptions",
    ]);
    oracle.check(
        "",
        &[
            ("SELECT billing_plan_id, for_payer_type FROM clerk.billing_plans", &["?"]),
            ("SELECT billing_plan_id, for_payer_type FROM clerk.billing_plans WHERE for_payer_type = 'org'", &["?"]),
            ("SELECT billing_plan_id, for_payer_type FROM clerk.billing_plans WHERE slug = 'known'", &["?"]),
            ("SELECT billing_plan_id, for_payer_type FROM clerk.billing_plans WHERE billing_plan_id = 'x'", &["?"]),
            ("SELECT count(*) FROM clerk.billing_plans", &["?"]),
            ("SELECT 1 FROM clerk.billing_plans LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT billing_price_id FROM clerk.billing_prices", &["?"]),
            ("SELECT billing_price_id FROM clerk.billing_prices WHERE plan_id = 'cplan_known'", &["?"]),
            ("SELECT billing_price_id FROM clerk.billing_prices WHERE plan_id IN ('cplan_known', 'x')", &["?"]),
            ("SELECT billing_price_id FROM clerk.billing_prices WHERE billing_price_id = 'x'", &["?"]),
            ("SELECT count(*) FROM clerk.billing_prices", &["?"]),
            ("SELECT 1 FROM clerk.billing_prices LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT billing_subscription_item_id FROM clerk.billing_subscription_items", &["?"]),
            ("SELECT billing_subscription_item_id FROM clerk.billing_subscription_items WHERE plan_id = 'cplan_known'", &["?"]),
            ("SELECT billing_subscription_item_id FROM clerk.billing_subscription_items WHERE status = 'active'", &["?"]),
            ("SELECT count(*) FROM clerk.billing_subscription_items", &["?"]),
            ("SELECT 1 FROM clerk.billing_subscription_items LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT billing_statement_id FROM clerk.billing_statements", &["?"]),
            (
                "SELECT billing_statement_id FROM clerk.billing_statements WHERE billing_statement_id = 'cstmt_known'",
                &["?"],
            ),
            ("SELECT billing_statement_id FROM clerk.billing_statements WHERE status = 'open'", &["?"]),
            ("SELECT count(*) FROM clerk.billing_statements", &["?"]),
            ("SELECT 1 FROM clerk.billing_statements LIMIT 2", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT billing_payment_attempt_id, statement_id FROM clerk.billing_payment_attempts WHERE statement_id = 'cstmt_known'", &["?"]),
            ("SELECT billing_payment_attempt_id, statement_id FROM clerk.billing_payment_attempts WHERE statement_id IN ('cstmt_known', 'cstmt_x')", &["?"]),
            ("SELECT billing_payment_attempt_id, statement_id FROM clerk.billing_payment_attempts WHERE statement_id = 'cstmt_known' AND status = 'paid'", &["?"]),
            ("SELECT count(*) FROM clerk.billing_payment_attempts WHERE statement_id = 'cstmt_known'", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT user_billing_subscription_id, user_id FROM clerk.user_billing_subscriptions WHERE user_id = 'user_ada'", &["?"]),
            ("SELECT user_billing_subscription_id, user_id FROM clerk.user_billing_subscriptions WHERE user_id IN ('user_ada', 'user_bob')", &["?"]),
            ("SELECT user_billing_subscription_id, user_id FROM clerk.user_billing_subscriptions WHERE user_id = 'nobody'", &["?"]),
            ("SELECT count(*) FROM clerk.user_billing_subscriptions WHERE user_id = 'user_ada'", &["?"]),
        ],
    );
    oracle.check(
        "",
        &[
            ("SELECT organization_billing_subscription_id, organization_id FROM clerk.organization_billing_subscriptions WHERE organization_id = 'org_acme'", &["?"]),
            ("SELECT organization_billing_subscription_id, organization_id FROM clerk.organization_billing_subscriptions WHERE organization_id IN ('org_acme', 'org_zoo')", &["?"]),
            ("SELECT count(*) FROM clerk.organization_billing_subscriptions WHERE organization_id = 'org_acme'", &["?"]),
        ],
    );
}
