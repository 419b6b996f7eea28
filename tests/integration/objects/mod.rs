//! The objects besides users, organizations and memberships: what Clerk is asked for each of them.

mod known_objects;
mod parents;
mod requests;
