//! Organization domains: email domains whose owners may join an organization.

use crate::catalog::FilterOp::{Contains, Equal, One};
use crate::catalog::Kind::{Integer, Json, Text, Time};
use crate::catalog::Source::{Path, Whole};
use crate::catalog::column::{column, exact, narrowing};
use crate::catalog::{Event, KeyColumn, List, Object, SortColumn};

/// The modes that Clerk can be asked for.
const ENROLLMENT_MODES: &[&str] =
    &["manual_invitation", "automatic_invitation", "automatic_suggestion", "enterprise_sso"];

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
        column("organization_domain_id", Text, Path(&["id"]), "The organization domain's id.").id().aliases(&["id"]),
        column("organization_id", Text, Path(&["organization_id"]), "The organization's id.").parent("organizations"),
        column("name", Text, Path(&["name"]), "The domain, such as example.com.").filters(&[narrowing(Equal { has_prefix: false }, "domains"), narrowing(Contains, "query")]),
        column("enrollment_mode", Text, Path(&["enrollment_mode"]), "How people with an address of the domain join: manual_invitation, automatic_invitation, automatic_suggestion or enterprise_sso.").filters(&[exact(One { values: ENROLLMENT_MODES }, "enrollment_mode")]),
        column("affiliation_email_address", Text, Path(&["affiliation_email_address"]), "The address that proved that the organization belongs to the domain."),
        column("total_pending_invitations", Integer, Path(&["total_pending_invitations"]), "How many invitations for addresses of the domain are pending."),
        column("total_pending_suggestions", Integer, Path(&["total_pending_suggestions"]), "How many suggestions for addresses of the domain are pending."),
        column("created_at", Time, Path(&["created_at"]), "When the domain was added.").creation_time(),
        column("updated_at", Time, Path(&["updated_at"]), "When it last changed.").update_time(),
        column("affiliation_verification", Json, Path(&["affiliation_verification"]), "How and when that was proved."),
        column("ownership_verification", Json, Path(&["ownership_verification"]), "How and when it was proved that the organization owns the domain."),
        column("verification", Json, Path(&["verification"]), "The same as affiliation_verification, under its older name."),
        column("public_organization_data", Json, Path(&["public_organization_data"]), "What everybody may know about the organization."),
        column("attrs", Json, Whole, "The whole object exactly as Clerk sent it.").private(),
    ],
    events: &[Event::upsert("organizationDomain.created"), Event::upsert("organizationDomain.updated"), Event::delete("organizationDomain.deleted")],
    ..Object::BLANK
};
