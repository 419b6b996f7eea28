//! The endpoints that change something.
//!
//! Each of them is a form: its method and path, the fields of its body, and what it does with them. Everything is
//! checked before anything is changed, so that a request that is refused changes nothing. From the bottom to the top:
//!
//! - `time` reads times in RFC 3339
//! - `given`: the fields that a request gives; `form`: what forms consist of; `body` reads bodies by forms
//! - `metadata` merges metadata; `show`: how what was changed is shown, and checks that several subjects share
//! - `members` of the objects in users; `users`, `parts` (of users), `identifications`, `organizations`, `memberships`,
//!   `invitations`, `organization_invitations`, `organization_domains`, `waitlist`, `access`, `settings`, `instance`,
//!   `roles`, `role_sets`, `sessions`, `machines`, `connections`, `enterprise`, `billing`: the forms and what they do, by
//!   their subjects; `identifiers` and `passwords` check what users have
//! - `registry`: the list of all forms

mod access;
mod billing;
mod body;
mod connections;
mod enterprise;
mod form;
mod given;
mod identifications;
mod identifiers;
mod instance;
mod invitations;
mod machines;
mod members;
mod memberships;
mod metadata;
mod organization_domains;
mod organization_invitations;
mod organizations;
mod parts;
mod passwords;
mod registry;
mod role_sets;
mod roles;
mod sessions;
mod settings;
mod show;
mod time;
mod users;
mod waitlist;

pub use form::{Field, Write};
pub use registry::WRITES;
pub(crate) use registry::{find, methods};
