//! Syncs single objects in the caller's transaction.

use std::sync::Arc;

use clerk_api::catalog::{Access, Column, KeyColumn, object_with_access};
use clerk_api::{Client, Fetch, Page, Query, json};

use crate::error::{FdwError, OrRaise};
use crate::mirror::apply::merge::Merge;
use crate::mirror::apply::remove::{RowFilter, remove, remove_children};
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
    run_and_return_row(&mirror, &table, id, fallback, |client| sync_by_id(&mirror, client, &table, id))
}

/// Syncs a user together with the user's memberships and organizations, and returns the user's row.
pub fn sync_user(mirror: &str, id: &str, fallback: bool) -> Option<String> {
    let mirror = Mirror::load(MirrorRef::Name(mirror)).or_raise();
    let tables = mirror.tables(None).or_raise();
    let table_with = |access: Access| tables.iter().find(|table| table.object.access == access);
    let Some(users) = table_with(Access::User) else {
        let object = object_with_access(Access::User).map_or("", |object| object.name).to_owned();
        FdwError::NotMirrored { mirror: mirror.name.clone(), object, have: Vec::new() }.raise()
    };
    run_and_return_row(&mirror, users, id, fallback, |client| {
        let mut responses = vec![fetch_by_id(&mirror, client, users, id)?];
        let element_tables = mirror.element_tables(users.object)?;
        let elements = fetch_elements(&mirror, client, users, &element_tables, id)?;
        let mut memberships = None;
        if let Some(table) = table_with(Access::Membership)
            && let Some(key) = table.object.parent(users.object).and_then(|user| table.object.key_column(user.name))
        {
            let organizations = table_with(Access::Organization);
            let organization_id = organizations.and_then(|organizations| table.object.parent(organizations.object));
            let response = lookup(&mirror, client, table, key, id.to_owned(), organization_id)?;
            if let Some(organizations) = organizations {
                for organization_id in &response.parent_ids {
                    responses.push(fetch_by_id(&mirror, client, organizations, organization_id)?);
                }
            }
            memberships = Some(response);
        }
        // Every transaction takes the locks in this order (by object, and within an object by id), so that two of them
        // cannot deadlock.
        for response in &responses {
            response.apply(&mirror)?;
        }
        if let Some(memberships) = memberships {
            memberships.apply(&mirror)?;
            if let Some(user_id) = memberships.table.parent_with_access(Access::User) {
                memberships.remove_others(&mirror, user_id, id)?;
            }
        }
        replace_elements(&mirror, &elements, id)
    })
}

/// Runs the action and returns the row. With `fallback` set, it returns the row as it is if Clerk cannot be reached.
fn run_and_return_row(
    mirror: &Mirror,
    table: &Table,
    id: &str,
    fallback: bool,
    action: impl Fn(&Arc<Client>) -> Result<(), FdwError>,
) -> Option<String> {
    let result = in_subtransaction_beside_caller(mirror.owner, || {
        let (client, _) = mirror.server.connect(mirror.owner)?;
        check_instance(mirror, &client, false)?;
        action(&client)
    });
    match result {
        Ok(()) => {}
        Err(failure) if fallback && failure.is_unreachable() => {
            warn_of_old_row(table, id, &failure).or_raise();
        }
        Err(failure) => failure.raise(),
    }
    Merge::row_json(table, id).or_raise()
}

/// Warns that the row is not Clerk's current state, and says how old it is.
fn warn_of_old_row(table: &Table, id: &str, failure: &Failure) -> Result<(), FdwError> {
    let (name, synced_at) = (&table.name, table.synced_at());
    let age = table.value(
        &format!(
            "SELECT date_trunc('second', clock_timestamp() - t.{synced_at})
               FROM {name} t WHERE {}",
            table.equals_sql("t", table.id(), "$1")
        ),
        &[Some(id)],
    )?;
    let state = match age {
        Some(age) => format!("the row is {age} old"),
        None => "there is no row".to_owned(),
    };
    pgrx::warning!("Clerk could not be reached for {} {id}: {state} ({})", table.object.name, failure.message());
    Ok(())
}

/// Fetches one object, or deletes its row if Clerk has deleted the object.
fn sync_by_id(mirror: &Mirror, client: &Arc<Client>, table: &Table, id: &str) -> Result<(), FdwError> {
    let response = fetch_by_id(mirror, client, table, id)?;
    apply_with_elements(mirror, client, &response, id)
}

/// Fetches one object through a lookup endpoint whose response contains it, or deletes its row.
pub fn sync_by_lookup(
    mirror: &Mirror,
    client: &Arc<Client>,
    table: &Table,
    id: &str,
    key: &'static KeyColumn,
    value: String,
) -> Result<(), FdwError> {
    let response = lookup(mirror, client, table, key, value, None)?.for_object(id);
    apply_with_elements(mirror, client, &response, id)
}

/// Merges an object together with the rows that are elements of it. The elements are fetched after the object: if it is
/// deleted in between, they are gone with it, and none is left over.
fn apply_with_elements(mirror: &Mirror, client: &Arc<Client>, response: &Response, id: &str) -> Result<(), FdwError> {
    let element_tables = mirror.element_tables(response.table.object)?;
    let elements = fetch_elements(mirror, client, response.table, &element_tables, id)?;
    response.apply(mirror)?;
    replace_elements(mirror, &elements, id)
}

