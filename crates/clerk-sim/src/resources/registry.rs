//! The lists of all forms: every kind and every route.

use super::kind::Kind;
use super::route::Route;
use super::{access, billing, enterprise, instance_settings, invitations, machines, organizations, roles, sessions};
use crate::entry::Entry;
use crate::state::State;

/// Every kind. Those that others refer to come first, because they are generated in this order.
pub(super) const KINDS: &[&[Kind]] = &[
    roles::KINDS,
    instance_settings::KINDS,
    access::KINDS,
    invitations::KINDS,
    organizations::KINDS,
    sessions::KINDS,
    enterprise::KINDS,
    machines::KINDS,
    billing::KINDS,
];

/// Every route. Of two that match the same path the first one answers, and the first one of a kind shows how its
/// objects look.
pub(crate) const ROUTES: &[&[Route]] = &[
    invitations::ROUTES,
    organizations::ROUTES,
    roles::ROUTES,
    sessions::ROUTES,
    access::ROUTES,
    instance_settings::ROUTES,
    enterprise::ROUTES,
    machines::ROUTES,
    billing::ROUTES,
];

/// How many routes there are.
pub(crate) const ROUTE_COUNT: usize = {
    let mut count = 0;
    let mut group = 0;
    while group < ROUTES.len() {
        count += ROUTES[group].len();
        group += 1;
    }
    count
};

/// The kind with a name. Those of billing are also known with `billing_` before it, and subscriptions with who has
/// them before that.
pub(crate) fn kind_named(name: &str) -> Option<&'static Kind> {
    let name = match name {
        "user_billing_subscriptions" | "organization_billing_subscriptions" => "subscriptions",
        name => name.strip_prefix("billing_").unwrap_or(name),
    };
    KINDS.iter().copied().flatten().find(|kind| kind.name == name)
}

/// Whether an object is one of those that a name stands for: of the subscriptions of users or of organizations, only
/// the ones that have such a payer.
pub(crate) fn is_meant(name: &str, entry: &Entry) -> bool {
    match name {
        "user_billing_subscriptions" => entry.value("user_id").is_string(),
        "organization_billing_subscriptions" => entry.value("organization_id").is_string(),
        _ => true,
    }
}

impl Kind {
    /// An object as the first endpoint of its kind shows it.
    pub(crate) fn shown(&self, state: &State, entry: &Entry) -> String {
        let mut routes = ROUTES.iter().copied().flatten();
        let route = routes.find(|route| route.kind == self.name);
        route.map_or_else(|| entry.json.clone(), |route| route.shown(state, entry))
    }
}
