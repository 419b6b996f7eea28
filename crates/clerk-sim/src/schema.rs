//! The objects of Clerk's OpenAPI description, which are serialized as JSON.

use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
pub(crate) struct User<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) username: Option<&'a str>,
    pub(crate) first_name: Option<&'a str>,
    pub(crate) last_name: Option<&'a str>,
    pub(crate) locale: Option<&'a str>,
    pub(crate) image_url: &'a str,
    pub(crate) profile_image_url: &'a str,
    pub(crate) has_image: bool,
    pub(crate) primary_email_address_id: Option<&'a str>,
    pub(crate) primary_phone_number_id: Option<&'a str>,
    pub(crate) primary_web3_wallet_id: Option<&'a str>,
    pub(crate) password_enabled: bool,
    pub(crate) two_factor_enabled: bool,
    pub(crate) totp_enabled: bool,
    pub(crate) backup_code_enabled: bool,
    pub(crate) email_addresses: &'a [EmailAddress<'a>],
    pub(crate) phone_numbers: &'a [PhoneNumber<'a>],
    pub(crate) web3_wallets: &'a [Web3Wallet<'a>],
    pub(crate) passkeys: &'a [Passkey<'a>],
    pub(crate) external_accounts: &'a [ExternalAccount<'a>],
    pub(crate) saml_accounts: [(); 0],
    pub(crate) enterprise_accounts: [(); 0],
    pub(crate) password_last_updated_at: Option<i64>,
    pub(crate) public_metadata: &'a RawValue,
    pub(crate) private_metadata: Option<&'a RawValue>,
    pub(crate) unsafe_metadata: &'a RawValue,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) last_sign_in_at: Option<i64>,
    pub(crate) banned: bool,
    pub(crate) locked: bool,
    pub(crate) deprovisioned: bool,
    pub(crate) lockout_expires_in_seconds: Option<i64>,
    pub(crate) verification_attempts_remaining: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) delete_self_enabled: bool,
    pub(crate) bypass_client_trust: bool,
    pub(crate) create_organization_enabled: bool,
    pub(crate) create_organizations_limit: Option<i64>,
    pub(crate) last_active_at: Option<i64>,
    pub(crate) mfa_enabled_at: Option<i64>,
    pub(crate) mfa_disabled_at: Option<i64>,
    pub(crate) legal_accepted_at: Option<i64>,
}

impl<'a> User<'a> {
    /// A user with only an id and a time of creation.
    pub(crate) fn blank(id: &'a str, created_at: i64, empty: &'a RawValue) -> User<'a> {
        User {
            id,
            object: "user",
            username: None,
            first_name: None,
            last_name: None,
            locale: None,
            image_url: "",
            profile_image_url: "",
            has_image: false,
            primary_email_address_id: None,
            primary_phone_number_id: None,
            primary_web3_wallet_id: None,
            password_enabled: false,
            two_factor_enabled: false,
            totp_enabled: false,
            backup_code_enabled: false,
            email_addresses: &[],
            phone_numbers: &[],
            web3_wallets: &[],
            passkeys: &[],
            external_accounts: &[],
            saml_accounts: [],
            enterprise_accounts: [],
            password_last_updated_at: None,
            public_metadata: empty,
            private_metadata: Some(empty),
            unsafe_metadata: empty,
            external_id: None,
            last_sign_in_at: None,
            banned: false,
            locked: false,
            deprovisioned: false,
            lockout_expires_in_seconds: None,
            verification_attempts_remaining: Some(100),
            created_at,
            updated_at: created_at,
            delete_self_enabled: true,
            bypass_client_trust: false,
            create_organization_enabled: true,
            create_organizations_limit: None,
            last_active_at: None,
            mfa_enabled_at: None,
            mfa_disabled_at: None,
            legal_accepted_at: None,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct EmailAddress<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) email_address: &'a str,
    pub(crate) reserved: bool,
    pub(crate) verification: Option<Verification<'a>>,
    pub(crate) linked_to: &'a [Link<'a>],
    pub(crate) matches_sso_connection: bool,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Serialize)]
