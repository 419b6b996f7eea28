//! The SQL functions for row security: see `sql/5_row_security.sql`.

use pgrx::prelude::*;
use pgrx::{AnyElement, pg_sys};

use crate::access::{claims, policy, visible_users};
use crate::error::{FdwError, OrRaise};
use crate::mirror::model::{Entry, MirrorRef};

extension_sql_file!("../../sql/5_row_security.sql", name = "row_security", requires = ["webhook"]);

#[pg_extern(sql = false)]
fn current_user_id() -> Option<String> {
    claims::claims().user_id
}

#[pg_extern(sql = false)]
fn current_org_id() -> Option<String> {
    claims::claims().organization_id
}

#[pg_extern(sql = false)]
fn current_org_role() -> Option<String> {
    claims::claims().role
}

#[pg_extern(sql = false)]
fn current_organizations(mirror: i32) -> Option<AnyElement> {
    text_array(visible_users::organizations(mirror).or_raise())
}

#[pg_extern(sql = false)]
fn current_visible_user_ids(mirror: Option<i32>, only_this: Option<&str>) -> Option<AnyElement> {
    let mirror = mirror?;
    let user_ids = match only_this {
        Some(user_id) => visible_users::visible_user_id(mirror, user_id),
        None => visible_users::visible_user_ids(mirror),
    };
    text_array(user_ids.or_raise())
}

/// Returns a text[] to SQL as it is. An array that may have 50,000 elements is not converted to Rust and back.
fn text_array(datum: pg_sys::Datum) -> Option<AnyElement> {
    // SAFETY: the datum comes from `visible_users`, whose functions return a text[] that is not null, copied into the
    // memory context in which this function was called.
    unsafe { AnyElement::from_polymorphic_datum(datum, false, pg_sys::TEXTARRAYOID) }
}

#[pg_extern(sql = false)]
fn enable_row_security(mirror: Option<&str>, show_members: Option<bool>) {
    let mirror = mirror.ok_or(FdwError::Null("mirror")).or_raise();
    policy::enable(mirror, show_members.unwrap_or(false)).or_raise();
}

#[pg_extern(sql = false)]
fn disable_row_security(mirror: Option<&str>) {
    let entry = Entry::load(MirrorRef::Name(mirror.ok_or(FdwError::Null("mirror")).or_raise())).or_raise();
    policy::disable(&entry).or_raise();
}
