//! OAuth applications: other applications whose users sign in with Clerk.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Boolean, Json, Text, TextArray, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, narrowing};
use crate::catalog::{KeyColumn, List, Object, SortColumn};

pub(super) const OBJECT: Object = Object {
    name: "oauth_applications",
    description: "The OAuth applications for which the instance is the identity provider.",
    list: Some(List::by_offset("/oauth_applications")),
    key_columns: &[KeyColumn::get("oauth_application_id", "/oauth_applications/{oauth_application_id}")],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("oauth_application_id", Text, Path(&["id"]), "The OAuth application's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name.")
            .filters(&[narrowing(One { values: &[] }, "name_query"), narrowing(Contains, "name_query")]),
        column("client_id", Text, Path(&["client_id"]), "The application's OAuth client id.")
            .filters(&[narrowing(One { values: &[] }, "name_query")]),
        column("client_uri", Text, Path(&["client_uri"]), "The address of its website."),
        column("client_image_url", Text, Path(&["client_image_url"]), "The address of its logo."),
        column("dynamically_registered", Boolean, Path(&["dynamically_registered"]), "Whether it registered itself."),
        column(
            "consent_screen_enabled",
            Boolean,
            Path(&["consent_screen_enabled"]),
            "Whether users are asked for their consent.",
        ),
        column("pkce_required", Boolean, Path(&["pkce_required"]), "Whether it must use PKCE."),
        column("public", Boolean, Path(&["public"]), "Whether it is a public client, which has no secret."),
        column("scopes", Text, Path(&["scopes"]), "The scopes that it may ask for, separated by spaces."),
        column("redirect_uris", TextArray, Path(&["redirect_uris"]), "Where it may redirect to."),
        column("callback_url", Text, Path(&["callback_url"]), "The first of redirect_uris, under its older name."),
        column("authorize_url", Text, Path(&["authorize_url"]), "Where users authorize it."),
        column("token_fetch_url", Text, Path(&["token_fetch_url"]), "Where it fetches tokens."),
        column("user_info_url", Text, Path(&["user_info_url"]), "Where it asks about the user."),
        column("discovery_url", Text, Path(&["discovery_url"]), "The address of the provider's description."),
        column("token_introspection_url", Text, Path(&["token_introspection_url"]), "Where it asks about a token."),
        column("instance_id", Text, Path(&["instance_id"]), "The id of the Clerk instance."),
        column("created_at", Time, Path(&["created_at"]), "When it was created.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
