//! Machines, their tokens, and API keys.

use serde_json::{Value, json};

use super::kind::{Amount, Kind, no_event, same_data};
use super::maker::Maker;
use super::route::{COUNTED, Form, Route, Shape};
use crate::endpoint::Condition::{Is, Matches};
use crate::endpoint::ParameterKind::{Boolean, Limit, Offset, OrderBy, Required, Text};
use crate::endpoint::{Endpoint, PAGE, Parameter, filter, parameter};
use crate::table::Row;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "machines",
        noun: "machine",
        hidden: &[],
        owners: &[],
        amount: Amount::Many,
        make: machine,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "api_keys",
        noun: "API key",
        hidden: &[],
        owners: &["subject"],
        amount: Amount::Many,
        make: api_key,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "m2m_tokens",
        noun: "token",
        hidden: &[],
        owners: &["subject"],
        amount: Amount::Many,
        make: token,
        event: no_event,
        event_data: same_data,
    },
];

const SMALL_PAGE: &[Parameter] = &[parameter("limit", Limit(100)), parameter("offset", Offset)];

pub(super) const ROUTES: &[Route] = &[
    Route::list(
        "machines",
        Endpoint {
            path: "/machines",
            parameters: &[
                &[
                    filter("query", Text, Matches { part: &["name"], exactly: &["id"] }),
                    parameter("order_by", OrderBy(&["created_at", "name"])),
                ],
                PAGE,
            ],
        },
        COUNTED,
    ),
    Route::one("machines", "/machines/{machine_id}"),
    Route {
        answer: Form::List {
            shape: COUNTED,
            keeps: |ask, entry| {
                let is_valid = !entry.is_true("revoked") && !entry.is_true("expired");
                (is_valid || ask.query.boolean("include_invalid") == Some(true))
                    && entry.is("type", ask.query.text("type").unwrap_or("api_key"))
            },
        },
        refusal: 400,
        ..Route::list(
            "api_keys",
            Endpoint {
                path: "/api_keys",
                parameters: &[
                    &[
                        parameter("type", Text),
                        filter("subject", Required, Is("subject")),
                        parameter("include_invalid", Boolean),
                        filter("query", Text, Matches { part: &["name"], exactly: &["id"] }),
                    ],
                    SMALL_PAGE,
                ],
            },
            COUNTED,
        )
    },
    Route { refusal: 400, ..Route::one("api_keys", "/api_keys/{apiKeyID}") },
    Route {
        answer: Form::List {
            shape: Shape::Counted("m2m_tokens"),
            keeps: |ask, entry| {
                let is_asked = |name| !entry.is_true(name) || ask.query.boolean(name) == Some(true);
                is_asked("revoked") && is_asked("expired")
            },
        },
        refusal: 400,
        ..Route::list(
            "m2m_tokens",
            Endpoint {
                path: "/m2m_tokens",
                parameters: &[
                    &[
                        filter("subject", Required, Is("subject")),
                        parameter("revoked", Boolean),
                        parameter("expired", Boolean),
                    ],
                    SMALL_PAGE,
                ],
            },
            COUNTED,
        )
    },
];

fn machine(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("mch_");
    let earlier = maker.siblings.iter().rev().take(maker.index % 3);
    let scoped: Vec<Value> = earlier
        .filter_map(|machine| {
            let mut machine: Value = serde_json::from_str(&machine.json).ok()?;
            machine.as_object_mut()?.remove("scoped_machines");
            Some(machine)
        })
        .collect();
    let mut machine = json!({
        "object": "machine",
        "id": id,
        "name": maker.name(),
        "instance_id": maker.state.instance.id,
        "default_token_ttl": maker.number(60, 86_400),
        "scoped_machines": scoped,
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    maker.thin(&mut machine, &["default_token_ttl"], &[]);
    Some(machine)
}

fn api_key(maker: &mut Maker) -> Option<Value> {
    let given = maker.given_text("subject").unwrap_or_default();
    let wants_user = given.starts_with("user_") || given.is_empty() && maker.index % 3 != 2;
    let (subject, user) = if given.starts_with("mch_") {
        (maker.entry("machines", "subject")?.id().to_owned(), None)
    } else if wants_user {
        let user = maker.user("subject")?;
        maker.not_before(user.created_at);
        (user.id.clone(), Some(user.id.clone()))
    } else {
        let organization = maker.organization("subject")?;
        maker.not_before(organization.created_at);
        (organization.id.clone(), maker.user("").map(|user| user.id.clone()))
    };
    let id = maker.hex_id("ak_");
    let mut key = json!({
        "object": "api_key",
        "id": id,
        "type": "api_key",
        "subject": subject,
        "name": maker.name(),
        "claims": { "plan": "größer", "limits": { "calls": 100 } },
        "scopes": if maker.index.is_multiple_of(2) { json!([]) } else { json!(["read:users", "write:users"]) },
        "created_by": user,
    });
    validity(maker, &mut key);
    maker.thin(&mut key, &[], &["claims", "created_by"]);
    Some(key)
}

fn token(maker: &mut Maker) -> Option<Value> {
    let machine = maker.shared("machines", "subject", 4)?;
    maker.not_before(machine.created_at());
    let others = maker.state.table("machines")?.spread(maker.index / 2, maker.index.max(1));
    let scopes: Vec<&str> = others.into_iter().map(Row::id).collect();
    let id = maker.hex_id("mt_");
    let mut token = json!({
        "object": "machine_to_machine_token",
        "id": id,
        "subject": machine.id(),
        "claims": { "permission": "read" },
        "scopes": scopes,
    });
    validity(maker, &mut token);
    maker.thin(&mut token, &["claims", "scopes"], &["claims"]);
    Some(token)
}

/// Whether a key or a token is still valid, and its times. Of seven of them, one is revoked, one has expired, and one
/// both.
fn validity(maker: &mut Maker, object: &mut Value) {
    let place = if maker.is_new { 0 } else { maker.index % 7 };
    let (revoked, expired) = (matches!(place, 2 | 6), matches!(place, 4 | 6));
    let expiration = if expired { Some(maker.days(1)) } else { (place == 1).then_some(maker.days(3650)) };
    let last_used_at = (place % 2 == 1).then_some(maker.at + 1000);
    object["revoked"] = json!(revoked);
    object["revocation_reason"] = json!(revoked.then(|| maker.sentence()));
    object["expired"] = json!(expired);
    object["expiration"] = json!(expiration);
    object["last_used_at"] = json!(last_used_at);
    object["created_at"] = json!(maker.at);
    object["updated_at"] = json!(maker.updated());
}