pub(crate) struct PhoneNumber<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) phone_number: &'a str,
    pub(crate) reserved_for_second_factor: bool,
    pub(crate) default_second_factor: bool,
    pub(crate) reserved: bool,
    pub(crate) verification: Option<Verification<'a>>,
    pub(crate) linked_to: [(); 0],
    pub(crate) backup_codes: Option<[(); 0]>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Serialize)]
pub(crate) struct Web3Wallet<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) web3_wallet: &'a str,
    pub(crate) verification: Option<Verification<'a>>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Serialize)]
pub(crate) struct Passkey<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) name: &'a str,
    pub(crate) last_used_at: i64,
    pub(crate) verification: Option<Verification<'a>>,
}

#[derive(Serialize)]
pub(crate) struct ExternalAccount<'a> {
    pub(crate) object: &'static str,
    pub(crate) id: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) identification_id: &'a str,
    pub(crate) provider_user_id: &'a str,
    pub(crate) approved_scopes: &'a str,
    pub(crate) email_address: &'a str,
    pub(crate) email_address_verified: Option<bool>,
    pub(crate) first_name: &'a str,
    pub(crate) last_name: &'a str,
    pub(crate) avatar_url: &'a str,
    pub(crate) image_url: Option<&'a str>,
    pub(crate) username: Option<&'a str>,
    pub(crate) phone_number: Option<&'a str>,
    pub(crate) public_metadata: &'a RawValue,
    pub(crate) label: Option<&'a str>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) verification: Option<Verification<'a>>,
}

/// How an address was verified. Clerk has several types for this, of which the fields that are used here are the same.
#[derive(Clone, Serialize)]
pub(crate) struct Verification<'a> {
    pub(crate) object: &'static str,
    pub(crate) status: &'static str,
    pub(crate) strategy: &'a str,
    pub(crate) attempts: Option<i64>,
    pub(crate) expire_at: Option<i64>,
}

/// Another identification with the same email address, such as a Google account.
#[derive(Serialize)]
pub(crate) struct Link<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Organization<'a> {
    pub(crate) object: &'static str,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) slug: &'a str,
    pub(crate) image_url: &'a str,
    pub(crate) has_image: bool,
    pub(crate) max_allowed_memberships: i64,
    pub(crate) admin_delete_enabled: bool,
    pub(crate) public_metadata: &'a RawValue,
    pub(crate) private_metadata: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<&'a str>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_active_at: Option<i64>,
    pub(crate) role_set_key: Option<&'a str>,
}

/// A membership without its organization and its user.
#[derive(Serialize)]
pub(crate) struct Membership<'a> {
    pub(crate) object: &'static str,
    pub(crate) id: &'a str,
    pub(crate) role: &'a str,
    pub(crate) role_name: &'a str,
    pub(crate) permissions: &'a [&'a str],
    pub(crate) public_metadata: &'a RawValue,
    pub(crate) private_metadata: &'a RawValue,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// The name and permissions of a role. The name of an unknown role is derived from its key.
pub(crate) fn role(key: &str) -> (String, &'static [&'static str]) {
    match key {
        "org:admin" => (
            "Admin".to_owned(),
            &[
                "org:sys_profile:manage",
                "org:sys_profile:delete",
                "org:sys_memberships:read",
                "org:sys_memberships:manage",
                "org:sys_domains:read",
                "org:sys_domains:manage",
                "org:sys_billing:read",
                "org:sys_billing:manage",
            ],
        ),
        "org:member" => ("Member".to_owned(), &["org:sys_memberships:read", "org:sys_billing:read"]),
        "org:billing_manager" => {
            ("Billing Manager".to_owned(), &["org:sys_billing:read", "org:sys_billing:manage", "org:invoices:export"])
        }
        other => (other.trim_start_matches("org:").replace('_', " "), &["org:sys_memberships:read"]),
    }
}
