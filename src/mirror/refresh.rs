//! Syncs single objects in the caller's transaction.

use std::sync::Arc;

use clerk_api::catalog::{Access, Column, KeyColumn, object_with_access};
use clerk_api::{Client, Fetch, Page, Query, json};

use crate::error::{FdwError, OrRaise};
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::remove::{RowFilter, remove, what_belongs_to};
use crate::mirror::lock;
use crate::mirror::model::{Mirror, MirrorRef, Table};
use crate::mirror::sync::session::{check_instance, next};
use crate::mirror::timestamp::Timestamp;
use crate::pg::deferral::in_subtransaction_beside_caller;
use crate::pg::subtransaction::Failure;
use crate::remote::io_thread::Pages;

/// Syncs one object and returns its row.
pub fn sync_object(mirror: &str, object: &str, id: &str, fallback: bool) -> Option<String> {
    let mirror = Mirror::load(MirrorRef::Name(mirror)).or_raise();
    let table = mirror.table(object).or_raise();
    or_row(&mirror, &table, id, fallback, |client| one(&mirror, client, &table, id))
}

/// Syncs a user together with the user's memberships and organizations, and returns the user's row.
pub fn sync_user(mirror: &str, id: &str, fallback: bool) -> Option<String> {
    let mirror = Mirror::load(MirrorRef::Name(mirror)).or_raise();
    let tables = mirror.tables(None).or_raise();
    let of = |access: Access| tables.iter().find(|table| table.object.access == access);
    let Some(users) = of(Access::User) else {
        let object = object_with_access(Access::User).map_or("", |object| object.name).to_owned();
        FdwError::NotMirrored { mirror: mirror.name.clone(), object, have: Vec::new() }.raise()
    };
    or_row(&mirror, users, id, fallback, |client| {
        let mut answers = vec![ask_by_id(&mirror, client, users, id)?];
        let mut memberships = None;
        if let Some(table) = of(Access::Membership)
            && let Some(key) = table.object.parent(users.object).and_then(|user| table.object.key_column(user.name))
        {
            let organizations = of(Access::Organization);
            let organization = organizations.and_then(|organizations| table.object.parent(organizations.object));
            let theirs = ask(&mirror, client, table, key, id.to_owned(), organization)?;
            if let Some(organizations) = organizations {
                for organization in &theirs.others {
                    answers.push(ask_by_id(&mirror, client, organizations, organization)?);
                }
            }
            memberships = Some(theirs);
        }
        // Every transaction takes the locks in this order (by object, and within an object by id), so that two of them
        // cannot deadlock.
        for answer in &answers {
            answer.apply(&mirror)?;
        }
        let Some(memberships) = memberships else { return Ok(()) };
        memberships.apply(&mirror)?;
        let Some(user_id) = memberships.table.parent_with_access(Access::User) else { return Ok(()) };
        let gone = RowFilter {
            with: Some((user_id, id)),
            older_than: Some(memberships.since),
            except: Some(&memberships.ids),
            among: None,
        };
        remove(&mirror, memberships.table, gone, None).map(drop)
    })
}

/// Runs the action and returns the row. With `fallback` set, it returns the row as it is if Clerk cannot be reached.
fn or_row(
    mirror: &Mirror,
    table: &Table,
    id: &str,
    fallback: bool,
    action: impl Fn(&Arc<Client>) -> Result<(), FdwError>,
) -> Option<String> {
    let done = in_subtransaction_beside_caller(mirror.owner, || {
        let (client, _) = mirror.server.connect(mirror.owner)?;
        check_instance(mirror, &client, false)?;
        action(&client)
    });
    match done {
        Ok(()) => {}
        Err(failure) if fallback && failure.is_unreachable() => {
            warn(table, id, &failure).or_raise();
        }
        Err(failure) => failure.raise(),
    }
    Merge::row(table, id).or_raise()
}

/// Warns that the row is not Clerk's current state, and says how old it is.
fn warn(table: &Table, id: &str, failure: &Failure) -> Result<(), FdwError> {
    let (name, synced_at) = (&table.name, table.synced_at());
    let age = table.value(
        &format!(
            "SELECT date_trunc('second', clock_timestamp() - t.{synced_at})
               FROM {name} t WHERE {}",
            table.is("t", table.id(), "$1")
        ),
        &[Some(id)],
    )?;
    let what = match age {
        Some(age) => format!("the row is {age} old"),
        None => "there is no row".to_owned(),
    };
    pgrx::warning!("Clerk could not be reached for {} {id}: {what} ({})", table.object.name, failure.message());
    Ok(())
}

