//! Of settings of the instance, its machines and its bills.

use super::Case;

pub const CASES: &[Case] = &[
    Case {
        object: "allowlist_identifiers",
        statements: &[
            (
                r#"INSERT INTO clerk.allowlist_identifiers (identifier, attrs) VALUES ('allowed@example.com', '{"notify": false}') RETURNING allowlist_identifier_id"#,
                &[r#"POST /allowlist_identifiers {"notify":false,"identifier":"allowed@example.com"}"#],
            ),
            (
                "DELETE FROM clerk.allowlist_identifiers WHERE allowlist_identifier_id = '{allowlist_identifiers}'",
                &[
                    "GET /allowlist_identifiers?paginated=true&limit=500",
                    "GET /allowlist_identifiers?paginated=true&limit=500&offset=4",
                    "DELETE /allowlist_identifiers/{allowlist_identifiers}",
                ],
            ),
        ],
    },
    Case {
        object: "blocklist_identifiers",
        statements: &[
            (
                "INSERT INTO clerk.blocklist_identifiers (identifier) VALUES ('blocked@example.com') RETURNING blocklist_identifier_id",
                &[r#"POST /blocklist_identifiers {"identifier":"blocked@example.com"}"#],
            ),
            (
                "DELETE FROM clerk.blocklist_identifiers WHERE identifier = 'blocked@example.com'",
                &["GET /blocklist_identifiers", "DELETE /blocklist_identifiers/{blocklist_identifiers}"],
            ),
        ],
    },
    Case {
        object: "domains",
        statements: &[
            (
                "INSERT INTO clerk.domains (name, is_satellite) VALUES ('shop.example.com', true) RETURNING domain_id",
                &[r#"POST /domains {"name":"shop.example.com","is_satellite":true}"#],
            ),
            (
                "UPDATE clerk.domains SET name = 'store.example.com' WHERE name = 'shop.example.com'",
                &["GET /domains", r#"PATCH /domains/{domains} {"name":"store.example.com"}"#],
            ),
            (
                "DELETE FROM clerk.domains WHERE name = 'store.example.com'",
                &["GET /domains", "DELETE /domains/{domains}"],
            ),
        ],
    },
    Case {
        object: "redirect_urls",
        statements: &[
            (
                "INSERT INTO clerk.redirect_urls (url) VALUES ('myapp://callback') RETURNING redirect_url_id",
                &[r#"POST /redirect_urls {"url":"myapp://callback"}"#],
            ),
            (
                "DELETE FROM clerk.redirect_urls WHERE redirect_url_id = '{redirect_urls}'",
                &["GET /redirect_urls/{redirect_urls}", "DELETE /redirect_urls/{redirect_urls}"],
            ),
        ],
    },
    Case {
        object: "jwt_templates",
        statements: &[
            (
                r#"INSERT INTO clerk.jwt_templates (name, claims, lifetime) VALUES ('api', '{"aud": "api"}', 90) RETURNING jwt_template_id"#,
                &[r#"POST /jwt_templates {"name":"api","lifetime":90,"claims":{"aud": "api"}}"#],
            ),
            (
                "UPDATE clerk.jwt_templates SET lifetime = 120 WHERE jwt_template_id = '{jwt_templates}'",
                &[
                    "GET /jwt_templates/{jwt_templates}",
                    r#"PATCH /jwt_templates/{jwt_templates} {"name":"api","claims":{"aud": "api"},"lifetime":120}"#,
                ],
            ),
            (
                "DELETE FROM clerk.jwt_templates WHERE jwt_template_id = '{jwt_templates}'",
                &["GET /jwt_templates/{jwt_templates}", "DELETE /jwt_templates/{jwt_templates}"],
            ),
        ],
    },
    Case {
        object: "oauth_applications",
        statements: &[
            (
                "INSERT INTO clerk.oauth_applications (name, redirect_uris, pkce_required) VALUES ('Portal', '{https://a.example.com}', true) RETURNING oauth_application_id",
                &[
                    r#"POST /oauth_applications {"name":"Portal","pkce_required":true,"redirect_uris":["https://a.example.com"]}"#,
                ],
            ),
            (
                "UPDATE clerk.oauth_applications SET name = 'Gate', public = NULL WHERE oauth_application_id = '{oauth_applications}'",
                &[
                    "GET /oauth_applications/{oauth_applications}",
                    r#"PATCH /oauth_applications/{oauth_applications} {"name":"Gate","public":null}"#,
                ],
            ),
            (
                "DELETE FROM clerk.oauth_applications WHERE oauth_application_id = '{oauth_applications}'",
                &["GET /oauth_applications/{oauth_applications}", "DELETE /oauth_applications/{oauth_applications}"],
            ),
        ],
    },
    Case {
        object: "saml_connections",
        statements: &[
            (
                "INSERT INTO clerk.saml_connections (name, domain, provider) VALUES ('Mill', 'saml.example.com', 'saml_okta') RETURNING saml_connection_id",
                &[r#"POST /saml_connections {"name":"Mill","provider":"saml_okta","domain":"saml.example.com"}"#],
            ),
            (
                "UPDATE clerk.saml_connections SET name = 'Loom', force_authn = true WHERE saml_connection_id = '{saml_connections}'",
                &[
                    "GET /saml_connections/{saml_connections}",
                    r#"PATCH /saml_connections/{saml_connections} {"name":"Loom","force_authn":true}"#,
                ],
            ),
            (
                "DELETE FROM clerk.saml_connections WHERE saml_connection_id = '{saml_connections}'",
                &["GET /saml_connections/{saml_connections}", "DELETE /saml_connections/{saml_connections}"],
            ),
        ],
    },
    Case {
        object: "enterprise_connections",
        statements: &[
            (
                "INSERT INTO clerk.enterprise_connections (name, provider, domains) VALUES ('Mill', 'saml_custom', '{mill2.example.com}') RETURNING enterprise_connection_id",
                &[
                    r#"POST /enterprise_connections {"name":"Mill","provider":"saml_custom","domains":["mill2.example.com"]}"#,
                ],
            ),
            (
                "UPDATE clerk.enterprise_connections SET name = 'Loom' WHERE enterprise_connection_id = '{enterprise_connections}'",
                &[
                    "GET /enterprise_connections/{enterprise_connections}",
                    r#"PATCH /enterprise_connections/{enterprise_connections} {"name":"Loom"}"#,
                ],
            ),
        ],
    },
    Case {
        object: "directories",
        statements: &[
            (
                "INSERT INTO clerk.directories (enterprise_connection_id, name, provider) VALUES ('{enterprise_connections}', 'Okta', 'okta') RETURNING directory_id",
                &[
                    r#"POST /directories {"name":"Okta","enterprise_connection_id":"{enterprise_connections}","provider":"okta"}"#,
                ],
            ),
            (
                "UPDATE clerk.directories SET enabled = false WHERE directory_id = '{directories}'",
                &["GET /directories/{directories}", r#"PATCH /directories/{directories} {"enabled":false}"#],
            ),
            (
                "DELETE FROM clerk.directories WHERE directory_id = '{directories}'",
                &["GET /directories/{directories}", "DELETE /directories/{directories}"],
            ),
        ],
    },
    Case {
        object: "enterprise_connections",
        statements: &[(
            "DELETE FROM clerk.enterprise_connections WHERE enterprise_connection_id = '{enterprise_connections}'",
            &[
                "GET /enterprise_connections/{enterprise_connections}",
                "DELETE /enterprise_connections/{enterprise_connections}",
            ],
        )],
    },
    Case {
        object: "machines",
        statements: &[
            (
                "INSERT INTO clerk.machines (name, default_token_ttl) VALUES ('Loom', 60) RETURNING machine_id",
                &[r#"POST /machines {"name":"Loom","default_token_ttl":60}"#],
            ),
            (
                "UPDATE clerk.machines SET name = 'Jacquard' WHERE machine_id = '{machines}'",
                &["GET /machines/{machines}", r#"PATCH /machines/{machines} {"name":"Jacquard"}"#],
            ),
            (
                "DELETE FROM clerk.machines WHERE machine_id = '{machines}'",
                &["GET /machines/{machines}", "DELETE /machines/{machines}"],
            ),
        ],
    },
    Case {
        object: "api_keys",
        statements: &[
            (
                "INSERT INTO clerk.api_keys (name, subject, scopes) VALUES ('Deploy', '{users}', '{read,write}') RETURNING api_key_id",
                &[r#"POST /api_keys {"subject":"{users}","scopes":["read","write"],"name":"Deploy"}"#],
            ),
            (
                "UPDATE clerk.api_keys SET description = 'For deploys' WHERE api_key_id = '{api_keys}'",
                &["GET /api_keys/{api_keys}", r#"PATCH /api_keys/{api_keys} {"description":"For deploys"}"#],
            ),
            (
                "UPDATE clerk.api_keys SET revoked = true WHERE api_key_id = '{api_keys}'",
                &["GET /api_keys/{api_keys}", "POST /api_keys/{api_keys}/revoke {}"],
            ),
            (
                "DELETE FROM clerk.api_keys WHERE api_key_id = '{api_keys}'",
                &["GET /api_keys/{api_keys}", "DELETE /api_keys/{api_keys}"],
            ),
        ],
    },
    Case {
        object: "machines",
        statements: &[(
            "SELECT subject FROM clerk.m2m_tokens WHERE subject IN (SELECT machine_id FROM clerk.machines) AND NOT revoked GROUP BY 1 HAVING count(*) > 1 LIMIT 1",
            &[],
        )],
    },
    Case {
        object: "m2m_tokens",
        statements: &[
            ("SELECT m2m_token_id FROM clerk.m2m_tokens WHERE subject = '{machines}' AND NOT revoked LIMIT 1", &[]),
            (
                "UPDATE clerk.m2m_tokens SET revoked = true WHERE subject = '{machines}' AND m2m_token_id = '{m2m_tokens}'",
                &[
                    "GET /m2m_tokens?subject={machines}&revoked=true&expired=true&limit=100",
                    "POST /m2m_tokens/{m2m_tokens}/revoke {}",
                ],
            ),
            ("SELECT m2m_token_id FROM clerk.m2m_tokens WHERE subject = '{machines}' AND NOT revoked LIMIT 1", &[]),
            (
                "DELETE FROM clerk.m2m_tokens WHERE subject = '{machines}' AND m2m_token_id = '{m2m_tokens}'",
                &[
                    "GET /m2m_tokens?subject={machines}&revoked=true&expired=true&limit=100",
                    "POST /m2m_tokens/{m2m_tokens}/revoke {}",
                ],
            ),
        ],
    },
    Case {
        object: "instance",
        statements: &[
            (
                "UPDATE clerk.instance SET allowed_origins = '{https://a.example.com}'",
                &["GET /instance", r#"PATCH /instance {"allowed_origins":["https://a.example.com"]}"#],
            ),
            (
                r#"UPDATE clerk.instance SET attrs = '{"support_email": "help@example.com"}'"#,
                &["GET /instance", r#"PATCH /instance {"support_email":"help@example.com"}"#],
            ),
        ],
    },
    Case {
        object: "organization_settings",
        statements: &[(
            "UPDATE clerk.organization_settings SET max_allowed_memberships = 12",
            &[
                "GET /instance/organization_settings",
                r#"PATCH /instance/organization_settings {"max_allowed_memberships":12}"#,
            ],
        )],
    },
    Case {
        object: "billing_prices",
        statements: &[
            ("SELECT plan_id FROM clerk.billing_prices LIMIT 1", &[]),
            (
                "INSERT INTO clerk.billing_prices (plan_id, amount, currency) VALUES ('{billing_prices}', 1500, 'USD') RETURNING billing_price_id",
                &[
                    r#"POST /billing/prices {"plan_id":"cplan_3E0MXUn3GUskT6Yi79DCSmRggey","currency":"USD","amount":1500}"#,
                ],
            ),
        ],
    },
    Case {
        object: "billing_subscription_items",
        statements: &[
            (
                "SELECT billing_subscription_item_id FROM clerk.billing_subscription_items WHERE status = 'active' LIMIT 1",
                &[],
            ),
            (
                "DELETE FROM clerk.billing_subscription_items WHERE billing_subscription_item_id = '{billing_subscription_items}'",
                &[
                    "GET /billing/subscription_items?paginated=true&include_free=true&limit=500",
                    "DELETE /billing/subscription_items/{billing_subscription_items}",
                ],
            ),
        ],
    },
];
