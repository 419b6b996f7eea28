//! Who may sign up: the allowlist and the blocklist.

use super::form::FieldKind::{Boolean, Text};
use super::form::{Call, Write, field};
use super::given::Patch;
use super::show::{self, check_email};
use crate::error::ClerkError;
use crate::state::State;

const ALLOWED: &str = "allowlist_identifiers";
const BLOCKED: &str = "blocklist_identifiers";

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/allowlist_identifiers",
        &[&[field("identifier", Text).required(), field("notify", Boolean)]],
        |state, call| add(state, call, ALLOWED),
    )
    .closed()
    .optional(),
    Write::plain("DELETE", "/allowlist_identifiers/{identifier_id}", |state, call| {
        show::delete(state, ALLOWED, call.id())
    }),
    Write::with_body("POST", "/blocklist_identifiers", &[&[field("identifier", Text).required()]], |state, call| {
        add(state, call, BLOCKED)
    })
    .closed()
    .optional(),
    Write::plain("DELETE", "/blocklist_identifiers/{identifier_id}", |state, call| {
        show::delete(state, BLOCKED, call.id())
    }),
];

fn add(state: &mut State, call: &Call, kind: &'static str) -> Result<String, ClerkError> {
    let identifier = call.given.required("identifier");
    let identifier_type = if identifier.starts_with('+') {
        "phone_number"
    } else if identifier.starts_with("0x") {
        "web3_wallet"
    } else {
        // `*@example.com` stands for every address of a domain.
        check_email("identifier", &identifier)?;
        "email_address"
    };
    if show::has(state, kind, "", |entry| entry.text("identifier").eq_ignore_ascii_case(&identifier)) {
        return Err(ClerkError::duplicate("such an identifier"));
    }
    let mut patch = Patch::default();
    patch.set("identifier", identifier)?;
    patch.set("identifier_type", identifier_type)?;
    show::create(state, kind, patch)
}
