//! The list of all forms.

use super::form::Write;
use super::{
    access, billing, connections, enterprise, identifications, instance, invitations, machines, memberships,
    organization_domains, organization_invitations, organizations, parts, role_sets, roles, sessions, settings, users,
    waitlist,
};
use crate::endpoint;

/// Every endpoint of Clerk's Backend API with another method than GET that the simulator answers, by their subjects. A
/// test compares this list with Clerk's OpenAPI file.
pub const WRITES: &[&[Write]] = &[
    users::WRITES,
    parts::WRITES,
    identifications::WRITES,
    organizations::WRITES,
    memberships::WRITES,
    invitations::WRITES,
    organization_invitations::WRITES,
    organization_domains::WRITES,
    waitlist::WRITES,
    access::WRITES,
    settings::WRITES,
    instance::WRITES,
    roles::WRITES,
    role_sets::WRITES,
    sessions::WRITES,
    machines::WRITES,
    connections::WRITES,
    enterprise::WRITES,
    billing::WRITES,
];

/// The write that a request is for, and the ids of its path.
pub(crate) fn find<'a>(method: &str, path: &[&'a str]) -> Option<(&'static Write, Vec<&'a str>)> {
    let mut writes = WRITES.iter().copied().flatten();
    writes.find_map(|write| {
        let ids = endpoint::ids(write.path, path)?;
        (write.method == method).then_some((write, ids))
    })
}

/// The methods of the writes that a path has.
pub(crate) fn methods(path: &[&str]) -> Vec<&'static str> {
    let writes = WRITES.iter().copied().flatten();
    writes.filter(|write| endpoint::ids(write.path, path).is_some()).map(|write| write.method).collect()
}
