//! Redirect URLs: where native applications may send people after they signed in.

use crate::catalog::Kind::{Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{KeyColumn, List, Object, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post("/redirect_urls", &[field("url", TEXT).required()])),
    delete: Some(Write::delete("/redirect_urls/{redirect_url_id}")),
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "redirect_urls",
    description: "The URLs that applications may redirect to after a sign-in.",
    list: Some(List::bare("/redirect_urls")),
    key_columns: &[KeyColumn::get("redirect_url_id", "/redirect_urls/{redirect_url_id}")],
    columns: &[
        column("redirect_url_id", Text, Member("id"), "The redirect URL's id.").id().aliases(&["id"]),
        member("url", Text, "The URL."),
        member("created_at", Time, "When it was added.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
