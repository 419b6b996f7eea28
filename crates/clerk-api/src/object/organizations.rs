//! Organizations: the groups that users belong to.

use super::Kind::{Integer, Json, Text, Time};
use super::Source::{Path, Whole};
use super::Test::{Contains, Equal};
use super::{Answer, Key, Object, Order, Paging, column, exact, narrows};

pub(super) const ORGANIZATIONS: Object = Object {
    name: "organizations",
    description: "The organizations of the Clerk instance.",
    list: "/organizations",
    paging: Paging::Offset,
    keys: &[
        Key { column: "organization_id", path: "/organizations/{organization_id}", answer: Answer::One, filters: &[] },
        Key { column: "slug", path: "/organizations/{slug}", answer: Answer::One, filters: &[] },
    ],
    orders: &[
        Order { column: "created_at", parameter: "created_at", lasts: true },
        Order { column: "members_count", parameter: "members_count", lasts: false },
    ],
    columns: &[
        column("organization_id", Text, Path(&["id"]), "The organization's id, which begins with org_.")
            .shared()
            .filters(&[exact(Equal { signed: true }, "organization_id")])
            .aliases(&["id"]),
        column("name", Text, Path(&["name"]), "The name.").shared().filters(&[narrows(Contains, "query")]),
        column("slug", Text, Path(&["slug"]), "The name's form in addresses, unique in the instance.")
            .shared()
            .filters(&[narrows(Contains, "query")]),
        column("created_by", Text, Path(&["created_by"]), "The id of the user who created it.").shared(),
        column(
            "members_count",
            Integer,
            Path(&["members_count"]),
            "How many members it has; Clerk counts them only for queries that use this column.",
        )
        .shared()
        .asks("include_members_count", "true"),
        column(
            "max_allowed_memberships",
            Integer,
            Path(&["max_allowed_memberships"]),
            "How many members it may have; 0 means any number.",
        )
        .shared(),
        column("image_url", Text, Path(&["image_url"]), "The address of the logo.").shared(),
        column("created_at", Time, Path(&["created_at"]), "When the organization was created.").shared(),
        column("updated_at", Time, Path(&["updated_at"]), "When the organization last changed.").shared(),
        column("public_metadata", Json, Path(&["public_metadata"]), "Metadata that the frontend may read.").shared(),
        column("private_metadata", Json, Path(&["private_metadata"]), "Metadata for the backend alone.").private(),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
};