/// Fetches one object, or deletes its row if Clerk has deleted the object.
fn one(mirror: &Mirror, client: &Arc<Client>, table: &Table, id: &str) -> Result<(), FdwError> {
    ask_by_id(mirror, client, table, id)?.apply(mirror)
}

/// Fetches one object through a lookup endpoint whose response contains it, or deletes its row.
pub fn fetch(
    mirror: &Mirror,
    client: &Arc<Client>,
    table: &Table,
    id: &str,
    key: &'static KeyColumn,
    value: String,
) -> Result<(), FdwError> {
    ask(mirror, client, table, key, value, None)?.for_object(id).apply(mirror)
}

/// Fetches one object without changing the table.
fn ask_by_id<'t>(mirror: &Mirror, client: &Arc<Client>, table: &'t Table, id: &str) -> Result<Found<'t>, FdwError> {
    let (key, value) = match table.object.get_by_id() {
        Some(key) => (key, id.to_owned()),
        None => owner(table, id)?,
    };
    Ok(ask(mirror, client, table, key, value, None)?.for_object(id))
}

/// The lookup that finds an object which Clerk cannot look up by its id: the list of its parent, whose id is in the
/// object's row.
pub fn owner(table: &Table, id: &str) -> Result<(&'static KeyColumn, String), FdwError> {
    let unknown = || FdwError::NotFoundById { object: table.object.name, id: id.to_owned() };
    for key in table.object.key_columns {
        let Some(column) = table.column(key.column) else { continue };
        let of = table.is("t", table.id(), "$1");
        let query = format!("SELECT t.{column} FROM {} t WHERE {of}", table.name);
        if let Some(owner) = table.value(&query, &[Some(id)])? {
            return Ok((key, owner));
        }
    }
    Err(unknown())
}

/// What Clerk has returned for a lookup. All requests are made before any lock is taken: a lock held during a request
/// would make other transactions wait for Clerk, and could make them wait for each other.
struct Found<'t> {
    table: &'t Table,
    pages: Vec<Page>,
    ids: Vec<String>,
    /// The ids of the parents, such as a membership's organization, sorted and without duplicates.
    others: Vec<String>,
    /// When the request was made: a row that was written later may be newer than the response.
    since: Timestamp,
    /// The id of the one object that was requested. If the response does not contain it, Clerk has deleted it.
    wanted: Option<String>,
}

/// Fetches the objects that a lookup endpoint returns for a value. `parent` is a column with the ids of parents to
/// collect.
fn ask<'t>(
    mirror: &Mirror,
    client: &Arc<Client>,
    table: &'t Table,
    key: &'static KeyColumn,
    value: String,
    other: Option<&'static Column>,
) -> Result<Found<'t>, FdwError> {
    let since = Timestamp::now();
    let query = Query::Lookup { key, values: vec![value], filters: Vec::new(), order: None };
    let merge = Merge::new(mirror, table, Some(since), false);
    let mut fetch = merge.fetch(Fetch { query, ..Fetch::all(table.object, Vec::new()) });
    let place = fetch.columns.len();
    fetch.columns.extend(other.map(|column| column.source.into()));
    let mut found = Found { table, pages: Vec::new(), ids: Vec::new(), others: Vec::new(), since, wanted: None };
    let mut pages = Pages::start(fetch, Arc::clone(client))?;
    while let Some(page) = next(mirror, &mut pages)? {
        found.ids.extend((0..page.len()).map(|object| page.id(object).into_owned()));
        let others = (0..page.len()).filter_map(|object| json::string(page.value(object, place)?));
        found.others.extend(others.map(|other| other.into_owned()));
        found.pages.push(page);
    }
    found.others.sort();
    found.others.dedup();
    Ok(found)
}

impl Found<'_> {
    fn for_object(self, id: &str) -> Self {
        Found { wanted: Some(id.to_owned()), ..self }
    }

    /// Merges the response into the table.
    fn apply(&self, mirror: &Mirror) -> Result<(), FdwError> {
        let mut ids: Vec<&String> = self.ids.iter().chain(&self.wanted).collect();
        ids.sort();
        ids.dedup();
        for id in ids {
            lock::object(mirror, self.table, id);
        }
        let merge = Merge::new(mirror, self.table, Some(self.since), false);
        for page in &self.pages {
            let objects: Vec<usize> = (0..page.len()).collect();
            merge.objects(page, &objects)?;
        }
        let Some(gone) = self.wanted.as_ref().filter(|wanted| !self.ids.contains(wanted)) else { return Ok(()) };
        let which =
            RowFilter { with: Some((self.table.id(), gone)), older_than: Some(self.since), among: None, except: None };
        remove(mirror, self.table, which, None)?;
        what_belongs_to(mirror, self.table, gone, None)
    }
}
