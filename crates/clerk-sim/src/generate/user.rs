//! Generates users, of all the kinds that occur among real users.

use fake::rand::Rng;
use fake::rand::seq::IndexedRandom;
use serde_json::value::RawValue;

use super::name::{self, Person};
use super::{id, image, metadata, time};
use crate::object::User;
use crate::schema;

/// A user's email addresses, phone numbers, wallet and account, before they are written as JSON.
#[derive(Default)]
struct Identifications {
    emails: Vec<(String, String)>,
    phones: Vec<(String, String)>,
    wallet: Option<(String, String)>,
    account: Option<Account>,
}

struct Account {
    id: String,
    identification_id: String,
    /// Such as `google`.
    provider: &'static str,
    user_id: String,
    image_url: String,
}

/// The `index`-th user of the instance.
pub(super) fn user(random: &mut impl Rng, index: usize, created_at: i64, lone_surrogates: bool) -> User {
    let user_id = id::new("user_", random, created_at);
    let mut person = name::person(random);
    if index % 97 == 7 {
        person.last = format!("{} ", person.last).repeat(40).trim().to_owned();
    }
    let has_first = random.random_bool(0.86);
    let has_last = random.random_bool(0.82);
    let who = identifications(random, index, created_at, &person);
    let no_address = who.emails.is_empty() && who.phones.is_empty() && who.wallet.is_none();
    let username =
        (no_address || random.random_bool(0.45)).then(|| format!("{}_{index}", person.handle.replace('.', "_")));
    let external_id = random.random_bool(0.3).then(|| format!("ext-{:08}", index * 7 + 3));
    let locale = random.random_bool(0.5).then_some(person.locale);
    let image = image::url(random);

    let signed_in = (!random.random_bool(0.12)).then(|| time::since(random, created_at));
    // A session may be used for days after the sign-in.
    let active = signed_in.map(|time| time::day(random.random_range(time..time::END.min(time + 20 * time::DAY))));
    let updated_at = signed_in.map_or(created_at, |time| random.random_range(created_at..=time.max(created_at)));
    let password = random.random_bool(0.6);
    let totp = random.random_bool(0.06);
    let two_factor = totp || (!who.phones.is_empty() && random.random_bool(0.08));
    let locked = random.random_bool(0.01);
    let lock = (locked && random.random_bool(0.7)).then(|| random.random_range(1..3600));
    let attempts = if locked { 0 } else { random.random_range(90..=100) };

    let public = raw_text(metadata::public(random));
    let private = metadata::private(random).map(raw_text);
    let unsafe_ = raw_text(metadata::unsafe_(random, index, lone_surrogates));
    let empty = raw_text("{}".to_owned());
    let times = (created_at, updated_at);
    let links: Vec<schema::Link> = who
        .account
        .iter()
        .map(|account| schema::Link { kind: strategy(account.provider), id: &account.identification_id })
        .collect();
    let emails = emails(&who, &links, times);
    let phones = phones(&who, two_factor && !totp, times);
    let wallets = wallets(&who, times);
    let accounts = accounts(&who, &person, &empty, times);
    let passkey_id = id::new("idn_", random, created_at);
    let passkeys = [schema::Passkey {
        id: &passkey_id,
        object: "passkey",
        name: "Laptop",
        last_used_at: signed_in.unwrap_or(created_at),
        verification: Some(verified("verification_passkey", "passkey")),
    }];
    let has_passkey = signed_in.is_some() && random.random_bool(0.04);

    let user = schema::User {
        username: username.as_deref(),
        first_name: has_first.then_some(person.first.as_str()),
        last_name: has_last.then_some(person.last.as_str()),
        locale,
        image_url: &image,
        profile_image_url: &image,
        has_image: random.random_bool(0.4),
        // The last address is the primary one, so that code that takes the first address fails its tests.
        primary_email_address_id: who.emails.last().map(|(id, _)| id.as_str()),
        primary_phone_number_id: who.phones.last().map(|(id, _)| id.as_str()),
        primary_web3_wallet_id: who.wallet.as_ref().map(|(id, _)| id.as_str()),
        password_enabled: password,
        two_factor_enabled: two_factor,
        totp_enabled: totp,
        backup_code_enabled: totp,
        email_addresses: &emails,
        phone_numbers: &phones,
        web3_wallets: &wallets,
        passkeys: if has_passkey { &passkeys } else { &[] },
        external_accounts: &accounts,
        password_last_updated_at: password.then_some(created_at),
        public_metadata: &public,
        private_metadata: private.as_deref(),
        unsafe_metadata: &unsafe_,
        external_id: external_id.as_deref(),
        last_sign_in_at: signed_in,
        banned: random.random_bool(0.02),
        locked,
        lockout_expires_in_seconds: lock,
        verification_attempts_remaining: Some(attempts),
        updated_at,
        last_active_at: active,
        mfa_enabled_at: two_factor.then_some(updated_at),
        legal_accepted_at: random.random_bool(0.7).then_some(created_at),
        ..schema::User::blank(&user_id, created_at, &empty)
    };
    let json = serde_json::to_string(&user).expect("a made-up user can be written as JSON");
    User::read(json).expect("a made-up user has a user's fields")
}

/// Generated metadata as raw JSON.
pub(super) fn raw_text(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("made-up metadata is JSON")
}

