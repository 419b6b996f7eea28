//! Redirect URLs: where native applications may send people after they signed in.

use crate::catalog::Kind::{Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{KeyColumn, List, Object};

pub(super) const OBJECT: Object = Object {
    name: "redirect_urls",
    description: "The URLs that applications may redirect to after a sign-in.",
    list: Some(List::bare("/redirect_urls")),
    key_columns: &[KeyColumn::get("redirect_url_id", "/redirect_urls/{redirect_url_id}")],
    columns: &[
        column("redirect_url_id", Text, Path(&["id"]), "The redirect URL's id.").id().aliases(&["id"]),
        column("url", Text, Path(&["url"]), "The URL."),
        column("created_at", Time, Path(&["created_at"]), "When it was added.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
