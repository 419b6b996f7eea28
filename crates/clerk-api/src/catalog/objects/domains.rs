//! Domains: where the application runs.

use crate::catalog::Kind::{Boolean, Json, Text};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, member};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{FieldKind, List, Object, Update, Write, Writes};

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/domains",
        &[
            field("name", TEXT).required(),
            // Clerk refuses false, because there is one primary domain.
            field("is_satellite", FieldKind::Boolean).required(),
            field("proxy_url", TEXT).nullable(),
        ],
    )),
    updates: &[Update::Fields(Write::patch(
        "/domains/{domain_id}",
        &[
            field("name", TEXT).nullable(),
            field("proxy_url", TEXT).nullable(),
            field("is_secondary", FieldKind::Boolean).nullable(),
        ],
    ))],
    delete: Some(Write::delete("/domains/{domain_id}")),
    unique: &[&["name"]],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "domains",
    description: "The domains of the application: the primary one and its satellites.",
    list: Some(List::whole("/domains")),
    columns: &[
        column("domain_id", Text, Member("id"), "The domain's id.").id().aliases(&["id"]),
        member("name", Text, "The domain."),
        member("is_satellite", Boolean, "Whether it is a satellite of the primary domain."),
        member("frontend_api_url", Text, "The address of Clerk's Frontend API on the domain."),
        member("accounts_portal_url", Text, "The address of the account portal; null for satellites."),
        member("proxy_url", Text, "The address of the proxy to the Frontend API, if there is one."),
        member("development_origin", Text, "The origin that satellites use in development."),
        member("cname_targets", Json, "The CNAME records that the domain needs."),
        attrs(),
    ],
    writes: WRITES,
    ..Object::BLANK
};
