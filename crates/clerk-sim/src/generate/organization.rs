//! Generates organizations and their memberships.

use std::collections::HashSet;

use fake::rand::Rng;
use serde_json::value::RawValue;

use super::user::raw_text;
use super::{id, image, metadata, name, time};
use crate::object::{Membership, Organization, User};
use crate::schema;
use crate::table::Row;

/// The `index`-th organization of the instance.
pub(super) fn organization(
    random: &mut impl Rng,
    index: usize,
    created_at: i64,
    founder: Option<&User>,
) -> Organization {
    let organization_id = id::new("org_", random, created_at);
    let name = match index % 97 {
        11 => "Very Long Holding Company Name ".repeat(8).trim().to_owned(),
        _ => name::company(random),
    };
    let slug = format!("{}-{index}", name::slug(&name));
    let active = random.random_bool(0.8).then(|| time::day(time::since(random, created_at)));
    let public = raw_text(metadata::public(random));
    let private = raw_text(metadata::private(random).unwrap_or_else(|| "{}".to_owned()));
    // An organization that was created with the Backend API need not have a creator.
    let created_by = founder.filter(|_| !random.random_bool(0.05));

    let organization = schema::Organization {
        object: "organization",
        id: &organization_id,
        name: &name,
        slug: &slug,
        image_url: &image::url(random),
        has_image: random.random_bool(0.5),
        max_allowed_memberships: [0, 5, 20, 500][index % 4],
        admin_delete_enabled: random.random_bool(0.9),
        public_metadata: &public,
        private_metadata: &private,
        created_by: created_by.map(|user| user.id.as_str()),
        created_at,
        updated_at: random.random_range(created_at..time::END),
        last_active_at: active,
        role_set_key: random.random_bool(0.5).then_some("role_set:default"),
    };
    let json = serde_json::to_string(&organization).expect("a made-up organization can be written as JSON");
    Organization::read(json).expect("a made-up organization has an organization's fields")
}

/// Generates memberships: the founders' first, then random ones, so that a few organizations have most of the members.
pub(super) fn memberships(
    random: &mut impl Rng,
    users: &[User],
    organizations: &[Organization],
    founders: &[Option<usize>],
    count: usize,
) -> Vec<Membership> {
    let empty = raw_text("{}".to_owned());
    let count = count.min(users.len().saturating_mul(organizations.len()));
    let mut pairs: Vec<(usize, usize)> = founders
        .iter()
        .enumerate()
        .filter_map(|(organization, founder)| founder.map(|user| (user, organization)))
        .take(count)
        .collect();
    let mut known: HashSet<(usize, usize)> = pairs.iter().copied().collect();
    let founded = pairs.len();
    while pairs.len() < count {
        let crowded: f64 = random.random::<f64>().powi(3);
        let mut user = random.random_range(0..users.len());
        let mut organization = (organizations.len() as f64 * crowded) as usize;
        // If the pair exists already, the next pair that does not is used.
        while !known.insert((user, organization)) {
            user += 1;
            if user == users.len() {
                user = 0;
                organization = (organization + 1) % organizations.len();
            }
        }
        pairs.push((user, organization));
    }
    pairs
        .into_iter()
        .enumerate()
        .map(|(index, (user, organization))| {
            let (user, organization) = (&users[user], &organizations[organization]);
            membership(random, user, organization, index < founded, &empty)
        })
        .collect()
}

fn membership(
    random: &mut impl Rng,
    user: &User,
    organization: &Organization,
    founder: bool,
    empty: &RawValue,
) -> Membership {
    let earliest = user.created_at().max(organization.created_at());
    let created_at = if founder { earliest } else { time::since(random, earliest) };
    let role = match random.random_range(0..20) {
        _ if founder => "org:admin",
        0 | 1 => "org:admin",
        2 => "org:billing_manager",
        _ => "org:member",
    };
    let (role_name, permissions) = schema::role(role);
    let public = raw_text(
        match random.random_range(0..4) {
            0 => r#"{"team":"Größenordnung","since":2024}"#,
            _ => "{}",
        }
        .to_owned(),
    );
    let membership = schema::Membership {
        object: "organization_membership",
        id: &id::new("orgmem_", random, created_at),
        role,
        role_name: &role_name,
        permissions,
        public_metadata: &public,
        private_metadata: empty,
        created_at,
        updated_at: random.random_range(created_at..time::END),
    };
    let json = serde_json::to_string(&membership).expect("a made-up membership can be written as JSON");
    Membership::read(json, user.id.clone(), organization.id.clone())
        .expect("a made-up membership has a membership's fields")
}
