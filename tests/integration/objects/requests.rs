//! What Clerk is asked for queries about each object, and that the rows are those of a copy.

use super::known_objects::world;

const NOTHING: &[&str] = &[];

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
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses", &["/users"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE user_id = 'user_ada'", &["/users/user_ada"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE user_id IN ('user_ada', 'user_bob')", &["/users?user_id=user_ada&user_id=user_bob"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE email_address = 'ada@work.example'", &["/users?email_address=ada@work.example"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE email_address IN ('ada@work.example', 'bob@example.com')", &["/users?email_address=ada@work.example&email_address=bob@example.com"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE email_address LIKE '%@work.example'", &["/users?email_address_query=@work.example"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE is_primary", &["/users"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE user_email_address_id = 'x'", &["/users"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses WHERE user_id = 'nobody'", &["/users/nobody"]),
            ("SELECT user_email_address_id, user_id, email_address FROM clerk.user_email_addresses ORDER BY created_at LIMIT 3", &["/users"]),
            ("SELECT count(*) FROM clerk.user_email_addresses", &["/users"]),
            ("SELECT 1 FROM clerk.user_email_addresses LIMIT 2", &["/users?limit=2"]),
            ("SELECT user_phone_number_id, user_id, phone_number FROM clerk.user_phone_numbers", &["/users"]),
            ("SELECT user_phone_number_id, user_id, phone_number FROM clerk.user_phone_numbers WHERE user_id = 'user_ada'", &["/users/user_ada"]),
            ("SELECT user_phone_number_id, user_id, phone_number FROM clerk.user_phone_numbers WHERE phone_number = '+15550100002'", &["/users?phone_number=+15550100002"]),
            ("SELECT user_phone_number_id, user_id, phone_number FROM clerk.user_phone_numbers WHERE phone_number LIKE '%0100002'", &["/users?phone_number_query=0100002"]),
            ("SELECT count(*) FROM clerk.user_phone_numbers", &["/users"]),
            ("SELECT 1 FROM clerk.user_phone_numbers LIMIT 2", &["/users?limit=2"]),
            ("SELECT user_external_account_id, user_id FROM clerk.user_external_accounts", &["/users"]),
            ("SELECT user_external_account_id, user_id FROM clerk.user_external_accounts WHERE user_id = 'user_ada'", &["/users/user_ada"]),
            ("SELECT user_external_account_id, user_id FROM clerk.user_external_accounts WHERE provider = 'oauth_google'", &["/users"]),
            ("SELECT count(*) FROM clerk.user_external_accounts", &["/users"]),
            ("SELECT user_web3_wallet_id, user_id FROM clerk.user_web3_wallets", &["/users"]),
            ("SELECT user_web3_wallet_id, user_id FROM clerk.user_web3_wallets WHERE user_id = 'user_ada'", &["/users/user_ada"]),
            ("SELECT user_web3_wallet_id, user_id FROM clerk.user_web3_wallets WHERE web3_wallet = '0x1'", &["/users?web3_wallet=0x1"]),
            ("SELECT count(*) FROM clerk.user_web3_wallets", &["/users"]),
            ("SELECT user_passkey_id, user_id FROM clerk.user_passkeys", &["/users"]),
            ("SELECT user_passkey_id, user_id FROM clerk.user_passkeys WHERE user_id = 'user_ada'", &["/users/user_ada"]),
            ("SELECT user_passkey_id, user_id FROM clerk.user_passkeys WHERE user_passkey_id = 'x'", &["/users"]),
            ("SELECT count(*) FROM clerk.user_passkeys", &["/users"]),
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
            ("SELECT invitation_id, status FROM clerk.invitations", &["/invitations?offset=10&paginated=true", "/invitations?offset=3&paginated=true&status=revoked", "/invitations?paginated=true", "/invitations?paginated=true&status=revoked"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE status = 'pending'", &["/invitations?offset=3&paginated=true&status=pending", "/invitations?paginated=true&status=pending"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE status = 'revoked'", &["/invitations?offset=3&paginated=true&status=revoked", "/invitations?paginated=true&status=revoked"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE status <> 'revoked'", &["/invitations?offset=10&paginated=true", "/invitations?offset=3&paginated=true&status=revoked", "/invitations?paginated=true", "/invitations?paginated=true&status=revoked"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE status IN ('pending', 'revoked')", &["/invitations?offset=10&paginated=true", "/invitations?offset=3&paginated=true&status=revoked", "/invitations?paginated=true", "/invitations?paginated=true&status=revoked"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE email_address = 'known@example.com'", &["/invitations?paginated=true&query=known@example.com", "/invitations?paginated=true&query=known@example.com", "/invitations?paginated=true&query=known@example.com&status=revoked", "/invitations?paginated=true&query=known@example.com&status=revoked"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE email_address = 'known@example.com' AND status = 'pending'", &["/invitations?paginated=true&query=known@example.com&status=pending", "/invitations?paginated=true&query=known@example.com&status=pending"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE invitation_id = 'inv_known'", &["/invitations?offset=10&paginated=true", "/invitations?offset=3&paginated=true&status=revoked", "/invitations?paginated=true", "/invitations?paginated=true&status=revoked"]),
            ("SELECT invitation_id, status FROM clerk.invitations WHERE created_at > '2024-03-10Z'", &["/invitations?offset=10&paginated=true", "/invitations?offset=3&paginated=true&status=revoked", "/invitations?paginated=true", "/invitations?paginated=true&status=revoked"]),
            ("SELECT created_at FROM clerk.invitations ORDER BY created_at DESC LIMIT 3", &["/invitations?offset=10&paginated=true", "/invitations?offset=3&paginated=true&status=revoked", "/invitations?paginated=true", "/invitations?paginated=true&status=revoked"]),
            ("SELECT count(*) FROM clerk.invitations", &["/invitations?offset=10&paginated=true", "/invitations?offset=3&paginated=true&status=revoked", "/invitations?paginated=true", "/invitations?paginated=true&status=revoked"]),
            ("SELECT 1 FROM clerk.invitations LIMIT 2", &["/invitations?limit=2&paginated=true"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries", &["/waitlist_entries"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries WHERE status = 'invited'", &["/waitlist_entries?status=invited"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries WHERE status = 'unheard of'", &["/waitlist_entries"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries WHERE email_address = 'known@example.com'", &["/waitlist_entries?query=known@example.com"]),
            ("SELECT waitlist_entry_id, status FROM clerk.waitlist_entries WHERE waitlist_entry_id = 'x'", &["/waitlist_entries"]),
            ("SELECT created_at FROM clerk.waitlist_entries ORDER BY created_at DESC LIMIT 3", &["/waitlist_entries?limit=3&order_by=-created_at"]),
            ("SELECT count(*) FROM clerk.waitlist_entries", &["/waitlist_entries?limit=1"]),
            ("SELECT 1 FROM clerk.waitlist_entries LIMIT 2", &["/waitlist_entries?limit=2"]),
            ("SELECT allowlist_identifier_id FROM clerk.allowlist_identifiers", &["/allowlist_identifiers?offset=15&paginated=true", "/allowlist_identifiers?paginated=true"]),
            ("SELECT allowlist_identifier_id FROM clerk.allowlist_identifiers WHERE identifier = 'known@example.com'", &["/allowlist_identifiers?offset=15&paginated=true", "/allowlist_identifiers?paginated=true"]),
            ("SELECT allowlist_identifier_id FROM clerk.allowlist_identifiers WHERE allowlist_identifier_id = 'x'", &["/allowlist_identifiers?offset=15&paginated=true", "/allowlist_identifiers?paginated=true"]),
            ("SELECT count(*) FROM clerk.allowlist_identifiers", &["/allowlist_identifiers?offset=15&paginated=true", "/allowlist_identifiers?paginated=true"]),
            ("SELECT 1 FROM clerk.allowlist_identifiers LIMIT 2", &["/allowlist_identifiers?limit=2&paginated=true"]),
            ("SELECT blocklist_identifier_id FROM clerk.blocklist_identifiers", &["/blocklist_identifiers"]),
            ("SELECT blocklist_identifier_id FROM clerk.blocklist_identifiers WHERE identifier = 'known@example.com'", &["/blocklist_identifiers"]),
            ("SELECT blocklist_identifier_id FROM clerk.blocklist_identifiers WHERE blocklist_identifier_id = 'x'", &["/blocklist_identifiers"]),
            ("SELECT count(*) FROM clerk.blocklist_identifiers", &["/blocklist_identifiers"]),
            ("SELECT 1 FROM clerk.blocklist_identifiers LIMIT 2", &["/blocklist_identifiers"]),
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
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations", &["/organization_invitations"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id = 'org_acme'", &["/organizations/org_acme/invitations"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id IN ('org_acme', 'org_zoo')", &["/organizations/org_acme/invitations", "/organizations/org_zoo/invitations"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id = 'org_x'", &["/organizations/org_x", "/organizations/org_x/invitations"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id = 'org_acme' AND status = 'pending'", &["/organizations/org_acme/invitations?status=pending"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_id = 'org_acme' AND email_address = 'known@example.com'", &["/organizations/org_acme/invitations?email_address=known@example.com"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE status = 'revoked'", &["/organization_invitations?status=revoked"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE email_address = 'known@example.com'", &["/organization_invitations?query=known@example.com"]),
            ("SELECT organization_invitation_id, organization_id, status FROM clerk.organization_invitations WHERE organization_invitation_id = 'x'", &["/organization_invitations"]),
            ("SELECT created_at FROM clerk.organization_invitations ORDER BY created_at DESC LIMIT 3", &["/organization_invitations?limit=3&order_by=-created_at"]),
            ("SELECT count(*) FROM clerk.organization_invitations", &["/organization_invitations?limit=1"]),
            ("SELECT 1 FROM clerk.organization_invitations LIMIT 2", &["/organization_invitations?limit=2"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains", &["/organization_domains"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_id = 'org_acme'", &["/organization_domains?organization_id=org_acme"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_id IN ('org_acme', 'org_zoo')", &["/organization_domains?organization_id=org_acme", "/organization_domains?organization_id=org_zoo"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_id = 'org_x'", &["/organization_domains?organization_id=org_x"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_id = 'org_acme' AND name = 'known.example.com'", &["/organization_domains?domains=known.example.com&organization_id=org_acme"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE name = 'known.example.com'", &["/organization_domains?domains=known.example.com"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE name IN ('known.example.com', 'other.example.com')", &["/organization_domains?domains=known.example.com&domains=other.example.com"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE name LIKE '%known%'", &["/organization_domains?query=known"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE enrollment_mode = 'enterprise_sso'", &["/organization_domains?enrollment_mode=enterprise_sso"]),
            ("SELECT organization_domain_id, organization_id, name FROM clerk.organization_domains WHERE organization_domain_id = 'x'", &["/organization_domains"]),
            ("SELECT created_at FROM clerk.organization_domains ORDER BY created_at DESC LIMIT 3", &["/organization_domains?limit=3&order_by=-created_at"]),
            ("SELECT count(*) FROM clerk.organization_domains", &["/organization_domains?limit=1"]),
            ("SELECT 1 FROM clerk.organization_domains LIMIT 2", &["/organization_domains?limit=2"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles", &["/organization_roles"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE organization_role_id = 'role_known'", &["/organization_roles/role_known"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE key = 'org:known'", &["/organization_roles?query=org:known"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE name = 'Known'", &["/organization_roles?query=Known"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE key LIKE '%know%'", &["/organization_roles?query=know"]),
            ("SELECT organization_role_id, key FROM clerk.organization_roles WHERE organization_role_id = 'x'", &["/organization_roles/x"]),
            ("SELECT created_at FROM clerk.organization_roles ORDER BY created_at DESC LIMIT 3", &["/organization_roles?limit=3&order_by=-created_at"]),
            ("SELECT count(*) FROM clerk.organization_roles", &["/organization_roles?limit=1"]),
            ("SELECT 1 FROM clerk.organization_roles LIMIT 2", &["/organization_roles?limit=2"]),
            ("SELECT organization_permission_id, key FROM clerk.organization_permissions", &["/organization_permissions"]),
            ("SELECT organization_permission_id, key FROM clerk.organization_permissions WHERE organization_permission_id = 'perm_known'", &["/organization_permissions/perm_known"]),
            ("SELECT organization_permission_id, key FROM clerk.organization_permissions WHERE key = 'org:known:read'", &["/organization_permissions?query=org:known:read"]),
            ("SELECT organization_permission_id, key FROM clerk.organization_permissions WHERE name LIKE 'Known%'", &["/organization_permissions?query=Known"]),
            ("SELECT created_at FROM clerk.organization_permissions ORDER BY created_at DESC LIMIT 3", &["/organization_permissions?limit=3&order_by=-created_at"]),
            ("SELECT count(*) FROM clerk.organization_permissions", &["/organization_permissions?limit=1"]),
            ("SELECT 1 FROM clerk.organization_permissions LIMIT 2", &["/organization_permissions?limit=2"]),
            ("SELECT role_set_id, key FROM clerk.role_sets", &["/role_sets"]),
            ("SELECT role_set_id, key FROM clerk.role_sets WHERE role_set_id = 'rset_known'", &["/role_sets/rset_known"]),
            ("SELECT role_set_id, key FROM clerk.role_sets WHERE key = 'role_set:known'", &["/role_sets/role_set:known"]),
            ("SELECT role_set_id, key FROM clerk.role_sets WHERE name = 'Known'", &["/role_sets?query=Known"]),
            ("SELECT role_set_id, key FROM clerk.role_sets WHERE role_set_id = 'x'", &["/role_sets/x"]),
            ("SELECT created_at FROM clerk.role_sets ORDER BY created_at DESC LIMIT 3", &["/role_sets?limit=3&order_by=-created_at"]),
            ("SELECT count(*) FROM clerk.role_sets", &["/role_sets?limit=1"]),
            ("SELECT 1 FROM clerk.role_sets LIMIT 2", &["/role_sets?limit=2"]),
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
            ("SELECT instance_id FROM clerk.instance", &["/instance"]),
            ("SELECT instance_id FROM clerk.instance WHERE instance_id = 'x'", &["/instance"]),
            ("SELECT count(*) FROM clerk.instance", &["/instance"]),
            ("SELECT 1 FROM clerk.instance LIMIT 2", &["/instance"]),
            ("SELECT organization_settings_id FROM clerk.organization_settings", &["/instance/organization_settings"]),
            (
                "SELECT organization_settings_id FROM clerk.organization_settings WHERE enabled",
                &["/instance/organization_settings"],
            ),
            ("SELECT count(*) FROM clerk.organization_settings", &["/instance/organization_settings"]),
            ("SELECT 1 FROM clerk.organization_settings LIMIT 2", &["/instance/organization_settings"]),
            ("SELECT domain_id FROM clerk.domains", &["/domains"]),
            ("SELECT domain_id FROM clerk.domains WHERE name = 'known.example.com'", &["/domains"]),
            ("SELECT domain_id FROM clerk.domains WHERE domain_id = 'x'", &["/domains"]),
            ("SELECT domain_id FROM clerk.domains LIMIT 1", &["/domains"]),
            ("SELECT count(*) FROM clerk.domains", &["/domains"]),
            ("SELECT 1 FROM clerk.domains LIMIT 2", &["/domains"]),
            (
                "SELECT redirect_url_id FROM clerk.redirect_urls",
                &["/redirect_urls?offset=15&paginated=true", "/redirect_urls?paginated=true"],
            ),
            (
                "SELECT redirect_url_id FROM clerk.redirect_urls WHERE redirect_url_id = 'ru_known'",
                &["/redirect_urls/ru_known"],
            ),
            (
                "SELECT redirect_url_id FROM clerk.redirect_urls WHERE url = 'https://known.example.com'",
                &["/redirect_urls?offset=15&paginated=true", "/redirect_urls?paginated=true"],
            ),
            ("SELECT redirect_url_id FROM clerk.redirect_urls WHERE redirect_url_id = 'x'", &["/redirect_urls/x"]),
            (
                "SELECT count(*) FROM clerk.redirect_urls",
                &["/redirect_urls?offset=15&paginated=true", "/redirect_urls?paginated=true"],
            ),
            ("SELECT 1 FROM clerk.redirect_urls LIMIT 2", &["/redirect_urls?limit=2&paginated=true"]),
            (
                "SELECT jwt_template_id FROM clerk.jwt_templates",
                &["/jwt_templates?offset=4&paginated=true", "/jwt_templates?paginated=true"],
            ),
            (
                "SELECT jwt_template_id FROM clerk.jwt_templates WHERE jwt_template_id = 'jtmp_known'",
                &["/jwt_templates/jtmp_known"],
            ),
            (
                "SELECT jwt_template_id FROM clerk.jwt_templates WHERE name = 'known'",
                &["/jwt_templates?offset=4&paginated=true", "/jwt_templates?paginated=true"],
            ),
            (
                "SELECT count(*) FROM clerk.jwt_templates",
                &["/jwt_templates?offset=4&paginated=true", "/jwt_templates?paginated=true"],
            ),
            ("SELECT 1 FROM clerk.jwt_templates LIMIT 2", &["/jwt_templates?limit=2&paginated=true"]),
            ("SELECT oauth_application_id FROM clerk.oauth_applications", &["/oauth_applications"]),
            (
                "SELECT oauth_application_id FROM clerk.oauth_applications WHERE oauth_application_id = 'oa_known'",
                &["/oauth_applications/oa_known"],
            ),
            (
                "SELECT oauth_application_id FROM clerk.oauth_applications WHERE name = 'Known'",
                &["/oauth_applications?name_query=Known"],
            ),
            (
                "SELECT oauth_application_id FROM clerk.oauth_applications WHERE client_id = 'known'",
                &["/oauth_applications?name_query=known"],
            ),
            (
                "SELECT oauth_application_id FROM clerk.oauth_applications WHERE name LIKE '%Known%'",
                &["/oauth_applications?name_query=Known"],
            ),
            (
                "SELECT created_at FROM clerk.oauth_applications ORDER BY created_at DESC LIMIT 3",
                &["/oauth_applications?limit=3&order_by=-created_at"],
            ),
            ("SELECT count(*) FROM clerk.oauth_applications", &["/oauth_applications?limit=1"]),
            ("SELECT 1 FROM clerk.oauth_applications LIMIT 2", &["/oauth_applications?limit=2"]),
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
            ("SELECT saml_connection_id FROM clerk.saml_connections", &["/saml_connections"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE saml_connection_id = 'samlc_known'", &["/saml_connections/samlc_known"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE organization_id = 'org_acme'", &["/saml_connections?organization_id=org_acme"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE organization_id IN ('org_acme', 'org_zoo')", &["/saml_connections?organization_id=org_acme&organization_id=org_zoo"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE name = 'Known'", &["/saml_connections?query=Known"]),
            ("SELECT saml_connection_id FROM clerk.saml_connections WHERE active", &["/saml_connections"]),
            ("SELECT created_at FROM clerk.saml_connections ORDER BY created_at DESC LIMIT 3", &["/saml_connections?limit=3&order_by=-created_at"]),
            ("SELECT count(*) FROM clerk.saml_connections", &["/saml_connections?limit=1"]),
            ("SELECT 1 FROM clerk.saml_connections LIMIT 2", &["/saml_connections?limit=2"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections", &["/enterprise_connections"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections WHERE enterprise_connection_id = 'entc_known'", &["/enterprise_connections/entc_known"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections WHERE organization_id = 'org_acme'", &["/enterprise_connections?organization_id=org_acme"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections WHERE organization_id = 'org_acme' AND active", &["/enterprise_connections?active=true&organization_id=org_acme"]),
            ("SELECT enterprise_connection_id FROM clerk.enterprise_connections WHERE NOT active", &["/enterprise_connections?active=false"]),
            ("SELECT count(*) FROM clerk.enterprise_connections", &["/enterprise_connections?limit=1"]),
            ("SELECT 1 FROM clerk.enterprise_connections LIMIT 2", &["/enterprise_connections?limit=2"]),
            ("SELECT directory_id FROM clerk.directories", &["/directories"]),
            ("SELECT directory_id FROM clerk.directories WHERE directory_id = 'dir_known'", &["/directories/dir_known"]),
            ("SELECT directory_id FROM clerk.directories WHERE enabled", &["/directories"]),
            ("SELECT directory_id FROM clerk.directories WHERE directory_id = 'x'", &["/directories/x"]),
            ("SELECT count(*) FROM clerk.directories", &["/directories?limit=1"]),
            ("SELECT 1 FROM clerk.directories LIMIT 2", &["/directories?limit=2"]),
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
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE user_id = 'user_ada'",
                &["/sessions?offset=1&paginated=true&user_id=user_ada", "/sessions?paginated=true&user_id=user_ada"],
            ),
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE user_id IN ('user_ada', 'user_bob')",
                &[
                    "/sessions?offset=1&paginated=true&user_id=user_ada",
                    "/sessions?paginated=true&user_id=user_ada",
                    "/sessions?paginated=true&user_id=user_bob",
                    "/sessions?paginated=true&user_id=user_bob",
                ],
            ),
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE user_id = 'user_ada' AND status = 'active'",
                &[
                    "/sessions?paginated=true&status=active&user_id=user_ada",
                    "/sessions?paginated=true&status=active&user_id=user_ada",
                ],
            ),
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE user_id = 'user_ada' AND status = 'pending'",
                &["/sessions?offset=1&paginated=true&user_id=user_ada", "/sessions?paginated=true&user_id=user_ada"],
            ),
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE client_id = 'client_known'",
                &["/sessions?client_id=client_known&paginated=true", "/sessions?client_id=client_known&paginated=true"],
            ),
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE session_id = 'sess_known'",
                &["/sessions/sess_known"],
            ),
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE session_id IN ('sess_known', 'x')",
                &["/sessions/sess_known", "/sessions/x"],
            ),
            (
                "SELECT session_id, user_id FROM clerk.sessions WHERE user_id = 'nobody'",
                &["/sessions?paginated=true&user_id=nobody", "/sessions?paginated=true&user_id=nobody"],
            ),
            (
                "SELECT count(*) FROM clerk.sessions WHERE user_id = 'user_ada'",
                &["/sessions?offset=1&paginated=true&user_id=user_ada", "/sessions?paginated=true&user_id=user_ada"],
            ),
            ("SELECT machine_id FROM clerk.machines", &["/machines"]),
            ("SELECT machine_id FROM clerk.machines WHERE machine_id = 'mch_known'", &["/machines/mch_known"]),
            ("SELECT machine_id FROM clerk.machines WHERE name = 'Known'", &["/machines?query=Known"]),
            ("SELECT machine_id FROM clerk.machines WHERE name LIKE 'Know%'", &["/machines?query=Know"]),
            (
                "SELECT created_at FROM clerk.machines ORDER BY created_at DESC LIMIT 3",
                &["/machines?limit=3&order_by=-created_at"],
            ),
            ("SELECT count(*) FROM clerk.machines", &["/machines?limit=1"]),
            ("SELECT 1 FROM clerk.machines LIMIT 2", &["/machines?limit=2"]),
            (
                "SELECT api_key_id, subject FROM clerk.api_keys WHERE subject = 'user_keykeykeykeykeykeykeykeykey'",
                &["/api_keys?include_invalid=true&limit=100&subject=user_keykeykeykeykeykeykeykeykey"],
            ),
            (
                "SELECT api_key_id, subject FROM clerk.api_keys WHERE subject IN ('user_keykeykeykeykeykeykeykeykey', 'org_keykeykeykeykeykeykeykeykey')",
                &[
                    "/api_keys?include_invalid=true&limit=100&subject=org_keykeykeykeykeykeykeykeykey",
                    "/api_keys?include_invalid=true&limit=100&subject=user_keykeykeykeykeykeykeykeykey",
                ],
            ),
            ("SELECT api_key_id, subject FROM clerk.api_keys WHERE api_key_id = 'ak_00000000000000000000000000000001'", &["/api_keys/ak_00000000000000000000000000000001"]),
            (
                "SELECT api_key_id, subject FROM clerk.api_keys WHERE subject = 'user_keykeykeykeykeykeykeykeykey' AND revoked",
                &["/api_keys?include_invalid=true&limit=100&subject=user_keykeykeykeykeykeykeykeykey"],
            ),
            (
                "SELECT api_key_id, subject FROM clerk.api_keys WHERE subject = 'nobody'",
                NOTHING,
            ),
            (
                "SELECT count(*) FROM clerk.api_keys WHERE subject = 'user_keykeykeykeykeykeykeykeykey'",
                &["/api_keys?include_invalid=true&limit=1&subject=user_keykeykeykeykeykeykeykeykey"],
            ),
            (
                "SELECT m2m_token_id, subject FROM clerk.m2m_tokens WHERE subject = 'mch_keykeykeykeykeykeykeykeykey'",
                &["/m2m_tokens?expired=true&limit=100&revoked=true&subject=mch_keykeykeykeykeykeykeykeykey"],
            ),
            (
                "SELECT m2m_token_id, subject FROM clerk.m2m_tokens WHERE subject = 'mch_keykeykeykeykeykeykeykeykey' AND NOT revoked",
                &["/m2m_tokens?expired=true&limit=100&revoked=true&subject=mch_keykeykeykeykeykeykeykeykey"],
            ),
            (
                "SELECT m2m_token_id, subject FROM clerk.m2m_tokens WHERE subject = 'nobody'",
                NOTHING,
            ),
            (
                "SELECT count(*) FROM clerk.m2m_tokens WHERE subject = 'mch_keykeykeykeykeykeykeykeykey'",
                &["/m2m_tokens?expired=true&limit=1&revoked=true&subject=mch_keykeykeykeykeykeykeykeykey"],
            ),
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
            ("SELECT billing_plan_id, for_payer_type FROM clerk.billing_plans", &["/billing/plans?paginated=true"]),
            ("SELECT billing_plan_id, for_payer_type FROM clerk.billing_plans WHERE for_payer_type = 'org'", &["/billing/plans?paginated=true&payer_type=org"]),
            ("SELECT billing_plan_id, for_payer_type FROM clerk.billing_plans WHERE slug = 'known'", &["/billing/plans?paginated=true"]),
            ("SELECT billing_plan_id, for_payer_type FROM clerk.billing_plans WHERE billing_plan_id = 'x'", &["/billing/plans?paginated=true"]),
            ("SELECT count(*) FROM clerk.billing_plans", &["/billing/plans?limit=1&paginated=true"]),
            ("SELECT 1 FROM clerk.billing_plans LIMIT 2", &["/billing/plans?limit=2&paginated=true"]),
            ("SELECT billing_price_id FROM clerk.billing_prices", &["/billing/prices?paginated=true"]),
            ("SELECT billing_price_id FROM clerk.billing_prices WHERE plan_id = 'cplan_known'", &["/billing/prices?paginated=true&plan_id=cplan_known"]),
            ("SELECT billing_price_id FROM clerk.billing_prices WHERE plan_id IN ('cplan_known', 'x')", &["/billing/prices?paginated=true&plan_id=cplan_known", "/billing/prices?paginated=true&plan_id=x"]),
            ("SELECT billing_price_id FROM clerk.billing_prices WHERE billing_price_id = 'x'", &["/billing/prices?paginated=true"]),
            ("SELECT count(*) FROM clerk.billing_prices", &["/billing/prices?limit=1&paginated=true"]),
            ("SELECT 1 FROM clerk.billing_prices LIMIT 2", &["/billing/prices?limit=2&paginated=true"]),
            ("SELECT billing_subscription_item_id FROM clerk.billing_subscription_items", &["/billing/subscription_items?include_free=true&paginated=true"]),
            ("SELECT billing_subscription_item_id FROM clerk.billing_subscription_items WHERE plan_id = 'cplan_known'", &["/billing/subscription_items?include_free=true&paginated=true&plan_id=cplan_known"]),
            ("SELECT billing_subscription_item_id FROM clerk.billing_subscription_items WHERE status = 'active'", &["/billing/subscription_items?include_free=true&paginated=true"]),
            ("SELECT count(*) FROM clerk.billing_subscription_items", &["/billing/subscription_items?include_free=true&limit=1&paginated=true"]),
            ("SELECT 1 FROM clerk.billing_subscription_items LIMIT 2", &["/billing/subscription_items?include_free=true&limit=2&paginated=true"]),
            ("SELECT billing_statement_id FROM clerk.billing_statements", &["/billing/statements?paginated=true"]),
            ("SELECT billing_statement_id FROM clerk.billing_statements WHERE billing_statement_id = 'cstmt_known'", &["/billing/statements/cstmt_known"]),
            ("SELECT billing_statement_id FROM clerk.billing_statements WHERE status = 'open'", &["/billing/statements?paginated=true"]),
            ("SELECT count(*) FROM clerk.billing_statements", &["/billing/statements?limit=1&paginated=true"]),
            ("SELECT 1 FROM clerk.billing_statements LIMIT 2", &["/billing/statements?limit=2&paginated=true"]),
            ("SELECT billing_payment_attempt_id, statement_id FROM clerk.billing_payment_attempts WHERE statement_id = 'cstmt_known'", &["/billing/statements/cstmt_known/payment_attempts?paginated=true"]),
            ("SELECT billing_payment_attempt_id, statement_id FROM clerk.billing_payment_attempts WHERE statement_id IN ('cstmt_known', 'cstmt_x')", &["/billing/statements/cstmt_known/payment_attempts?paginated=true", "/billing/statements/cstmt_x", "/billing/statements/cstmt_x/payment_attempts?paginated=true"]),
            ("SELECT billing_payment_attempt_id, statement_id FROM clerk.billing_payment_attempts WHERE statement_id = 'cstmt_known' AND status = 'paid'", &["/billing/statements/cstmt_known/payment_attempts?paginated=true"]),
            ("SELECT count(*) FROM clerk.billing_payment_attempts WHERE statement_id = 'cstmt_known'", &["/billing/statements/cstmt_known/payment_attempts?limit=1&paginated=true"]),
            ("SELECT user_billing_subscription_id, user_id FROM clerk.user_billing_subscriptions WHERE user_id = 'user_ada'", &["/users/user_ada/billing/subscription"]),
            ("SELECT user_billing_subscription_id, user_id FROM clerk.user_billing_subscriptions WHERE user_id IN ('user_ada', 'user_bob')", &["/users/user_ada/billing/subscription", "/users/user_bob/billing/subscription"]),
            ("SELECT user_billing_subscription_id, user_id FROM clerk.user_billing_subscriptions WHERE user_id = 'nobody'", &["/users/nobody/billing/subscription"]),
            ("SELECT count(*) FROM clerk.user_billing_subscriptions WHERE user_id = 'user_ada'", &["/users/user_ada/billing/subscription"]),
            ("SELECT organization_billing_subscription_id, organization_id FROM clerk.organization_billing_subscriptions WHERE organization_id = 'org_acme'", &["/organizations/org_acme/billing/subscription"]),
            ("SELECT organization_billing_subscription_id, organization_id FROM clerk.organization_billing_subscriptions WHERE organization_id IN ('org_acme', 'org_zoo')", &["/organizations/org_acme/billing/subscription", "/organizations/org_zoo/billing/subscription"]),
            ("SELECT count(*) FROM clerk.organization_billing_subscriptions WHERE organization_id = 'org_acme'", &["/organizations/org_acme/billing/subscription"]),
        ],
    );
}
