//! Looks up the organizations of the current user, and the users whom the current user may see.
//!
//! A policy that read the memberships would be subject to the policy on the memberships, and so recurse without end. So
//! they are read here with the rights of the tables' owner, whom policies do not concern, and only the current user's
//! are returned.
//!
//! Every query under row security calls this, so it has to be fast: it executes one prepared statement. What the
//! statement was prepared from is looked up again only after something about the mirror or its tables has changed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::{IntoDatum, pg_guard, pg_sys};

use clerk_api::catalog::Access;

use super::claims::claims;
use crate::error::FdwError;
use crate::mirror::invalidation;
use crate::mirror::model::{Entry, MirrorRef, Table};
use crate::pg::sandbox::run_as;
use crate::pg::spi::{Executing, Prepared};

/// The statements that look up users in a mirror.
struct Directory {
    /// The role whose rights are used to read the tables.
    owner: pg_sys::Oid,
    /// The organizations of the user `$1`, whose active organization is `$2`.
    organizations: Prepared,
    /// The users whom the user `$1` may see, with the same parameters.
    users: Prepared,
    /// The user `$3`, if the user `$1` may see them.
    user: Prepared,
}

thread_local! {
    /// The directories by the mirror's number; `None` for a mirror that has been dropped.
    static DIRECTORIES: RefCell<HashMap<i32, Option<Directory>>> = RefCell::default();
    /// How many statements of directories are being executed, one within another.
    static EXECUTING: Cell<u32> = const { Cell::new(0) };
}

/// Whether a table has changed since the directories were made.
static IS_STALE: AtomicBool = AtomicBool::new(false);

/// The organizations of the current user, as text[].
pub fn organizations(mirror: i32) -> Result<pg_sys::Datum, FdwError> {
    lookup(mirror, |directory| &directory.organizations, None)
}

/// The ids of the users whom the current user may see, as text[].
pub fn visible_user_ids(mirror: i32) -> Result<pg_sys::Datum, FdwError> {
    lookup(mirror, |directory| &directory.users, None)
}

/// The id of one user, if the current user may see them, as text[]. For a single row this avoids making the list of a
/// large organization's members.
pub fn visible_user_id(mirror: i32, user_id: &str) -> Result<pg_sys::Datum, FdwError> {
    lookup(mirror, |directory| &directory.user, Some(user_id))
}

/// Executes one of a directory's statements for the current user, and returns its text[]. It is empty without a user or a
/// mirror, and never null.
fn lookup(
    mirror: i32,
    statement: impl Fn(&Directory) -> &Prepared,
    only_user_id: Option<&str>,
) -> Result<pg_sys::Datum, FdwError> {
    let empty = || Vec::<String>::new().into_datum().unwrap_or(pg_sys::Datum::null());
    let claims = claims();
    let Some(user_id) = &claims.user_id else { return Ok(empty()) };
    // A statement can run code of the tables' owner, such as a cast to text, that calls this again. The statement's plan
    // must not be freed then, so directories are dropped only while none of their statements is being executed.
    if EXECUTING.get() == 0 && IS_STALE.swap(false, Ordering::Relaxed) {
        for directory in DIRECTORIES.take().into_values().flatten() {
            // SAFETY: EXECUTING says that no directory's statement is being executed.
            unsafe { directory.free() };
        }
    }
    if !DIRECTORIES.with_borrow(|directories| directories.contains_key(&mirror)) {
        let directory = Directory::load(mirror)?;
        DIRECTORIES.with_borrow_mut(|directories| directories.insert(mirror, directory));
    }
    let found = DIRECTORIES.with_borrow(|directories| {
        directories.get(&mirror)?.as_ref().map(|directory| (directory.owner, statement(directory).clone()))
    });
    let Some((owner, prepared)) = found else { return Ok(empty()) };
    let mut values = vec![Some(&**user_id), claims.organization_id.as_deref()];
    values.extend(only_user_id.map(Some));
    let _executing = Executing::begin(&EXECUTING);
    let ids = run_as(owner, || prepared.datum(&values))?;
    Ok(ids.unwrap_or_else(empty))
}

