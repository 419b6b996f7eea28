//! OAuth applications: other applications whose users sign in with Clerk.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Boolean, Text, TextArray, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::write::{TEXT, TEXTS, field};
use crate::catalog::{FieldKind, KeyColumn, List, Object, SortColumn, Update, Write, Writes};

/// A text that Clerk does not take longer.
const LIMITED: FieldKind = FieldKind::Text { min: 0, max: 1024 };

const WRITES: Writes = Writes {
    insert: Some(
        Write::post(
            "/oauth_applications",
            &[
                field("name", TEXT).required(),
                field("redirect_uris", TEXTS).nullable(),
                field("callback_url", LIMITED).nullable(),
                field("scopes", LIMITED).nullable(),
                field("consent_screen_enabled", FieldKind::Boolean).nullable(),
                field("pkce_required", FieldKind::Boolean).nullable(),
                field("public", FieldKind::Boolean).nullable(),
            ],
        )
        .shown_once(&["client_secret"]),
    ),
    updates: &[Update::Fields(Write::patch(
        "/oauth_applications/{oauth_application_id}",
        &[
            field("name", TEXT).nullable(),
            field("redirect_uris", TEXTS).nullable(),
            field("callback_url", LIMITED).nullable(),
            field("scopes", LIMITED).nullable(),
            field("consent_screen_enabled", FieldKind::Boolean).nullable(),
            field("pkce_required", FieldKind::Boolean).nullable(),
            field("public", FieldKind::Boolean).nullable(),
        ],
    ))],
    delete: Some(Write::delete("/oauth_applications/{oauth_application_id}")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "oauth_applications",
    description: "The OAuth applications for which the instance is the identity provider.",
    list: Some(List::by_offset("/oauth_applications")),
    key_columns: &[KeyColumn::get("oauth_application_id", "/oauth_applications/{oauth_application_id}")],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("oauth_application_id", Text, Member("id"), "The OAuth application's id.").id().aliases(&["id"]),
        member("name", Text, "The name.")
            .filters(&[narrowing(One { values: &[] }, "name_query"), narrowing(Contains, "name_query")]),
        member("client_id", Text, "The application's OAuth client id.")
            .filters(&[narrowing(One { values: &[] }, "name_query")]),
        member("client_uri", Text, "The address of its website."),
        member("client_image_url", Text, "The address of its logo."),
        member("dynamically_registered", Boolean, "Whether it registered itself."),
        member("consent_screen_enabled", Boolean, "Whether users are asked for their consent."),
        member("pkce_required", Boolean, "Whether it must use PKCE."),
        member("public", Boolean, "Whether it is a public client, which has no secret."),
        member("scopes", Text, "The scopes that it may ask for, separated by spaces."),
        member("redirect_uris", TextArray, "Where it may redirect to."),
        member("callback_url", Text, "The first of redirect_uris, under its older name."),
        member("authorize_url", Text, "Where users authorize it."),
        member("token_fetch_url", Text, "Where it fetches tokens."),
        member("user_info_url", Text, "Where it asks about the user."),
        member("discovery_url", Text, "The address of the provider's description."),
        member("token_introspection_url", Text, "Where it asks about a token."),
        member("instance_id", Text, "The id of the Clerk instance."),
        member("created_at", Time, "When it was created.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
