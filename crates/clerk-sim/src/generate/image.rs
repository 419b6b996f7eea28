//! Links to images.

use fake::rand::Rng;

use super::id;

/// A link to an image, as long as Clerk's links.
pub(super) fn url(random: &mut impl Rng) -> String {
    format!("https://img.clerk.com/eyJ0eXBlIjoiZGVmYXVsdCIsImlpZCI6Imluc18{}", id::text(random, 150))
}
