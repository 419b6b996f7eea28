//! The objects of the catalogue: each file defines one [`Object`], and the list below is the only place that names them
//! all.

use super::Object;

macro_rules! objects {
    ($($file:ident),* $(,)?) => {
        $(mod $file;)*

        /// Every object that a foreign table can show, parents before their children. Tables are imported, mirrored and
        /// locked in this order.
        pub const OBJECTS: &[&Object] = &[$(&$file::OBJECT),*];
    };
}

objects! {
    users,
    organizations,
    organization_memberships,
    user_email_addresses,
    user_phone_numbers,
    user_external_accounts,
    user_web3_wallets,
    user_passkeys,
    invitations,
    organization_invitations,
    organization_domains,
    organization_roles,
    organization_permissions,
    role_sets,
    sessions,
    waitlist_entries,
    allowlist_identifiers,
    blocklist_identifiers,
    domains,
    redirect_urls,
    jwt_templates,
    oauth_applications,
    saml_connections,
    enterprise_connections,
    directories,
    machines,
    api_keys,
    m2m_tokens,
    instance,
    organization_settings,
    billing_plans,
    billing_prices,
    billing_subscription_items,
    billing_statements,
    billing_payment_attempts,
    user_billing_subscriptions,
    organization_billing_subscriptions,
}

/// The Clerk instance that a key belongs to.
pub const INSTANCE: &Object = &instance::OBJECT;
