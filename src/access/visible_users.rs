//! Which organizations are the current user's, and which users they may see.
//!
//! A policy that read memberships would come upon the policy on memberships, and so without end. So they are read here
//! with the rights of the tables' owner, whom policies do not concern, and nothing is told but of the current user.
//!
//! Every query under row security asks this, so that it has to be quick: one prepared statement. What it was prepared
//! from is looked up again only after something about the mirror or its tables has changed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::{IntoDatum, pg_guard, pg_sys};

use super::claims::claims;
use clerk_api::catalog::Access;

use crate::error::FdwError;
use crate::mirror::invalidation;
use crate::mirror::model::{Entry, MirrorRef, Table};
use crate::pg::sandbox::run_as;
use crate::pg::spi::Prepared;

/// What a mirror knows of users.
struct Directory {
    /// With whose rights its tables are read.
    owner: pg_sys::Oid,
    /// The organizations of the user `$1`; `$2` is the active one.
    organizations: Prepared,
    /// The users whom the user `$1` may see, likewise.
    users: Prepared,
    /// Of them only `$3`.
    user: Prepared,
}

thread_local! {
    /// By the mirror's number. Of one that is gone, nothing.
    static DIRECTORIES: RefCell<HashMap<i32, Option<Directory>>> = RefCell::default();
}

/// Something has changed since the directories were made.
static IS_STALE: AtomicBool = AtomicBool::new(false);

/// The organizations of the current user, as text[].
pub fn organizations(mirror: i32) -> Result<pg_sys::Datum, FdwError> {
    ask(mirror, |directory| &directory.organizations, None)
}

/// The ids of the users whom the current user may see, as text[].
pub fn all(mirror: i32) -> Result<pg_sys::Datum, FdwError> {
    ask(mirror, |directory| &directory.users, None)
}

/// The same if only one of them matters: the larger an organization, the less is its whole list to be made for one row.
pub fn one(mirror: i32, user_id: &str) -> Result<pg_sys::Datum, FdwError> {
    ask(mirror, |directory| &directory.user, Some(user_id))
}

fn ask(mirror: i32, which: impl Fn(&Directory) -> &Prepared, user: Option<&str>) -> Result<pg_sys::Datum, FdwError> {
    let none = || Vec::<String>::new().into_datum().unwrap_or(pg_sys::Datum::null());
    let claims = claims();
    let Some(user_id) = &claims.user_id else { return Ok(none()) };
    if IS_STALE.swap(false, Ordering::Relaxed) {
        DIRECTORIES.take().into_values().flatten().for_each(Directory::end);
    }
    if !DIRECTORIES.with_borrow(|known| known.contains_key(&mirror)) {
        let directory = Directory::of(mirror)?;
        DIRECTORIES.with_borrow_mut(|known| known.insert(mirror, directory));
    }
    let found = DIRECTORIES
        .with_borrow(|known| known.get(&mirror)?.as_ref().map(|directory| (directory.owner, which(directory).clone())));
    let Some((owner, prepared)) = found else { return Ok(none()) };
    let mut values = vec![Some(&**user_id), claims.organization_id.as_deref()];
    values.extend(user.map(Some));
    let found = run_as(owner, || prepared.datum(&values))?;
    Ok(found.unwrap_or_else(none))
}

impl Directory {
    fn of(mirror: i32) -> Result<Option<Directory>, FdwError> {
        let mirror = match Entry::of_anyone(MirrorRef::Number(mirror)) {
            Err(FdwError::NoMirror(_)) => return Ok(None),
            mirror => mirror?,
        };
        let tables = Tables {
            users: mirror.table_with_access(Access::User)?,
            organizations: mirror.table_with_access(Access::Organization)?,
            memberships: mirror.table_with_access(Access::Membership)?,
        };
        let owner = tables.owner().unwrap_or(mirror.owner);
        run_as(owner, || {
            Ok(Some(Directory {
                owner,
                organizations: Prepared::new(&tables.query_for_organizations(), 2)?,
                users: Prepared::new(&tables.query_for_users(), 2)?,
                user: Prepared::new(&tables.query_for_user(), 3)?,
            }))
        })
    }

    fn end(self) {
        self.organizations.end();
        self.users.end();
        self.user.end();
    }
}

