//! Single objects, brought in step at once, in the caller's transaction.

use std::sync::Arc;

use clerk_api::object::{Answer, Key};
use clerk_api::{Client, From, Read};

use super::config::{Mirror, Table, Which};
use super::merge::{self, Merge};
use super::sync::{check_instance, next};
use super::{deletes, lock, store, tombstone};
use crate::attempt::Failure;
use crate::deferral::attempt_beside_caller;
use crate::error::{FdwError, OrRaise};
use crate::import::quote_literal;
use crate::io_thread::Pages;

/// Brings one object in step, and gives its row.
pub fn sync_object(mirror: &str, object: &str, id: &str, fallback: bool) -> Option<String> {
    let mirror = Mirror::load(Which::Name(mirror)).or_raise();
    let table = mirror.table(object).or_raise();
    or_row(&mirror, &table, id, fallback, |client| one(&mirror, client, &table, id))
}

/// Brings a user in step with the memberships and the organizations that they are in, and gives the user's row.
pub fn sync_user(mirror: &str, id: &str, fallback: bool) -> Option<String> {
    let mirror = Mirror::load(Which::Name(mirror)).or_raise();
    let tables = mirror.tables(None).or_raise();
    let Some(users) = tables.iter().find(|table| table.object.name == "users") else {
        FdwError::NotMirrored { mirror: mirror.name.clone(), object: "users".to_owned(), have: Vec::new() }.raise()
    };
    or_row(&mirror, users, id, fallback, |client| {
        let since = now()?;
        one(&mirror, client, users, id)?;
        for memberships in &tables {
            let Some(key) = memberships.object.key("user_id").filter(|_| memberships.object.name != "users") else {
                continue;
            };
            let from = From::Keys { key, values: vec![id.to_owned()], filters: Vec::new(), order: None };
            let found = pages(&mirror, client, memberships, from, "organization_id")?;
            let user_id = memberships.column("user_id");
            if let Some(user_id) = user_id {
                // What was written since is newer than Clerk's answer, and what no sync has written is not Clerk's.
                let condition = format!(
                    "t.{user_id} = {} AND t.{} < {since} AND NOT ({})",
                    quote_literal(id),
                    memberships.synced_at(),
                    deletes::among(memberships, &found.ids)
                );
                merge::delete(&mirror, memberships, &condition, merge::NOW)?;
            }
            let organizations = tables.iter().find(|table| table.object.name == "organizations");
            for organization in
                organizations.into_iter().flat_map(|table| found.owners.iter().map(move |id| (table, id)))
            {
                one(&mirror, client, organization.0, organization.1)?;
            }
        }
        Ok(())
    })
}

/// Does it, and gives the row; with a fallback, the row as it is where Clerk cannot be reached.
fn or_row(
    mirror: &Mirror,
    table: &Table,
    id: &str,
    fallback: bool,
    action: impl Fn(&Arc<Client>) -> Result<(), FdwError>,
) -> Option<String> {
    let done = attempt_beside_caller(mirror.owner, || {
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

/// Says how old the row is that stands in for Clerk's.
fn warn(table: &Table, id: &str, failure: &Failure) -> Result<(), FdwError> {
    let (name, column, synced_at) = (&table.name, table.id(), table.synced_at());
    let age = table.value(
        &format!(
            "SELECT date_trunc('second', clock_timestamp() - t.{synced_at})
               FROM {name} t WHERE t.{column} = {}",
            quote_literal(id)
        ),
        &[],
    )?;
    let what = match age {
        Some(age) => format!("the row is {age} old"),
        None => "there is no row".to_owned(),
    };
    pgrx::warning!("Clerk could not be reached for {} {id}: {what} ({})", table.object.name, failure.message());
    Ok(())
}

/// Fetches one object, or deletes its row.
fn one(mirror: &Mirror, client: &Arc<Client>, table: &Table, id: &str) -> Result<(), FdwError> {
    let by_id = table.object.keys.iter().find(|key| key.answer == Answer::One);
    let (key, value) = match by_id {
        Some(key) => (key, id.to_owned()),
        None => owner(table, id)?,
    };
    fetch(mirror, client, table, id, key, value)
}

/// The same, by way of a key whose answer has the object.
pub fn fetch(
    mirror: &Mirror,
    client: &Arc<Client>,
    table: &Table,
    id: &str,
    key: &'static Key,
    value: String,
) -> Result<(), FdwError> {
    lock::object(mirror, table, id);
    let since = now()?;
    let from = From::Keys { key, values: vec![value], filters: Vec::new(), order: None };
    let found = pages(mirror, client, table, from, "")?;
    if !found.ids.iter().any(|found| found == id) {
        let condition = format!("t.{} = {} AND t.{} < {since}", table.id(), quote_literal(id), table.synced_at());
        merge::delete(mirror, table, &condition, merge::NOW)?;
        deletes::what_belongs_to(mirror, table, id, merge::NOW)?;
    }
    Ok(())
}

/// Clerk does not find every object by its id; then the row tells to whose list it belongs.
pub fn owner(table: &Table, id: &str) -> Result<(&'static Key, String), FdwError> {
    let unknown = || FdwError::NotFoundById { object: table.object.name, id: id.to_owned() };
    for key in table.object.keys {
        let Some(column) = table.column(key.column) else { continue };
        let query = format!("SELECT t.{column} FROM {} t WHERE t.{} = {}", table.name, table.id(), quote_literal(id));
        if let Some(owner) = table.value(&query, &[])? {
            return Ok((key, owner));
        }
    }
    Err(unknown())
}

/// The expression for the time that it is now.
fn now() -> Result<String, FdwError> {
    let microseconds = store::value(&format!("SELECT {}", tombstone::microseconds("clock_timestamp()")), &[])?;
    Ok(tombstone::time(microseconds.and_then(|now| now.parse().ok()).unwrap_or_default()))
}

/// What was read.
struct Found {
    ids: Vec<String>,
    /// The values of a column that leads to other objects.
    owners: Vec<String>,
}

fn pages(mirror: &Mirror, client: &Arc<Client>, table: &Table, from: From, owner: &str) -> Result<Found, FdwError> {
    let merge = Merge::new(mirror, table, &now()?, false);
    let mut read = merge.ask(Read { from, ..Read::all(table.object, Vec::new()) });
    let owner = table.object.column(owner, true);
    let place = read.values.len();
    read.values.extend(owner.map(|column| column.source.into()));
    let mut found = Found { ids: Vec::new(), owners: Vec::new() };
    let mut pages = Pages::start(read, Arc::clone(client))?;
    while let Some(page) = next(mirror, &mut pages)? {
        merge.objects(&page, 0..page.len())?;
        found.ids.extend((0..page.len()).map(|object| page.id(object).into_owned()));
        let owners = (0..page.len()).filter_map(|object| clerk_api::json::string(page.value(object, place)?));
        found.owners.extend(owners.map(|owner| owner.into_owned()));
    }
    Ok(found)
}