fn identifications(random: &mut impl Rng, index: usize, created_at: i64, person: &Person) -> Identifications {
    let mut who = Identifications::default();
    let next_id = |random: &mut _| id::new("idn_", random, created_at);
    if random.random_bool(0.92) {
        let count = match random.random_range(0..20) {
            0 => 3,
            1..4 => 2,
            _ => 1,
        };
        for place in 0..count {
            let domain = ["example.com", "example.org", "example.net"].choose(random).unwrap_or(&"example.com");
            let handle = &person.handle;
            let address = match place {
                0 if index.is_multiple_of(50) => format!("{handle}+clerk{index}@{domain}"),
                0 => format!("{handle}{index}@{domain}"),
                _ => format!("{handle}.{index}.{place}@{domain}"),
            };
            who.emails.push((next_id(random), address));
        }
    }
    if random.random_bool(0.25) {
        who.phones.push((next_id(random), phone(index)));
    }
    if random.random_bool(0.02) {
        let address = format!("0x{:032x}{:08x}", random.random::<u128>(), index);
        who.wallet = Some((next_id(random), address));
    }
    if !who.emails.is_empty() && random.random_bool(0.35) {
        let provider = ["google", "google", "github", "microsoft", "apple"].choose(random).unwrap_or(&"google");
        who.account = Some(Account {
            id: id::new("eac_", random, created_at),
            identification_id: next_id(random),
            provider,
            user_id: format!("{}{index:07}", random.random_range(100_000_000_u64..999_999_999)),
            image_url: image::url(random),
        });
    }
    who
}

/// A phone number from the ranges that are reserved for fiction, different for each index below 62,400.
fn phone(index: usize) -> String {
    if index % 10 == 3 {
        return format!("+3319900{:04}", index / 10 % 10_000);
    }
    let (area, line) = (201 + index / 100 % 780, index % 100);
    format!("+1{area}55501{line:02}")
}

fn strategy(provider: &str) -> &'static str {
    match provider {
        "github" => "oauth_github",
        "microsoft" => "oauth_microsoft",
        "apple" => "oauth_apple",
        _ => "oauth_google",
    }
}

fn verified(object: &'static str, strategy: &'static str) -> schema::Verification<'static> {
    schema::Verification { object, status: "verified", strategy, attempts: Some(1), expire_at: None }
}

fn emails<'a>(
    who: &'a Identifications,
    links: &'a [schema::Link<'a>],
    (created_at, updated_at): (i64, i64),
) -> Vec<schema::EmailAddress<'a>> {
    let last = who.emails.len().saturating_sub(1);
    let draw = |(place, (id, address)): (usize, &'a (String, String))| {
        let linked = place == last && !links.is_empty();
        let verification = match created_at % 10 {
            _ if linked => Some(verified(
                "verification_from_oauth",
                match links.first().map(|link| link.kind) {
                    Some("oauth_github") => "from_oauth_github",
                    Some("oauth_microsoft") => "from_oauth_microsoft",
                    Some("oauth_apple") => "from_oauth_apple",
                    _ => "from_oauth_google",
                },
            )),
            0 => None,
            1 | 2 => Some(verified("verification_admin", "admin")),
            3 => Some(verified("verification_ticket", "ticket")),
            4 => Some(verified("verification_email_link", "email_link")),
            _ => Some(schema::Verification {
                expire_at: Some(created_at + 600_000),
                ..verified("verification_otp", "email_code")
            }),
        };
        schema::EmailAddress {
            id,
            object: "email_address",
            email_address: address,
            reserved: false,
            verification,
            linked_to: if linked { links } else { &[] },
            matches_sso_connection: false,
            created_at,
            updated_at,
        }
    };
    who.emails.iter().enumerate().map(draw).collect()
}

fn phones<'a>(
    who: &'a Identifications,
    second_factor: bool,
    (created_at, updated_at): (i64, i64),
) -> Vec<schema::PhoneNumber<'a>> {
    let draw = |(id, number): &'a (String, String)| schema::PhoneNumber {
        id,
        object: "phone_number",
        phone_number: number,
        reserved_for_second_factor: second_factor,
        default_second_factor: second_factor,
        reserved: false,
        verification: Some(schema::Verification {
            expire_at: Some(created_at + 600_000),
            ..verified("verification_otp", "phone_code")
        }),
        linked_to: [],
        backup_codes: None,
        created_at,
        updated_at,
    };
    who.phones.iter().map(draw).collect()
}

fn wallets<'a>(who: &'a Identifications, (created_at, updated_at): (i64, i64)) -> Vec<schema::Web3Wallet<'a>> {
    let draw = |(id, wallet): &'a (String, String)| schema::Web3Wallet {
        id,
        object: "web3_wallet",
        web3_wallet: wallet,
        verification: Some(schema::Verification {
            expire_at: Some(created_at + 600_000),
            ..verified("verification_web3", "web3_metamask_signature")
        }),
        created_at,
        updated_at,
    };
    who.wallet.iter().map(draw).collect()
}

fn accounts<'a>(
    who: &'a Identifications,
    person: &'a Person,
    empty: &'a RawValue,
    (created_at, updated_at): (i64, i64),
) -> Vec<schema::ExternalAccount<'a>> {
    let email = who.emails.last().map_or("", |(_, address)| address);
    let draw = |account: &'a Account| schema::ExternalAccount {
        object: match account.provider {
            "google" => "google_account",
            _ => "external_account",
        },
        id: &account.id,
        provider: strategy(account.provider),
        identification_id: &account.identification_id,
        provider_user_id: &account.user_id,
        approved_scopes: "email openid profile",
        email_address: email,
        email_address_verified: Some(true),
        first_name: &person.first,
        last_name: &person.last,
        avatar_url: &account.image_url,
        image_url: Some(&account.image_url),
        username: None,
        phone_number: None,
        public_metadata: empty,
        label: None,
        created_at,
        updated_at,
        verification: Some(schema::Verification {
            attempts: None,
            expire_at: Some(created_at + 600_000),
            ..verified("verification_oauth", strategy(account.provider))
        }),
    };
    who.account.iter().map(draw).collect()
}
