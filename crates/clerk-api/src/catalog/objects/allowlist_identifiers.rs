//! Allowlist identifiers: who may sign up.

use crate::catalog::Kind::{Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{FieldKind, List, Object, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/allowlist_identifiers",
        &[field("identifier", TEXT).required(), field("notify", FieldKind::Boolean)],
    )),
    delete: Some(Write::delete("/allowlist_identifiers/{allowlist_identifier_id}")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "allowlist_identifiers",
    description: "The identifiers that may sign up where the allowlist is enabled.",
    list: Some(List::bare("/allowlist_identifiers")),
    columns: &[
        column("allowlist_identifier_id", Text, Member("id"), "The allowlist identifier's id.").id().aliases(&["id"]),
        member(
            "identifier",
            Text,
            "An email address, an email domain such as *@example.com, a phone number or a wallet.",
        ),
        member("identifier_type", Text, "email_address, phone_number or web3_wallet."),
        member("invitation_id", Text, "The id of the invitation that was sent with it."),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("created_at", Time, "When it was added.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
