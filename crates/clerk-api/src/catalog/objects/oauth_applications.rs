//! OAuth applications: other applications whose users sign in with Clerk.

use crate::catalog::FilterOp::{Contains, One};
use crate::catalog::Kind::{Boolean, Text, TextArray, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member, narrowing};
use crate::catalog::{KeyColumn, List, Object, SortColumn};

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
    ..Object::BLANK
};
