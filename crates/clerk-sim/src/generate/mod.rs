//! Generates users, organizations and memberships with the variety of real ones.

pub(crate) mod id;
mod image;
pub(crate) mod metadata;
pub(crate) mod name;
mod organization;
pub(crate) mod time;
mod user;

use fake::rand::Rng;

use crate::config::Config;
use crate::object::{Membership, Organization, User};

pub(crate) use time::END;

pub(crate) struct Instance {
    pub(crate) users: Vec<User>,
    pub(crate) organizations: Vec<Organization>,
    pub(crate) memberships: Vec<Membership>,
}

/// Generates an instance of the configured size. It has fewer memberships if there are not enough pairs of a user and
/// an organization.
pub(crate) fn instance(random: &mut impl Rng, config: &Config) -> Instance {
    let created = time::creations(random, config.users);
    let users: Vec<User> = created
        .into_iter()
        .enumerate()
        .map(|(index, created_at)| user::user(random, index, created_at, config.lone_surrogates))
        .collect();
    let created = time::creations(random, config.organizations);
    let mut founders = Vec::new();
    let organizations: Vec<Organization> = created
        .into_iter()
        .enumerate()
        .map(|(index, created_at)| {
            let founder = (!users.is_empty()).then(|| random.random_range(0..users.len()));
            founders.push(founder);
            let founder = founder.and_then(|place| users.get(place));
            organization::organization(random, index, created_at, founder)
        })
        .collect();
    let memberships = organization::memberships(random, &users, &organizations, &founders, config.memberships);
    Instance { users, organizations, memberships }
}
