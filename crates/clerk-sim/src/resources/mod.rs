//! The objects other than users, organizations and memberships.
//!
//! They are described by forms instead of types: a `Kind` says how objects of one kind are generated, what they belong
//! to and which events tell of their changes; a `Route` says what an endpoint answers. From the bottom to the top:
//!
//! - `maker`: what generators draw from
//! - `kind` and `route`: what forms consist of
//! - `access`, `billing`, `enterprise`, `instance_settings`, `invitations`, `machines`, `organizations`, `roles`,
//!   `sessions`: the forms, by their subjects
//! - `registry`: the lists of all forms
//! - `generation`, `answer`, `changes`: what is done by the forms: the first objects are generated, requests are
//!   answered, and objects are created, changed and deleted

mod access;
mod answer;
mod billing;
mod changes;
mod enterprise;
mod generation;
mod instance_settings;
mod invitations;
mod kind;
mod machines;
mod maker;
mod organizations;
mod registry;
mod roles;
mod route;
mod sessions;

pub(crate) use answer::answer;
pub(crate) use billing::money;
pub(crate) use generation::generate;
pub(crate) use registry::{ROUTE_COUNT, ROUTES, is_meant, kind_named};
