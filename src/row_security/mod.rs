//! Row security: whom the person behind a request may see in a mirror.
//!
//! | room | question |
//! | --- | --- |
//! | [`claims`] | Who is the request from? |
//! | [`people`] | Which organizations are theirs, and who is in them? |
//! | [`policy`] | Which policies and views say so? |

use pgrx::prelude::*;
use pgrx::{AnyElement, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::mirror::config::{Entry, Which};

mod claims;
mod people;
mod policy;

pub use policy::forget;

extension_sql_file!("../../sql/row_security.sql", name = "row_security", requires = ["webhook"]);

/// Prepares what a library that is loaded does once.
pub fn install() {
    people::install();
}

/// What a mirror consists of, or what it is called, has changed: every backend finds it out anew.
pub fn changed() {
    people::changed();
}

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
    array(people::organizations(mirror).or_raise())
}

#[pg_extern(sql = false)]
fn current_people(mirror: Option<i32>, only: Option<&str>) -> Option<AnyElement> {
    let mirror = mirror?;
    let people = match only {
        Some(person) => people::person(mirror, person),
        None => people::people(mirror),
    };
    array(people.or_raise())
}

/// An array of texts as a function returns it. One that may have 50,000 members is not taken apart.
fn array(datum: pg_sys::Datum) -> Option<AnyElement> {
    // SAFETY: the datum is a text[] in the memory of the function's caller.
    unsafe { AnyElement::from_polymorphic_datum(datum, false, pg_sys::TEXTARRAYOID) }
}

#[pg_extern(sql = false)]
fn enable_row_security(mirror: Option<&str>, show_members: Option<bool>) {
    let mirror = mirror.ok_or(FdwError::Null("mirror")).or_raise();
    policy::enable(mirror, show_members.unwrap_or(false)).or_raise();
}

#[pg_extern(sql = false)]
fn disable_row_security(mirror: Option<&str>) {
    let entry = Entry::load(Which::Name(mirror.ok_or(FdwError::Null("mirror")).or_raise())).or_raise();
    policy::disable(&entry).or_raise();
}
