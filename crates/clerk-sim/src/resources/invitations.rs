//! Invitations to the application, and its waitlist.

use serde_json::{Value, json};

use super::kind::{Amount, Change, Kind, no_event, same_data};
use super::maker::Maker;
use super::route::{COUNTED, Form, Route, Shape};
use crate::endpoint::Condition::{Is, Matches};
use crate::endpoint::ParameterKind::{Boolean, Choice, OrderBy, Text};
use crate::endpoint::{Endpoint, PAGE, filter, parameter};

pub(super) const STATUSES: &[&str] = &["pending", "accepted", "revoked", "expired"];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "invitations",
        noun: "invitation",
        hidden: &["revoked"],
        owners: &[],
        amount: Amount::Many,
        make: invitation,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "waitlist_entries",
        noun: "waitlist entry",
        hidden: &["invited_at"],
        owners: &[],
        amount: Amount::Many,
        make: waitlist_entry,
        event: waitlist_event,
        event_data: same_data,
    },
];

pub(super) const ROUTES: &[Route] = &[
    Route {
        // It follows from the status, also after a change.
        embed: |_, entry| Some(("revoked", entry.is("status", "revoked").to_string())),
        answer: Form::List {
            shape: Shape::Bare,
            // Revoked invitations are only listed on request.
            keeps: |ask, entry| ask.query.text("status").is_some() || !entry.is("status", "revoked"),
        },
        ..Route::list(
            "invitations",
            Endpoint {
                path: "/invitations",
                parameters: &[
                    &[
                        filter("status", Choice(STATUSES), Is("status")),
                        filter("query", Text, Matches { part: &["email_address"], exactly: &["id"] }),
                        parameter("order_by", OrderBy(&["created_at", "email_address", "expires_at"])),
                        parameter("paginated", Boolean),
                    ],
                    PAGE,
                ],
            },
            Shape::Bare,
        )
    },
    Route::list(
        "waitlist_entries",
        Endpoint {
            path: "/waitlist_entries",
            parameters: &[
                &[
                    filter("query", Text, Matches { part: &["email_address"], exactly: &["id"] }),
                    filter("status", Choice(&["pending", "invited", "completed", "rejected"]), Is("status")),
                    parameter("order_by", OrderBy(&["created_at", "email_address", "invited_at"])),
                ],
                PAGE,
            ],
        },
        COUNTED,
    ),
];

fn invitation(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("inv_");
    let mut invitation = json!({
        "object": "invitation",
        "id": id,
        "email_address": maker.email(),
        "public_metadata": maker.metadata(),
        "status": maker.turn(STATUSES),
        "url": format!("https://accounts.example.com/v1/tickets/accept?ticket={}", maker.secret()),
        "expires_at": maker.days(30),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    maker.thin(&mut invitation, &["url"], &["expires_at"]);
    Some(invitation)
}

fn waitlist_entry(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("wle_");
    let status = maker.turn(&["pending", "invited", "rejected", "completed"]);
    let invitation = match status {
        "invited" | "completed" => maker.entry("invitations", ""),
        _ => None,
    };
    let email = maker.email();
    let mut entry = json!({
        "object": "waitlist_entry",
        "id": id,
        "email_address": invitation.map_or(email.as_str(), |invitation| invitation.text("email_address")),
        "status": status,
        "is_locked": maker.chance(0.2),
        "created_at": maker.at,
        "updated_at": maker.updated(),
        "invitation": invitation.and_then(|invitation| serde_json::from_str::<Value>(&invitation.json).ok()),
        "invited_at": invitation.map(|invitation| invitation.value("created_at")),
    });
    maker.thin(&mut entry, &["is_locked"], &[]);
    if invitation.is_none() {
        maker.thin(&mut entry, &["invitation"], &[]);
    }
    Some(entry)
}

fn waitlist_event(change: &Change) -> Option<&'static str> {
    change.event("waitlistEntry.created", "waitlistEntry.updated", None)
}
