//! Who may sign up: the allowlist and the blocklist.

use serde_json::{Value, json};

use super::kind::{Amount, Kind, no_event, same_data};
use super::maker::Maker;
use super::route::{COUNTED, Route, Shape};
use crate::endpoint::ParameterKind::Boolean;
use crate::endpoint::{Endpoint, PAGE, parameter};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "allowlist_identifiers",
        noun: "allowlist identifier",
        hidden: &[],
        owners: &[],
        amount: Amount::Many,
        make: allowed,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "blocklist_identifiers",
        noun: "blocklist identifier",
        hidden: &[],
        owners: &[],
        amount: Amount::Many,
        make: blocked,
        event: no_event,
        event_data: same_data,
    },
];

pub(super) const ROUTES: &[Route] = &[
    Route::list(
        "allowlist_identifiers",
        Endpoint { path: "/allowlist_identifiers", parameters: &[&[parameter("paginated", Boolean)], PAGE] },
        Shape::Bare,
    ),
    Route::list("blocklist_identifiers", Endpoint { path: "/blocklist_identifiers", parameters: &[] }, COUNTED),
];

fn allowed(maker: &mut Maker) -> Option<Value> {
    let invitation_id = maker.id("inv_");
    let mut identifier = identifier(maker, "allowlist_identifier", "alid_");
    identifier["invitation_id"] = json!(invitation_id);
    maker.thin(&mut identifier, &["invitation_id", "instance_id"], &[]);
    Some(identifier)
}

fn blocked(maker: &mut Maker) -> Option<Value> {
    let mut identifier = identifier(maker, "blocklist_identifier", "blid_");
    maker.thin(&mut identifier, &["instance_id"], &[]);
    Some(identifier)
}

fn identifier(maker: &mut Maker, object: &str, prefix: &str) -> Value {
    let id = maker.id(prefix);
    let kind = maker.turn(&["email_address", "email_address", "phone_number", "web3_wallet"]);
    let identifier = match kind {
        "phone_number" => format!("+120155501{:02}", maker.index % 100),
        "web3_wallet" => format!("0x{:040x}", maker.index),
        _ if maker.index % 8 == 1 => format!("*@{}", maker.domain()),
        _ => maker.email(),
    };
    json!({
        "object": object,
        "id": id,
        "identifier": identifier,
        "identifier_type": kind,
        "instance_id": maker.state.instance.id,
        "created_at": maker.at,
        "updated_at": maker.updated(),
    })
}
