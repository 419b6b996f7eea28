//! Of users and what they have.

use super::Case;

pub const CASES: &[Case] = &[
    Case {
        object: "users",
        statements: &[
            (
                r#"INSERT INTO clerk.users (first_name, email, created_at, public_metadata, attrs) VALUES ('Ada', 'ada@example.com', '2024-03-10 12:00Z', '{"a": {"b": 1.50}, "c": 1}', '{"password": "correct horse", "first_name": "nobody"}') RETURNING user_id"#,
                &[
                    r#"POST /users {"password":"***","first_name":"Ada","email_address":["ada@example.com"],"created_at":"2024-03-10T12:00:00.000Z","public_metadata":{"a": {"b": 1.50}, "c": 1}}"#,
                ],
            ),
            (
                "UPDATE clerk.users SET last_name = 'Lovelace' WHERE user_id = '{users}'",
                &["GET /users/{users}", r#"PATCH /users/{users} {"last_name":"Lovelace"}"#],
            ),
            (
                r#"UPDATE clerk.users SET attrs = '{"password": "battery staple", "locale": "de"}', first_name = NULL WHERE user_id = '{users}'"#,
                &["GET /users/{users}", r#"PATCH /users/{users} {"first_name":null,"locale":"de","password":"***"}"#],
            ),
            (
                r#"UPDATE clerk.users SET public_metadata = '{"a": {"b": 2}, "d": []}', username = 'ada', locked = true, banned = true WHERE user_id = '{users}'"#,
                &[
                    "GET /users/{users}",
                    r#"PATCH /users/{users} {"username":"ada"}"#,
                    r#"PATCH /users/{users}/metadata {"public_metadata":{"c":null,"a":{"b":2},"d":[]}}"#,
                    "POST /users/{users}/lock",
                    "POST /users/{users}/ban",
                ],
            ),
            (
                "UPDATE clerk.users SET locked = false, banned = false WHERE user_id = '{users}'",
                &["GET /users/{users}", "POST /users/{users}/unlock", "POST /users/{users}/unban"],
            ),
            ("UPDATE clerk.users SET last_name = last_name WHERE user_id = '{users}'", &["GET /users/{users}"]),
            ("DELETE FROM clerk.users WHERE user_id = '{users}'", &["GET /users/{users}", "DELETE /users/{users}"]),
            ("DELETE FROM clerk.users WHERE user_id = '{users}'", &["GET /users/{users}"]),
            ("SELECT user_id FROM clerk.users ORDER BY created_at LIMIT 1", &[]),
        ],
    },
    Case {
        object: "user_email_addresses",
        statements: &[
            (
                r#"INSERT INTO clerk.user_email_addresses (user_id, email_address, attrs) VALUES ('{users}', 'second@example.com', '{"verified": true}') RETURNING user_email_address_id"#,
                &[
                    r#"POST /email_addresses {"verified":true,"user_id":"{users}","email_address":"second@example.com"}"#,
                    "GET /users/{users}",
                ],
            ),
            (
                "UPDATE clerk.user_email_addresses SET is_primary = true WHERE email_address = 'second@example.com'",
                &[
                    "GET /users?email_address=second%40example.com&order_by=created_at&limit=500",
                    r#"PATCH /email_addresses/{user_email_addresses} {"primary":true}"#,
                ],
            ),
            (
                "INSERT INTO clerk.user_email_addresses (user_id, email_address) VALUES ('{users}', 'third@example.com') RETURNING user_email_address_id",
                &[
                    r#"POST /email_addresses {"user_id":"{users}","email_address":"third@example.com"}"#,
                    "GET /users/{users}",
                ],
            ),
            (
                "DELETE FROM clerk.user_email_addresses WHERE email_address = 'third@example.com'",
                &[
                    "GET /users?email_address=third%40example.com&order_by=created_at&limit=500",
                    "DELETE /email_addresses/{user_email_addresses}",
                ],
            ),
        ],
    },
    Case {
        object: "user_phone_numbers",
        statements: &[
            (
                "CREATE FOREIGN TABLE clerk.phones (user_phone_number_id text, user_id text, phone_number text, attrs jsonb) SERVER clerk OPTIONS (object 'user_phone_numbers')",
                &[],
            ),
            (
                r#"INSERT INTO clerk.phones (user_id, phone_number, attrs) VALUES ('{users}', '+12015550123', '{"verified": true}') RETURNING user_phone_number_id"#,
                &[
                    r#"POST /phone_numbers {"verified":true,"user_id":"{users}","phone_number":"+12015550123"}"#,
                    "GET /users/{users}",
                ],
            ),
            (
                "UPDATE clerk.user_phone_numbers SET reserved_for_second_factor = true WHERE phone_number = '+12015550123'",
                &[
                    "GET /users?phone_number=%2B12015550123&order_by=created_at&limit=500",
                    r#"PATCH /phone_numbers/{user_phone_numbers} {"reserved_for_second_factor":true}"#,
                ],
            ),
            (
                "DELETE FROM clerk.user_phone_numbers WHERE user_id = '{users}' AND phone_number = '+12015550123'",
                &["GET /users/{users}", "DELETE /phone_numbers/{user_phone_numbers}"],
            ),
        ],
    },
    Case {
        object: "user_external_accounts",
        statements: &[
            ("SELECT user_external_account_id FROM clerk.user_external_accounts WHERE user_id = 'user_parts'", &[]),
            (
                "DELETE FROM clerk.user_external_accounts WHERE user_id = 'user_parts'",
                &["GET /users/user_parts", "DELETE /users/user_parts/external_accounts/{user_external_accounts}"],
            ),
        ],
    },
    Case {
        object: "user_web3_wallets",
        statements: &[
            ("SELECT user_web3_wallet_id FROM clerk.user_web3_wallets WHERE user_id = 'user_parts'", &[]),
            (
                "DELETE FROM clerk.user_web3_wallets WHERE user_id = 'user_parts'",
                &["GET /users/user_parts", "DELETE /users/user_parts/web3_wallets/{user_web3_wallets}"],
            ),
        ],
    },
    Case {
        object: "user_passkeys",
        statements: &[
            ("SELECT user_passkey_id FROM clerk.user_passkeys WHERE user_id = 'user_parts'", &[]),
            (
                "DELETE FROM clerk.user_passkeys WHERE user_id = 'user_parts'",
                &["GET /users/user_parts", "DELETE /users/user_parts/passkeys/{user_passkeys}"],
            ),
        ],
    },
];
