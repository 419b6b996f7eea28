//! The objects as the simulator keeps them: the JSON text that Clerk would send, and the fields that requests filter or
//! sort by.
//!
//! The fields are read from the text, because a `serde_json::Value` cannot represent everything that Clerk's JSON may
//! contain (a lone surrogate, a number of thirty digits).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::table::Row;

/// The fields of a JSON object in their order, each with its original text.
pub(crate) type Fields = IndexMap<String, Box<RawValue>>;

/// A value that can be serialized as JSON, as the text of a [`RawValue`].
pub(crate) fn raw(value: impl Serialize) -> serde_json::Result<Box<RawValue>> {
    serde_json::value::to_raw_value(&value)
}

/// The object `json` with its fields replaced by those of `patch`.
pub(crate) fn patched(json: &str, patch: Fields) -> serde_json::Result<String> {
    let mut fields: Fields = serde_json::from_str(json)?;
    fields.extend(patch);
    serde_json::to_string(&fields)
}

#[derive(Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) username: Option<String>,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) image_url: Option<String>,
    pub(crate) has_image: bool,
    primary_email_address_id: Option<String>,
    primary_phone_number_id: Option<String>,
    primary_web3_wallet_id: Option<String>,
    pub(crate) email_addresses: Vec<EmailAddress>,
    pub(crate) phone_numbers: Vec<PhoneNumber>,
    pub(crate) web3_wallets: Vec<Web3Wallet>,
    pub(crate) external_accounts: Vec<ExternalAccount>,
    pub(crate) banned: bool,
    pub(crate) last_sign_in_at: Option<i64>,
    pub(crate) last_active_at: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    /// The whole object as Clerk sends it.
    #[serde(skip)]
    pub(crate) json: String,
}

#[derive(Deserialize)]
pub(crate) struct EmailAddress {
    id: Option<String>,
    pub(crate) email_address: String,
}

#[derive(Deserialize)]
pub(crate) struct PhoneNumber {
    id: Option<String>,
    pub(crate) phone_number: String,
}

#[derive(Deserialize)]
pub(crate) struct Web3Wallet {
    id: Option<String>,
    pub(crate) web3_wallet: String,
}

#[derive(Deserialize)]
pub(crate) struct ExternalAccount {
    pub(crate) provider: String,
    pub(crate) provider_user_id: String,
}

impl User {
    pub(crate) fn read(json: String) -> serde_json::Result<User> {
        let mut user: User = serde_json::from_str(&json)?;
        user.json = json;
        Ok(user)
    }

    /// The objects of one of its arrays, such as `passkeys`.
    pub(crate) fn objects(&self, array: &str) -> serde_json::Result<Vec<Fields>> {
        let fields: Fields = serde_json::from_str(&self.json)?;
        fields.get(array).map_or(Ok(Vec::new()), |objects| serde_json::from_str(objects.get()))
    }

    pub(crate) fn primary_email(&self) -> Option<&str> {
        let primary = self.primary_email_address_id.as_deref()?;
        let mut addresses = self.email_addresses.iter();
        let address = addresses.find(|address| address.id.as_deref() == Some(primary))?;
        Some(&address.email_address)
    }

    pub(crate) fn primary_phone(&self) -> Option<&str> {
        let primary = self.primary_phone_number_id.as_deref()?;
        let mut numbers = self.phone_numbers.iter();
        let number = numbers.find(|number| number.id.as_deref() == Some(primary))?;
        Some(&number.phone_number)
    }

    pub(crate) fn primary_wallet(&self) -> Option<&str> {
        let primary = self.primary_web3_wallet_id.as_deref()?;
        let mut wallets = self.web3_wallets.iter();
        let wallet = wallets.find(|wallet| wallet.id.as_deref() == Some(primary))?;
        Some(&wallet.web3_wallet)
    }

    pub(crate) fn email_ids(&self) -> Vec<&str> {
        self.email_addresses.iter().filter_map(|address| address.id.as_deref()).collect()
    }

    pub(crate) fn phone_ids(&self) -> Vec<&str> {
        self.phone_numbers.iter().filter_map(|number| number.id.as_deref()).collect()
    }

    pub(crate) fn wallet_ids(&self) -> Vec<&str> {
        self.web3_wallets.iter().filter_map(|wallet| wallet.id.as_deref()).collect()
    }

    pub(crate) fn emails(&self) -> impl Iterator<Item = &str> {
        let addresses = self.email_addresses.iter();
        addresses.map(|address| address.email_address.as_str())
    }

    pub(crate) fn phones(&self) -> impl Iterator<Item = &str> {
        let numbers = self.phone_numbers.iter();
        numbers.map(|number| number.phone_number.as_str())
    }

    pub(crate) fn wallets(&self) -> impl Iterator<Item = &str> {
        let wallets = self.web3_wallets.iter();
        wallets.map(|wallet| wallet.web3_wallet.as_str())
    }

    /// All values by which requests find a user exactly, apart from the id, in lower case.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = String> {
        self.emails()
            .chain(self.phones())
            .chain(self.wallets())
            .chain(self.username.as_deref())
            .chain(self.external_id.as_deref())
            .map(str::to_lowercase)
    }

    /// The data about the user that a membership contains.
    pub(crate) fn public_data(&self) -> PublicUserData<'_> {
        let image_url = self.image_url.as_deref().unwrap_or_default();
        PublicUserData {
            user_id: &self.id,
            first_name: self.first_name.as_deref(),
            last_name: self.last_name.as_deref(),
            profile_image_url: image_url,
            image_url,
            has_image: self.has_image,
            identifier: self
                .primary_email()
                .or(self.primary_phone())
                .or(self.username.as_deref())
                .or(self.primary_wallet()),
            username: self.username.as_deref(),
            banned: self.banned,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct PublicUserData<'a> {
    user_id: &'a str,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    profile_image_url: &'a str,
    image_url: &'a str,
    has_image: bool,
    identifier: Option<&'a str>,
    username: Option<&'a str>,
    banned: bool,
}

#[derive(Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) created_at: i64,
    /// The object as Clerk sends it if no counts are requested.
    #[serde(skip)]
    pub(crate) json: String,
}

impl Organization {
    pub(crate) fn read(json: String) -> serde_json::Result<Organization> {
        let mut organization: Organization = serde_json::from_str(&json)?;
        organization.json = json;
        Ok(organization)
    }
}

#[derive(Deserialize)]
pub(crate) struct Membership {
    pub(crate) id: String,
    pub(crate) role: String,
    pub(crate) created_at: i64,
    #[serde(skip)]
    pub(crate) user_id: String,
    #[serde(skip)]
    pub(crate) organization_id: String,
    /// The object without `organization` and `public_user_data`. These are added when it is sent, so that they are
    /// always current.
    #[serde(skip)]
    pub(crate) json: String,
}

impl Membership {
    pub(crate) fn read(json: String, user_id: String, organization_id: String) -> serde_json::Result<Membership> {
        let mut membership: Membership = serde_json::from_str(&json)?;
        membership.json = json;
        membership.user_id = user_id;
        membership.organization_id = organization_id;
        Ok(membership)
    }
}

macro_rules! row {
    ($object:ty) => {
        impl Row for $object {
            fn id(&self) -> &str {
                &self.id
            }

            fn created_at(&self) -> i64 {
                self.created_at
            }
        }
    };
}

row!(User);
row!(Organization);
row!(Membership);
