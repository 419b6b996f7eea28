//! Of organizations and of who may come.

use super::Case;

pub const CASES: &[Case] = &[
    Case {
        object: "organizations",
        statements: &[
            (
                "INSERT INTO clerk.organizations (name, slug, created_by, max_allowed_memberships) VALUES ('Acme', 'acme', '{users}', 7) RETURNING organization_id",
                &[
                    r#"POST /organizations {"name":"Acme","slug":"acme","created_by":"{users}","max_allowed_memberships":7}"#,
                ],
            ),
            (
                r#"UPDATE clerk.organizations SET name = 'Acme & Co.', private_metadata = private_metadata || '{"y": "ü"}' WHERE slug = 'acme'"#,
                &[
                    "GET /organizations/acme?include_members_count=true&include_missing_member_with_elevated_permissions=true",
                    r#"PATCH /organizations/{organizations} {"name":"Acme & Co."}"#,
                    r#"PATCH /organizations/{organizations}/metadata {"private_metadata":{"y":"ü"}}"#,
                ],
            ),
            (
                "UPDATE clerk.organizations SET max_allowed_memberships = max_allowed_memberships + 1 WHERE organization_id = '{organizations}'",
                &[
                    "GET /organizations/{organizations}?include_members_count=true&include_missing_member_with_elevated_permissions=true",
                    r#"PATCH /organizations/{organizations} {"max_allowed_memberships":8}"#,
                ],
            ),
            (
                "DELETE FROM clerk.organizations WHERE slug = 'acme'",
                &[
                    "GET /organizations/acme?include_members_count=true&include_missing_member_with_elevated_permissions=true",
                    "DELETE /organizations/{organizations}",
                ],
            ),
            (
                "INSERT INTO clerk.organizations (name, slug) VALUES ('Mill', 'mill') RETURNING organization_id",
                &[r#"POST /organizations {"name":"Mill","slug":"mill"}"#],
            ),
        ],
    },
    Case {
        object: "organization_memberships",
        statements: &[
            (
                "INSERT INTO clerk.organization_memberships (organization_id, user_id, role) VALUES ('{organizations}', '{users}', 'org:member') RETURNING membership_id",
                &[r#"POST /organizations/{organizations}/memberships {"user_id":"{users}","role":"org:member"}"#],
            ),
            (
                r#"UPDATE clerk.organization_memberships SET role = 'org:admin', public_metadata = '{"a": 1}' WHERE organization_id = '{organizations}' AND user_id = '{users}'"#,
                &[
                    "GET /organizations/{organizations}/memberships?user_id={users}&order_by=created_at&limit=500",
                    r#"PATCH /organizations/{organizations}/memberships/{users} {"role":"org:admin"}"#,
                    r#"PATCH /organizations/{organizations}/memberships/{users}/metadata {"public_metadata":{"a":1}}"#,
                ],
            ),
            (
                "DELETE FROM clerk.organization_memberships WHERE organization_id = '{organizations}' AND user_id = '{users}'",
                &[
                    "GET /organizations/{organizations}/memberships?user_id={users}&order_by=created_at&limit=500",
                    "DELETE /organizations/{organizations}/memberships/{users}",
                ],
            ),
        ],
    },
    Case {
        object: "invitations",
        statements: &[
            (
                r#"INSERT INTO clerk.invitations (email_address, public_metadata, attrs) VALUES ('new@example.com', '{"a": 1}', '{"expires_in_days": 3, "notify": false}') RETURNING invitation_id"#,
                &[
                    r#"POST /invitations {"expires_in_days":3,"notify":false,"email_address":"new@example.com","public_metadata":{"a": 1}}"#,
                ],
            ),
            (
                "INSERT INTO clerk.invitations (email_address) VALUES ('new1@example.com'), ('new2@example.com')",
                &[
                    r#"POST /invitations/bulk [{"email_address":"new1@example.com"},{"email_address":"new2@example.com"}]"#,
                ],
            ),
            (
                "DELETE FROM clerk.invitations WHERE invitation_id = '{invitations}'",
                &[
                    "GET /invitations?paginated=true&order_by=created_at&limit=500",
                    "GET /invitations?paginated=true&order_by=created_at&limit=500&offset=4",
                    "GET /invitations?paginated=true&status=revoked&order_by=created_at&limit=500",
                    "GET /invitations?paginated=true&status=revoked&order_by=created_at&limit=500",
                    "POST /invitations/{invitations}/revoke",
                ],
            ),
        ],
    },
    Case {
        object: "organization_invitations",
        statements: &[
            (
                "INSERT INTO clerk.organization_invitations (organization_id, email_address, role) VALUES ('{organizations}', 'new@example.com', 'org:member') RETURNING organization_invitation_id",
                &[
                    r#"POST /organizations/{organizations}/invitations {"email_address":"new@example.com","role":"org:member"}"#,
                ],
            ),
            (
                "INSERT INTO clerk.organization_invitations (organization_id, email_address, role) VALUES ('{organizations}', 'new1@example.com', 'org:member'), ('{organizations}', 'new2@example.com', 'org:admin')",
                &[
                    r#"POST /organizations/{organizations}/invitations/bulk [{"email_address":"new1@example.com","role":"org:member"},{"email_address":"new2@example.com","role":"org:admin"}]"#,
                ],
            ),
            (
                "DELETE FROM clerk.organization_invitations WHERE organization_id = '{organizations}' AND organization_invitation_id = '{organization_invitations}'",
                &[
                    "GET /organizations/{organizations}/invitations?order_by=created_at&limit=500",
                    "POST /organizations/{organizations}/invitations/{organization_invitations}/revoke",
                ],
            ),
        ],
    },
    Case {
        object: "organization_domains",
        statements: &[
            (
                "INSERT INTO clerk.organization_domains (organization_id, name, enrollment_mode) VALUES ('{organizations}', 'mill.example.com', 'manual_invitation') RETURNING organization_domain_id",
                &[
                    r#"POST /organizations/{organizations}/domains {"name":"mill.example.com","enrollment_mode":"manual_invitation"}"#,
                ],
            ),
            (
                "UPDATE clerk.organization_domains SET enrollment_mode = 'automatic_suggestion' WHERE organization_id = '{organizations}' AND organization_domain_id = '{organization_domains}'",
                &[
                    "GET /organization_domains?organization_id={organizations}&order_by=created_at&limit=500",
                    r#"PATCH /organizations/{organizations}/domains/{organization_domains} {"enrollment_mode":"automatic_suggestion"}"#,
                ],
            ),
            (
                "DELETE FROM clerk.organization_domains WHERE organization_id = '{organizations}' AND organization_domain_id = '{organization_domains}'",
                &[
                    "GET /organization_domains?organization_id={organizations}&order_by=created_at&limit=500",
                    "DELETE /organizations/{organizations}/domains/{organization_domains}",
                ],
            ),
        ],
    },
    Case {
        object: "organization_permissions",
        statements: &[
            (
                "INSERT INTO clerk.organization_permissions (name, key, description) VALUES ('Read mills', 'org:mills:read', 'Reads') RETURNING organization_permission_id",
                &[
                    r#"POST /organization_permissions {"name":"Read mills","key":"org:mills:read","description":"Reads"}"#,
                ],
            ),
            (
                "UPDATE clerk.organization_permissions SET name = 'See mills' WHERE organization_permission_id = '{organization_permissions}'",
                &[
                    "GET /organization_permissions/{organization_permissions}",
                    r#"PATCH /organization_permissions/{organization_permissions} {"name":"See mills"}"#,
                ],
            ),
            (
                "DELETE FROM clerk.organization_permissions WHERE organization_permission_id = '{organization_permissions}'",
                &[
                    "GET /organization_permissions/{organization_permissions}",
                    "DELETE /organization_permissions/{organization_permissions}",
                ],
            ),
        ],
    },
    Case {
        object: "organization_roles",
        statements: &[
            (
                "INSERT INTO clerk.organization_roles (name, key) VALUES ('Miller', 'org:miller') RETURNING organization_role_id",
                &[r#"POST /organization_roles {"name":"Miller","key":"org:miller"}"#],
            ),
            (
                "UPDATE clerk.organization_roles SET description = 'Mills' WHERE organization_role_id = '{organization_roles}'",
                &[
                    "GET /organization_roles/{organization_roles}",
                    r#"PATCH /organization_roles/{organization_roles} {"description":"Mills"}"#,
                ],
            ),
            (
                "DELETE FROM clerk.organization_roles WHERE organization_role_id = '{organization_roles}'",
                &["GET /organization_roles/{organization_roles}", "DELETE /organization_roles/{organization_roles}"],
            ),
        ],
    },
    Case {
        object: "role_sets",
        statements: &[
            (
                r#"INSERT INTO clerk.role_sets (name, key, roles, attrs) VALUES ('Sales', 'role_set:sales', '["org:admin", "org:member"]', '{"default_role_key": "org:member", "creator_role_key": "org:admin"}') RETURNING role_set_id"#,
                &[
                    r#"POST /role_sets {"creator_role_key":"org:admin","default_role_key":"org:member","name":"Sales","key":"role_set:sales","roles":["org:admin", "org:member"]}"#,
                ],
            ),
            (
                "UPDATE clerk.role_sets SET description = 'For sales' WHERE role_set_id = '{role_sets}'",
                &["GET /role_sets/{role_sets}", r#"PATCH /role_sets/{role_sets} {"description":"For sales"}"#],
            ),
        ],
    },
    Case {
        object: "sessions",
        statements: &[
            (
                "INSERT INTO clerk.sessions (user_id) VALUES ('{users}') RETURNING session_id",
                &[r#"POST /sessions {"user_id":"{users}"}"#],
            ),
            (
                "UPDATE clerk.sessions SET status = 'revoked' WHERE session_id = '{sessions}'",
                &["GET /sessions/{sessions}", "POST /sessions/{sessions}/revoke"],
            ),
            (
                "INSERT INTO clerk.sessions (user_id) VALUES ('{users}') RETURNING session_id",
                &[r#"POST /sessions {"user_id":"{users}"}"#],
            ),
            (
                "DELETE FROM clerk.sessions WHERE session_id = '{sessions}'",
                &["GET /sessions/{sessions}", "POST /sessions/{sessions}/revoke"],
            ),
        ],
    },
    Case {
        object: "waitlist_entries",
        statements: &[
            (
                "INSERT INTO clerk.waitlist_entries (email_address) VALUES ('wait@example.com') RETURNING waitlist_entry_id",
                &[r#"POST /waitlist_entries {"email_address":"wait@example.com"}"#],
            ),
            (
                "INSERT INTO clerk.waitlist_entries (email_address) VALUES ('wait1@example.com'), ('wait2@example.com')",
                &[
                    r#"POST /waitlist_entries/bulk [{"email_address":"wait1@example.com"},{"email_address":"wait2@example.com"}]"#,
                ],
            ),
            (
                "UPDATE clerk.waitlist_entries SET status = 'rejected' WHERE waitlist_entry_id = '{waitlist_entries}'",
                &[
                    "GET /waitlist_entries?order_by=created_at&limit=500",
                    "POST /waitlist_entries/{waitlist_entries}/reject",
                ],
            ),
            (
                "INSERT INTO clerk.waitlist_entries (email_address) VALUES ('wait3@example.com') RETURNING waitlist_entry_id",
                &[r#"POST /waitlist_entries {"email_address":"wait3@example.com"}"#],
            ),
            (
                "UPDATE clerk.waitlist_entries SET status = 'invited' WHERE waitlist_entry_id = '{waitlist_entries}'",
                &[
                    "GET /waitlist_entries?order_by=created_at&limit=500",
                    "POST /waitlist_entries/{waitlist_entries}/invite",
                ],
            ),
            (
                "INSERT INTO clerk.waitlist_entries (email_address) VALUES ('wait4@example.com') RETURNING waitlist_entry_id",
                &[r#"POST /waitlist_entries {"email_address":"wait4@example.com"}"#],
            ),
            (
                "DELETE FROM clerk.waitlist_entries WHERE waitlist_entry_id = '{waitlist_entries}'",
                &["GET /waitlist_entries?order_by=created_at&limit=500", "DELETE /waitlist_entries/{waitlist_entries}"],
            ),
        ],
    },
];
