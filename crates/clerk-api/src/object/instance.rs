//! The instance that a key belongs to. It is one object and no table: [`super::OBJECTS`] does not list it.

use super::{Object, Paging};

/// What `GET /instance` gives.
pub const INSTANCE: Object = Object {
    name: "instance",
    description: "The Clerk instance itself.",
    list: "/instance",
    paging: Paging::Offset,
    keys: &[],
    orders: &[],
    columns: &[],
};
