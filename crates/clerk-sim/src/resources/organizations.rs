//! The invitations and domains of organizations.

use serde::Deserialize;
use serde_json::{Value, json};

use super::invitations::STATUSES;
use super::kind::{Amount, Change, Kind, same_data};
use super::maker::Maker;
use super::route::{Ask, COUNTED, Form, Parent, Route};
use crate::endpoint::Condition::{Is, Matches};
use crate::endpoint::ParameterKind::{Boolean, Choice, Choices, List, OrderBy, Phrase, Text};
use crate::endpoint::{Endpoint, PAGE, filter, parameter};
use crate::entry::Entry;
use crate::object::{Fields, User, raw};
use crate::schema;
use crate::state::State;
use crate::table::Row;

const MODES: &[&str] = &["manual_invitation", "automatic_invitation", "automatic_suggestion", "enterprise_sso"];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "organization_invitations",
        noun: "organization invitation",
        hidden: &["public_organization_data", "user_id"],
        owners: &["organization_id"],
        amount: Amount::Many,
        make: invitation,
        event: invitation_event,
        event_data: invitation_data,
    },
    Kind {
        name: "organization_domains",
        noun: "organization domain",
        hidden: &["public_organization_data"],
        owners: &["organization_id"],
        amount: Amount::Many,
        make: domain,
        event: |change| {
            change.event("organizationDomain.created", "organizationDomain.updated", Some("organizationDomain.deleted"))
        },
        event_data: same_data,
    },
];

pub(super) const ROUTES: &[Route] = &[
    Route {
        embed: organization_data,
        ..Route::list(
            "organization_invitations",
            Endpoint {
                path: "/organization_invitations",
                parameters: &[
                    &[
                        filter("status", Choice(STATUSES), Is("status")),
                        filter("query", Text, Matches { part: &["email_address"], exactly: &[] }),
                        parameter("order_by", OrderBy(&["created_at", "email_address"])),
                    ],
                    PAGE,
                ],
            },
            COUNTED,
        )
    },
    Route {
        parent: Parent::Organization,
        answer: Form::List { shape: COUNTED, keeps: of_organization },
        ..Route::list(
            "organization_invitations",
            Endpoint {
                path: "/organizations/{organization_id}/invitations",
                parameters: &[
                    &[
                        filter("status", Choice(STATUSES), Is("status")),
                        filter("email_address", Text, Is("email_address")),
                        parameter("order_by", OrderBy(&["created_at", "email_address"])),
                    ],
                    PAGE,
                ],
            },
            COUNTED,
        )
    },
    // Its path is also one of the next route's, so it has to come first.
    Route {
        parent: Parent::Organization,
        answer: Form::List {
            shape: COUNTED,
            keeps: |ask, entry| of_organization(ask, entry) && entry.is("status", "pending"),
        },
        ..Route::list(
            "organization_invitations",
            Endpoint { path: "/organizations/{organization_id}/invitations/pending", parameters: &[PAGE] },
            COUNTED,
        )
    },
    Route {
        parent: Parent::Organization,
        answer: Form::One { finds: |ask, entry| of_organization(ask, entry) && entry.id() == ask.id },
        ..Route::one("organization_invitations", "/organizations/{organization_id}/invitations/{invitation_id}")
    },
    Route {
        parent: Parent::User,
        embed: organization_data,
        answer: Form::List { shape: COUNTED, keeps: for_user },
        ..Route::list(
            "organization_invitations",
            Endpoint {
                path: "/users/{user_id}/organization_invitations",
                parameters: &[&[filter("status", Choice(STATUSES), Is("status"))], PAGE],
            },
            COUNTED,
        )
    },
    Route {
        embed: organization_data,
        answer: Form::List {
            shape: COUNTED,
            keeps: |ask, entry| is_verified_as_asked(ask, entry) && is_domain_queried(ask, entry),
        },
        ..Route::list(
            "organization_domains",
            Endpoint {
                path: "/organization_domains",
                parameters: &[
                    &[
                        filter("organization_id", Text, Is("organization_id")),
                        parameter("verified", Boolean),
                        filter("enrollment_mode", Choices(MODES), Is("enrollment_mode")),
                        parameter("query", Phrase),
                        filter("domains", List, Is("name")),
                        parameter("order_by", OrderBy(&["name", "created_at"])),
                    ],
                    PAGE,
                ],
            },
            COUNTED,
        )
    },
    Route {
        parent: Parent::Organization,
        answer: Form::List {
            shape: COUNTED,
            keeps: |ask, entry| of_organization(ask, entry) && is_verified_as_asked(ask, entry),
        },
        ..Route::list(
            "organization_domains",
            Endpoint {
                path: "/organizations/{organization_id}/domains",
                parameters: &[
                    &[parameter("verified", Boolean), filter("enrollment_mode", Choices(MODES), Is("enrollment_mode"))],
                    PAGE,
                ],
            },
            COUNTED,
        )
    },
];

fn of_organization(ask: &Ask, entry: &Entry) -> bool {
    entry.is("organization_id", ask.parent)
}

/// Whether an invitation was sent to one of the user's email addresses.
fn for_user(ask: &Ask, entry: &Entry) -> bool {
    let email = entry.text("email_address");
    ask.state.users.get(ask.parent).is_some_and(|user| user.emails().any(|known| known.eq_ignore_ascii_case(email)))
}

