//! Domains: where the application runs.

use crate::catalog::Kind::{Boolean, Json, Text};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::column;
use crate::catalog::{List, Object};

pub(super) const OBJECT: Object = Object {
    name: "domains",
    description: "The domains of the application: the primary one and its satellites.",
    list: Some(List::whole("/domains")),
    columns: &[
        column("domain_id", Text, Path(&["id"]), "The domain's id.").id().aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The domain."),
        column("is_satellite", Boolean, Path(&["is_satellite"]), "Whether it is a satellite of the primary domain."),
        column(
            "frontend_api_url",
            Text,
            Path(&["frontend_api_url"]),
            "The address of Clerk's Frontend API on the domain.",
        ),
        column(
            "accounts_portal_url",
            Text,
            Path(&["accounts_portal_url"]),
            "The address of the account portal; null for satellites.",
        ),
        column(
            "proxy_url",
            Text,
            Path(&["proxy_url"]),
            "The address of the proxy to the Frontend API, if there is one.",
        ),
        column(
            "development_origin",
            Text,
            Path(&["development_origin"]),
            "The origin that satellites use in development.",
        ),
        column("cname_targets", Json, Path(&["cname_targets"]), "The CNAME records that the domain needs."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    ..Object::BLANK
};
