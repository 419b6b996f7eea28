//! Blocklist identifiers: who may not sign up.

use crate::catalog::Kind::{Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{List, Object, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post("/blocklist_identifiers", &[field("identifier", TEXT).required()])),
    delete: Some(Write::delete("/blocklist_identifiers/{blocklist_identifier_id}")),
    unique: &[&["identifier"]],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "blocklist_identifiers",
    description: "The identifiers that may not sign up.",
    list: Some(List::whole("/blocklist_identifiers")),
    columns: &[
        column("blocklist_identifier_id", Text, Member("id"), "The blocklist identifier's id.").id().aliases(&["id"]),
        member(
            "identifier",
            Text,
            "An email address, an email domain such as *@example.com, a phone number or a wallet.",
        ),
        member("identifier_type", Text, "email_address, phone_number or web3_wallet."),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("created_at", Time, "When it was added.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