fn is_verified_as_asked(ask: &Ask, entry: &Entry) -> bool {
    let is_verified = entry.value("verification")["status"] == "verified";
    ask.query.boolean("verified").is_none_or(|verified| verified == is_verified)
}

fn is_domain_queried(ask: &Ask, entry: &Entry) -> bool {
    ask.query.text("query").is_none_or(|query| {
        if query.starts_with("org_") {
            entry.is("organization_id", query)
        } else {
            entry.text("name").to_lowercase().contains(&query.to_lowercase())
        }
    })
}

/// What the lists of all organizations add about the organization, in its current state.
fn organization_data(state: &State, entry: &Entry) -> Option<(&'static str, String)> {
    #[derive(Deserialize)]
    struct Image {
        image_url: Option<String>,
        has_image: bool,
    }

    let organization = state.organizations.get(entry.text("organization_id"))?;
    let image: Image = serde_json::from_str(&organization.json).ok()?;
    let mut data = json!({
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "has_image": image.has_image,
    });
    if let Some(url) = image.image_url {
        data["image_url"] = json!(url);
    }
    Some(("public_organization_data", data.to_string()))
}

fn invitation(maker: &mut Maker) -> Option<Value> {
    let organization = maker.organization("organization_id")?;
    maker.not_before(organization.created_at);
    let inviter = maker.user("inviter_id");
    // The Backend API can invite in nobody's name.
    let inviter = if maker.chance(0.2) { None } else { inviter };
    let invited = if maker.chance(0.4) { maker.user("") } else { None };
    let email = maker.email();
    let role = maker.turn(&["org:member", "org:admin", "org:member", "org:billing_manager"]);
    let role = maker.given_text("role").unwrap_or(role).to_owned();
    let id = maker.id("orginv_");
    let mut invitation = json!({
        "object": "organization_invitation",
        "id": id,
        "email_address": invited.and_then(User::primary_email).unwrap_or(&email),
        "role": role,
        "role_name": schema::role(&role).0,
        "organization_id": organization.id,
        "inviter_id": inviter.map(|user| user.id.as_str()),
        "public_inviter_data": inviter.map(inviter_data),
        "status": maker.turn(STATUSES),
        "public_metadata": maker.metadata(),
        "private_metadata": maker.metadata(),
        "url": format!("https://accounts.example.com/v1/tickets/accept?ticket={}", maker.secret()),
        "expires_at": maker.days(30),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    maker.thin(&mut invitation, &["private_metadata"], &["url", "expires_at"]);
    Some(invitation)
}

fn inviter_data(user: &User) -> Value {
    let identifier = user.primary_email().or(user.primary_phone()).or(user.username.as_deref());
    json!({
        "user_id": user.id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "image_url": user.image_url.as_deref().unwrap_or_default(),
        "has_image": user.has_image,
        "identifier": identifier.unwrap_or_default(),
    })
}

fn invitation_event(change: &Change) -> Option<&'static str> {
    if change.old.is_none() {
        return Some("organizationInvitation.created");
    }
    match change.new_status()? {
        "accepted" => Some("organizationInvitation.accepted"),
        "revoked" => Some("organizationInvitation.revoked"),
        _ => None,
    }
}

/// The invitation, and who accepted it: the `user_id` that was given, or the user who has the email address.
fn invitation_data(state: &State, entry: &Entry, event: &str) -> serde_json::Result<String> {
    if event != "organizationInvitation.accepted" {
        return Ok(entry.json.clone());
    }
    let email = entry.text("email_address").to_lowercase();
    let mut users = state.users_identified_by(&email);
    let given = entry.value("user_id").as_str();
    let user = given.or_else(|| users.next().map(Row::id)).unwrap_or_default();
    let data = organization_data(state, entry).map_or("null".to_owned(), |(_, data)| data);
    let mut fields: Fields = serde_json::from_str(&entry.json)?;
    fields.insert("user_id".to_owned(), raw(user)?);
    fields.insert("data".to_owned(), serde_json::from_str(&format!(r#"{{"public_organization_data":{data}}}"#))?);
    serde_json::to_string(&fields)
}

fn domain(maker: &mut Maker) -> Option<Value> {
    let organization = maker.organization("organization_id")?;
    maker.not_before(organization.created_at);
    let id = maker.id("orgdmn_");
    let is_verified = maker.is_new || maker.index % 3 != 1;
    let attempts = maker.number(0, 4);
    let verified_at = maker.days(1);
    let verification = |strategy: &str| {
        json!({
            "status": if is_verified { "verified" } else { "unverified" },
            "strategy": strategy,
            "attempts": attempts,
            "expire_at": verified_at + 600_000,
            "verified_at": is_verified.then_some(verified_at),
        })
    };
    let mut domain = json!({
        "object": "organization_domain",
        "id": id,
        "organization_id": organization.id,
        "name": maker.domain(),
        "enrollment_mode": maker.turn(MODES),
        "affiliation_email_address": "admin@example.com",
        "affiliation_verification": verification("email_code"),
        "ownership_verification": verification("txt"),
        "verification": verification("email_code"),
        "total_pending_invitations": maker.number(0, 9),
        "total_pending_suggestions": maker.number(0, 9),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    let nullable = ["affiliation_email_address", "affiliation_verification", "ownership_verification", "verification"];
    maker.thin(&mut domain, &[], &nullable);
    Some(domain)
}