impl Directory {
    fn load(mirror: i32) -> Result<Option<Directory>, FdwError> {
        let mirror = match Entry::load_for_anyone(MirrorRef::Number(mirror)) {
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
                organizations: Prepared::new(&tables.organizations_query(), 2)?,
                users: Prepared::new(&tables.users_query(), 2)?,
                user: Prepared::new(&tables.user_query(), 3)?,
            }))
        })
    }

    /// Frees the statements.
    ///
    /// # Safety
    /// None of them may be executing.
    unsafe fn free(self) {
        // SAFETY: the caller guarantees that no statement is being executed. The directory is the only one that has
        // them, but for copies that live as long as an execution.
        unsafe {
            self.organizations.free();
            self.users.free();
            self.user.free();
        }
    }
}

/// The tables that say which users belong to which organizations, as far as the mirror has them.
struct Tables {
    users: Option<Table>,
    organizations: Option<Table>,
    memberships: Option<Table>,
}

impl Tables {
    /// The owner of these tables, if all of them have the same one.
    fn owner(&self) -> Option<pg_sys::Oid> {
        let mut owners =
            [&self.users, &self.organizations, &self.memberships].into_iter().flatten().map(|table| table.owner());
        let first = owners.next()?;
        owners.all(|owner| owner == first).then_some(first)
    }

    /// The condition that the current user has any rights: neither deleted nor banned.
    fn is_entitled_sql(&self) -> String {
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

    /// The condition that an organization, given as an SQL expression, is not deleted.
    fn is_live_sql(&self, organization: &str) -> String {
        self.organizations.as_ref().map_or("true".to_owned(), |organizations| {
            format!(
                "EXISTS (SELECT FROM {} o WHERE o.{}::text = {organization} AND o.{} IS NULL)",
                organizations.name,
                organizations.id(),
                organizations.deleted_at()
            )
        })
    }

    /// The memberships with their columns for the user and the organization.
    fn memberships(&self) -> Option<(&Table, &str, &str)> {
        let memberships = self.memberships.as_ref()?;
        Some((
            memberships,
            memberships.parent_with_access(Access::User)?,
            memberships.parent_with_access(Access::Organization)?,
        ))
    }

    fn organizations_query(&self) -> String {
        let entitled = self.is_entitled_sql();
        let Some((memberships, user_id, organization_id)) = self.memberships() else {
            return format!(
                "SELECT ARRAY(SELECT $2 WHERE $2 IS NOT NULL AND {entitled} AND {})",
                self.is_live_sql("$2")
            );
        };
        let organization = format!("m.{organization_id}::text");
        format!(
            "SELECT ARRAY(SELECT {organization} FROM {} m WHERE m.{user_id}::text = $1 AND m.{} IS NULL
                             AND {} AND {entitled})",
            memberships.name,
            memberships.deleted_at(),
            self.is_live_sql(&organization)
        )
    }

    fn users_query(&self) -> String {
        let entitled = self.is_entitled_sql();
        match self.members_sql() {
            None => format!("SELECT ARRAY(SELECT $1 WHERE {entitled})"),
            Some((user_id, members)) => {
                format!("SELECT ARRAY(SELECT $1 WHERE {entitled} UNION SELECT {user_id} {members} AND {entitled})")
            }
        }
    }

    fn user_query(&self) -> String {
        let entitled = self.is_entitled_sql();
        match self.members_sql() {
            None => format!("SELECT ARRAY(SELECT $3 WHERE $3 = $1 AND {entitled})"),
            Some((user_id, members)) => format!(
                "SELECT ARRAY(SELECT $3 WHERE ($3 = $1 OR EXISTS (SELECT {members} AND {user_id} = $3)) AND {entitled})"
            ),
        }
    }

    /// The expression for the id of a member of the user's organizations, and the FROM and WHERE clauses that find
    /// these members.
    fn members_sql(&self) -> Option<(String, String)> {
        let (memberships, user_id, organization_id) = self.memberships()?;
        let (name, deleted_at) = (&memberships.name, memberships.deleted_at());
        let members = format!(
            "FROM {name} m JOIN {name} other ON other.{organization_id} = m.{organization_id}
              WHERE m.{user_id}::text = $1 AND m.{deleted_at} IS NULL AND other.{deleted_at} IS NULL AND {}",
            self.is_live_sql(&format!("m.{organization_id}::text"))
        );
        Some((format!("other.{user_id}::text"), members))
    }
}

/// Registers for the invalidation messages about mirrors and their tables.
pub fn install() {
    invalidation::register(mark_stale);
}

/// Postgres calls this after a table has changed.
#[pg_guard]
extern "C-unwind" fn mark_stale(_argument: pg_sys::Datum, _relation: pg_sys::Oid) {
    IS_STALE.store(true, Ordering::Relaxed);
}
