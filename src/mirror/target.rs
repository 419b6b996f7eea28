//! Single objects, brought in step at once, in the caller's transaction.

use std::sync::Arc;

use clerk_api::object::{Answer as KeyAnswer, Key};
use clerk_api::{Client, From, Page, Read};

use super::config::{Mirror, Table, Which};
use super::lock;
use super::merge::Merge;
use super::moment::Moment;
use super::remove::{Gone, remove, what_belongs_to};
use super::sync::{check_instance, next};
use crate::attempt::Failure;
use crate::deferral::attempt_beside_caller;
use crate::error::{FdwError, OrRaise};
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
        let of = |object: &str| tables.iter().find(|table| table.object.name == object);
        let mut answers = vec![ask_by_id(&mirror, client, users, id)?];
        let mut memberships = None;
        if let Some(table) = of("organization_memberships")
            && let Some(key) = table.object.key("user_id")
        {
            let theirs = ask(&mirror, client, table, key, id.to_owned(), "organization_id")?;
            if let Some(organizations) = of("organizations") {
                for organization in &theirs.owners {
                    answers.push(ask_by_id(&mirror, client, organizations, organization)?);
                }
            }
            memberships = Some(theirs);
        }
        // Everybody takes the locks in this order: by object, and of one object by id.
        for answer in &answers {
            answer.apply(&mirror)?;
        }
        let Some(memberships) = memberships else { return Ok(()) };
        memberships.apply(&mirror)?;
        let Some(user_id) = memberships.table.column("user_id") else { return Ok(()) };
        let gone = Gone {
            with: Some((user_id, id)),
            older_than: Some(memberships.since),
            except: Some(&memberships.ids),
            among: None,
        };
        remove(&mirror, memberships.table, gone, None).map(drop)
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

/// Fetches one object, or deletes its row.
fn one(mirror: &Mirror, client: &Arc<Client>, table: &Table, id: &str) -> Result<(), FdwError> {
    ask_by_id(mirror, client, table, id)?.apply(mirror)
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
    ask(mirror, client, table, key, value, "")?.for_object(id).apply(mirror)
}

/// Asks Clerk for one object.
fn ask_by_id<'t>(mirror: &Mirror, client: &Arc<Client>, table: &'t Table, id: &str) -> Result<Answer<'t>, FdwError> {
    let by_id = table.object.keys.iter().find(|key| key.answer == KeyAnswer::One);
    let (key, value) = match by_id {
        Some(key) => (key, id.to_owned()),
        None => owner(table, id)?,
    };
    Ok(ask(mirror, client, table, key, value, "")?.for_object(id))
}

/// Clerk does not find every object by its id; then the row tells to whose list it belongs.
pub fn owner(table: &Table, id: &str) -> Result<(&'static Key, String), FdwError> {
    let unknown = || FdwError::NotFoundById { object: table.object.name, id: id.to_owned() };
    for key in table.object.keys {
        let Some(column) = table.column(key.column) else { continue };
        let of = table.is("t", table.id(), "$1");
        let query = format!("SELECT t.{column} FROM {} t WHERE {of}", table.name);
        if let Some(owner) = table.value(&query, &[Some(id)])? {
            return Ok((key, owner));
        }
    }
    Err(unknown())
}

/// What Clerk has answered. It is asked before anything is locked: a lock that is held while Clerk answers would keep
/// others waiting, and for each other.
struct Answer<'t> {
    table: &'t Table,
    pages: Vec<Page>,
    ids: Vec<String>,
    /// The values of a column that leads to other objects, each once and in order.
    owners: Vec<String>,
    /// When it was asked for: a row that was written since may be newer.
    since: Moment,
    /// The one object that it was asked for: without it, it is gone.
    wanted: Option<String>,
}

/// Asks Clerk for what a value of a key leads to.
fn ask<'t>(
    mirror: &Mirror,
    client: &Arc<Client>,
    table: &'t Table,
    key: &'static Key,
    value: String,
    owner: &str,
) -> Result<Answer<'t>, FdwError> {
    let since = Moment::now();
    let from = From::Keys { key, values: vec![value], filters: Vec::new(), order: None };
    let merge = Merge::new(mirror, table, Some(since), false);
    let mut read = merge.ask(Read { from, ..Read::all(table.object, Vec::new()) });
    let owner = table.object.column(owner, true);
    let place = read.values.len();
    read.values.extend(owner.map(|column| column.source.into()));
    let mut answer = Answer { table, pages: Vec::new(), ids: Vec::new(), owners: Vec::new(), since, wanted: None };
    let mut pages = Pages::start(read, Arc::clone(client))?;
    while let Some(page) = next(mirror, &mut pages)? {
        answer.ids.extend((0..page.len()).map(|object| page.id(object).into_owned()));
        let owners = (0..page.len()).filter_map(|object| clerk_api::json::string(page.value(object, place)?));
        answer.owners.extend(owners.map(|owner| owner.into_owned()));
        answer.pages.push(page);
    }
    answer.owners.sort();
    answer.owners.dedup();
    Ok(answer)
}

impl Answer<'_> {
    fn for_object(self, id: &str) -> Self {
        Answer { wanted: Some(id.to_owned()), ..self }
    }

    /// Brings the table in step with the answer.
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
            Gone { with: Some((self.table.id(), gone)), older_than: Some(self.since), among: None, except: None };
        remove(mirror, self.table, which, None)?;
        what_belongs_to(mirror, self.table, gone, None)
    }
}