/// Fetches the rows that are elements of an object, such as the email addresses of a user. Each response comes with the
/// column of its table that holds the object's id.
fn fetch_elements<'t>(
    mirror: &Mirror,
    client: &Arc<Client>,
    owner: &Table,
    tables: &'t [Table],
    id: &str,
) -> Result<Vec<(&'t str, Response<'t>)>, FdwError> {
    let mut responses = Vec::new();
    for table in tables {
        let Some(parent) = table.object.parent(owner.object) else { continue };
        let Some((column, key)) = table.column(parent.name).zip(table.object.key_column(parent.name)) else { continue };
        responses.push((column, lookup(mirror, client, table, key, id.to_owned(), None)?));
    }
    Ok(responses)
}

/// Replaces the rows that are elements of an object by those that Clerk returned.
fn replace_elements(mirror: &Mirror, elements: &[(&str, Response)], id: &str) -> Result<(), FdwError> {
    for (column, response) in elements {
        response.apply(mirror)?;
        response.remove_others(mirror, column, id)?;
    }
    Ok(())
}

/// Fetches one object without changing the table.
fn fetch_by_id<'t>(
    mirror: &Mirror,
    client: &Arc<Client>,
    table: &'t Table,
    id: &str,
) -> Result<Response<'t>, FdwError> {
    let (key, value) = match table.object.get_by_id() {
        Some(key) => (key, id.to_owned()),
        None => lookup_of_parent(table, id)?
            .ok_or_else(|| FdwError::NotFoundById { object: table.object.name, id: id.to_owned() })?,
    };
    Ok(lookup(mirror, client, table, key, value, None)?.for_object(id))
}

/// The lookup that finds an object which Clerk cannot look up by its id: the list of its parent, whose id is in the
/// object's row. `None` if no row says so.
pub fn lookup_of_parent(table: &Table, id: &str) -> Result<Option<(&'static KeyColumn, String)>, FdwError> {
    for key in table.object.key_columns {
        let Some(column) = table.column(key.column) else { continue };
        let has_id = table.equals_sql("t", table.id(), "$1");
        let query = format!("SELECT t.{column} FROM {} t WHERE {has_id}", table.name);
        if let Some(parent_id) = table.value(&query, &[Some(id)])? {
            return Ok(Some((key, parent_id)));
        }
    }
    Ok(None)
}

/// What Clerk has returned for a lookup. All requests are made before any lock is taken: a lock held during a request
/// would make other transactions wait for Clerk, and could make them wait for each other.
struct Response<'t> {
    table: &'t Table,
    pages: Vec<Page>,
    ids: Vec<String>,
    /// The ids of the parents, such as a membership's organization, sorted and without duplicates.
    parent_ids: Vec<String>,
    /// When the request was made: a row that was written later may be newer than the response.
    requested_at: Timestamp,
    /// The id of the one object that was requested. If the response does not contain it, Clerk has deleted it.
    requested_id: Option<String>,
}

/// Fetches the objects that a lookup endpoint returns for a value. `parent` is a column with the ids of parents to
/// collect.
fn lookup<'t>(
    mirror: &Mirror,
    client: &Arc<Client>,
    table: &'t Table,
    key: &'static KeyColumn,
    value: String,
    parent: Option<&'static Column>,
) -> Result<Response<'t>, FdwError> {
    let requested_at = Timestamp::now();
    let query = Query::Lookup { key, values: vec![value], filters: Vec::new(), order: None };
    let merge = Merge::new(mirror, table, Some(requested_at), false);
    let mut fetch = merge.fetch(Fetch { query, ..Fetch::all(table.object, Vec::new()) });
    let parent_index = fetch.columns.len();
    fetch.columns.extend(parent.map(|column| column.source.into()));
    let mut response = Response {
        table,
        pages: Vec::new(),
        ids: Vec::new(),
        parent_ids: Vec::new(),
        requested_at,
        requested_id: None,
    };
    let mut pages = Pages::start(fetch, Arc::clone(client))?;
    while let Some(page) = next(mirror, &mut pages)? {
        response.ids.extend((0..page.len()).map(|object| page.id(object).into_owned()));
        let parent_ids = (0..page.len()).filter_map(|object| json::string(page.value(object, parent_index)?));
        response.parent_ids.extend(parent_ids.map(|id| id.into_owned()));
        response.pages.push(page);
    }
    response.parent_ids.sort();
    response.parent_ids.dedup();
    Ok(response)
}

impl Response<'_> {
    /// Marks the response as that to a request for one object.
    fn for_object(self, id: &str) -> Self {
        Response { requested_id: Some(id.to_owned()), ..self }
    }

    /// Removes the rows below a parent that the response does not contain.
    fn remove_others(&self, mirror: &Mirror, parent_column: &str, parent_id: &str) -> Result<(), FdwError> {
        let others = RowFilter {
            column: Some((parent_column, parent_id)),
            written_before: Some(self.requested_at),
            ids: None,
            except_ids: Some(&self.ids),
        };
        remove(mirror, self.table, others, None).map(drop)
    }

    /// Merges the response into the table.
    fn apply(&self, mirror: &Mirror) -> Result<(), FdwError> {
        let mut ids: Vec<&String> = self.ids.iter().chain(&self.requested_id).collect();
        ids.sort();
        ids.dedup();
        for id in ids {
            lock::object(mirror, self.table, id);
        }
        let merge = Merge::new(mirror, self.table, Some(self.requested_at), false);
        for page in &self.pages {
            let objects: Vec<usize> = (0..page.len()).collect();
            merge.objects(page, &objects)?;
        }
        let Some(deleted_id) = self.requested_id.as_ref().filter(|id| !self.ids.contains(id)) else { return Ok(()) };
        let filter = RowFilter {
            column: Some((self.table.id(), deleted_id)),
            written_before: Some(self.requested_at),
            ..RowFilter::default()
        };
        remove(mirror, self.table, filter, None)?;
        remove_children(mirror, self.table, deleted_id, None)
    }
}