/// The tables that say who belongs to what, as far as the mirror has them.
struct Tables {
    users: Option<Table>,
    organizations: Option<Table>,
    memberships: Option<Table>,
}

impl Tables {
    /// The owner of all of them, if it is one.
    fn owner(&self) -> Option<pg_sys::Oid> {
        let mut owners =
            [&self.users, &self.organizations, &self.memberships].into_iter().flatten().map(|table| table.owner());
        let first = owners.next()?;
        owners.all(|owner| owner == first).then_some(first)
    }

    /// The condition that the current user is one who has any rights: neither deleted nor banned.
    fn is_entitled(&self) -> String {
        self.users.as_ref().map_or("true".to_owned(), |users| {
            let banned = users.banned().map_or(String::new(), |banned| format!(" AND u.{banned} IS NOT TRUE"));
            format!(
                "EXISTS (SELECT FROM {} u WHERE u.{}::text = $1 AND u.{} IS NULL{banned})",
                users.name,
                users.id(),
                users.deleted_at()
            )
        })
    }

    /// The condition that an organization, which is an expression, is not deleted.
    fn is_live(&self, organization: &str) -> String {
        self.organizations.as_ref().map_or("true".to_owned(), |organizations| {
            format!(
                "EXISTS (SELECT FROM {} o WHERE o.{}::text = {organization} AND o.{} IS NULL)",
                organizations.name,
                organizations.id(),
                organizations.deleted_at()
            )
        })
    }

    /// The memberships and their columns for the user and the organization.
    fn memberships(&self) -> Option<(&Table, &str, &str)> {
        let memberships = self.memberships.as_ref()?;
        Some((
            memberships,
            memberships.parent_with_access(Access::User)?,
            memberships.parent_with_access(Access::Organization)?,
        ))
    }

    fn query_for_organizations(&self) -> String {
        let entitled = self.is_entitled();
        let Some((memberships, user_id, organization_id)) = self.memberships() else {
            return format!("SELECT ARRAY(SELECT $2 WHERE $2 IS NOT NULL AND {entitled} AND {})", self.is_live("$2"));
        };
        let organization = format!("m.{organization_id}::text");
        format!(
            "SELECT ARRAY(SELECT {organization} FROM {} m WHERE m.{user_id}::text = $1 AND m.{} IS NULL
                             AND {} AND {entitled})",
            memberships.name,
            memberships.deleted_at(),
            self.is_live(&organization)
        )
    }

    fn query_for_users(&self) -> String {
        let entitled = self.is_entitled();
        match self.fellow_members() {
            None => format!("SELECT ARRAY(SELECT $1 WHERE {entitled})"),
            Some((user_id, members)) => {
                format!("SELECT ARRAY(SELECT $1 WHERE {entitled} UNION SELECT {user_id} {members} AND {entitled})")
            }
        }
    }

    fn query_for_user(&self) -> String {
        let entitled = self.is_entitled();
        match self.fellow_members() {
            None => format!("SELECT ARRAY(SELECT $3 WHERE $3 = $1 AND {entitled})"),
            Some((user_id, members)) => format!(
                "SELECT ARRAY(SELECT $3 WHERE ($3 = $1 OR EXISTS (SELECT {members} AND {user_id} = $3)) AND {entitled})"
            ),
        }
    }

    /// The expression for a member's id, and where the members of the user's organizations are found.
    fn fellow_members(&self) -> Option<(String, String)> {
        let (memberships, user_id, organization_id) = self.memberships()?;
        let (name, deleted_at) = (&memberships.name, memberships.deleted_at());
        let members = format!(
            "FROM {name} m JOIN {name} other ON other.{organization_id} = m.{organization_id}
              WHERE m.{user_id}::text = $1 AND m.{deleted_at} IS NULL AND other.{deleted_at} IS NULL AND {}",
            self.is_live(&format!("m.{organization_id}::text"))
        );
        Some((format!("other.{user_id}::text"), members))
    }
}

/// Learns of changes to mirrors and their tables.
pub fn install() {
    invalidation::register(forget);
}

/// Postgres tells that some table has changed.
#[pg_guard]
unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, _relation: pg_sys::Oid) {
    IS_STALE.store(true, Ordering::Relaxed);
}
