//! Organization domains: email domains whose owners may join an organization.

use crate::catalog::FilterOp::{Contains, Equal, One};
use crate::catalog::Kind::{Integer, Json, Text, Time};
use crate::catalog::Source::Member;
use crate::catalog::column::{attrs, column, exact, member, narrowing};
use crate::catalog::write::{TEXT, field};
use crate::catalog::{Event, FieldKind, KeyColumn, List, Object, SortColumn, Update, Write, Writes};

/// The modes that Clerk can be asked for.
const ENROLLMENT_MODES: &[&str] =
    &["manual_invitation", "automatic_invitation", "automatic_suggestion", "enterprise_sso"];

const WRITES: Writes = Writes {
    insert: Some(Write::post(
        "/organizations/{organization_id}/domains",
        &[field("name", TEXT), field("enrollment_mode", TEXT), field("verified", FieldKind::Boolean).nullable()],
    )),
    updates: &[Update::Fields(Write::patch(
        "/organizations/{organization_id}/domains/{organization_domain_id}",
        &[field("enrollment_mode", TEXT).nullable(), field("verified", FieldKind::Boolean).nullable()],
    ))],
    delete: Some(Write::delete("/organizations/{organization_id}/domains/{organization_domain_id}")),
    unique: &[&["organization_id", "name"]],
    ..Writes::NONE
};

pub(super) const OBJECT: Object = Object {
    name: "organization_domains",
    description: "The email domains of organizations.",
    list: Some(List::by_offset("/organization_domains")),
    key_columns: &[
KeyColumn::list("organization_id", List::by_offset("/organization_domains?organization_id={organization_id}"))
    .sortable()
    .filters(&[
        ("name", narrowing(Equal { has_prefix: false }, "domains")),
        ("enrollment_mode", exact(One { values: ENROLLMENT_MODES }, "enrollment_mode")),
    ]),
    ],
    sort_columns: &[SortColumn::BY_CREATION],
    columns: &[
        column("organization_domain_id", Text, Member("id"), "The organization domain's id.").id().aliases(&["id"]),
        member("organization_id", Text, "The organization's id.").parent("organizations"),
        member("name", Text, "The domain, such as example.com.").filters(&[narrowing(Equal { has_prefix: false }, "domains"), narrowing(Contains, "query")]),
        member("enrollment_mode", Text, "How people with an address of the domain join: manual_invitation, automatic_invitation, automatic_suggestion or enterprise_sso.").filters(&[exact(One { values: ENROLLMENT_MODES }, "enrollment_mode")]),
        member("affiliation_email_address", Text, "The address that proved that the organization belongs to the domain."),
        member("total_pending_invitations", Integer, "How many invitations for addresses of the domain are pending."),
        member("total_pending_suggestions", Integer, "How many suggestions for addresses of the domain are pending."),
        member("created_at", Time, "When the domain was added.").creation_time(),
        member("updated_at", Time, "When it last changed.").update_time(),
        member("affiliation_verification", Json, "How and when that was proved."),
        member("ownership_verification", Json, "How and when it was proved that the organization owns the domain."),
        member("verification", Json, "The same as affiliation_verification, under its older name."),
        member("public_organization_data", Json, "What everybody may know about the organization."),
        attrs(),
    ],
    writes: WRITES,
    events: &[Event::upsert("organizationDomain.created"), Event::upsert("organizationDomain.updated"), Event::delete("organizationDomain.deleted")],
    ..Object::BLANK
};
