//! Who may do and see what as the documentation says: keys, roles, row security.

mod api_key;
mod mirror_role;
mod objects;
mod row_security;
mod visibility;
