//! What a tenant tries who wants more than their own rights, and fails; and secrets that appear nowhere.
//! Every test about `eve` worked as an attack once.

mod bookkeeping;
mod identity;
mod install;
mod sandbox;
mod secret;
