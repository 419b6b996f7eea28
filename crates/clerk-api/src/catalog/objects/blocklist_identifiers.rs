//! Blocklist identifiers: who may not sign up.

use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{List, Object};

pub(super) const OBJECT: Object = Object {
    name: "blocklist_identifiers",
    description: "The identifiers that may not sign up.",
    list: Some(List::whole("/blocklist_identifiers")),
    columns: &[
        column("blocklist_identifier_id", Text, Path(&["id"]), "The blocklist identifier's id.").id().aliases(&["id"]),
        column(
            "identifier",
            Text,
            Path(&["identifier"]),
            "An email address, an email domain such as *@example.com, a phone number or a wallet.",
        ),
        column("identifier_type", Text, Path(&["identifier_type"]), "email_address, phone_number or web3_wallet."),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("created_at", Time, Path(&["created_at"]), "When it was added.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
