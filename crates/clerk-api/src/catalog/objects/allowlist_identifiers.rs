//! Allowlist identifiers: who may sign up.

use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{List, Object};

pub(super) const OBJECT: Object = Object {
    name: "allowlist_identifiers",
    description: "The identifiers that may sign up where the allowlist is enabled.",
    list: Some(List::bare("/allowlist_identifiers")),
    columns: &[
        column("allowlist_identifier_id", Text, Path(&["id"]), "The allowlist identifier's id.").id().aliases(&["id"]),
        column(
            "identifier",
            Text,
            Path(&["identifier"]),
            "An email address, an email domain such as *@example.com, a phone number or a wallet.",
        ),
        column("identifier_type", Text, Path(&["identifier_type"]), "email_address, phone_number or web3_wallet."),
        column("invitation_id", Text, Path(&["invitation_id"]), "The id of the invitation that was sent with it."),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("created_at", Time, Path(&["created_at"]), "When it was added.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
