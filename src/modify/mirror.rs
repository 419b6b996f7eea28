//! Shows what was written to the mirrors of the server, in the same transaction, as a webhook would a little later.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clerk_api::catalog::{Answer, Change, Object, Write};
use clerk_api::webhook::Event;
use clerk_api::write::{find_by_id, find_owner};
use clerk_api::{Client, Fetch, Locator, Page, json};

use super::connection::Connection;
use super::ledger;
use crate::error::{FdwError, OrRaise};
use crate::mirror::model::{Mirror, MirrorRef};
use crate::mirror::store;
use crate::mirror::sync::session::check_instance;
use crate::pg::deferral::in_subtransaction_beside_caller;
use crate::pg::encoding::for_message;
use crate::remote::io_thread::Pages;
use crate::webhook::apply::{apply, apply_answer};

/// How many objects of one transaction are shown at most: each keeps a lock until the transaction ends, and all sessions
/// share the table of locks.
const MAX_MIRRORED: u32 = 1000;

/// The mirrors that get to see what is written through a connection.
#[derive(Default)]
pub struct Mirrors(Vec<Mirror>);

thread_local! {
    /// The connections whose key is known to belong to the Clerk instance with an id. A key never belongs to another.
    static KNOWN_INSTANCES: RefCell<Vec<(String, Arc<Client>)>> = const { RefCell::new(Vec::new()) };
}

impl Mirrors {
    /// The mirrors of a connection's server that are read with the same key. Somebody who writes with another key may write
    /// to another Clerk instance, whose objects have no place in the mirror.
    pub fn of(connection: &mut Connection) -> Self {
        if !connection.server.mirrors_writes() {
            return Mirrors::default();
        }
        let client = connection.client().or_raise();
        let query = "SELECT m.number::text FROM clerk_fdw_internal.mirror m WHERE m.server = $1::oid";
        let numbers = store::rows(query, &[Some(&connection.server.oid.to_u32().to_string())]).or_raise();
        let numbers = numbers.into_iter().filter_map(|row| row.into_iter().next()??.parse().ok());
        let mirrors = numbers.filter_map(|number: i32| {
            // Without its owner or its server, a mirror is not kept in step by anything.
            let mirror = Mirror::load_for_anyone(MirrorRef::Number(number)).ok()?;
            let (own, _) = mirror.server.connect(mirror.owner).ok()?;
            // The first sync brings everything.
            let instance = mirror.instance_id.clone()?;
            (own.is_same_instance(&client) && is_of_instance(&mirror, &instance, &client)).then_some(mirror)
        });
        Mirrors(mirrors.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shows an object that was made or changed. `owner` is the id of the object that contains it, where it is an element of
    /// one.
    pub fn changed(
        &self,
        object: &'static Object,
        write: &'static Write,
        answer: &str,
        owner: Option<&str>,
        client: &Arc<Client>,
    ) {
        if self.0.is_empty() {
            return;
        }
        let whole = vec![Locator::Whole];
        let id = json::member(answer, "id").and_then(json::string).map(|id| id.into_owned());
        let (object, fetch) = match (object.elements, write.answer) {
            (Some(_), _) => {
                let Some(owner) = owner else { return };
                (object.listed(), find_owner(object, owner, whole))
            }
            (None, Answer::Object) => {
                // What Clerk shows once has no place in a table that is read again and again.
                let text = without(answer, write.shown_once);
                return self.show(object, &text);
            }
            (None, Answer::Other) => match object.list {
                Some(_) => (object, find_by_id(object, id.as_deref().unwrap_or_default(), &[], whole)),
                None => return,
            },
        };
        let Some(fetch) = fetch else { return };
        match read_one(fetch, client) {
            Ok(Some(text)) => self.show(object, &text),
            Ok(None) => {}
            Err(error) => pgrx::warning!(
                "{}",
                for_message(format!("mirrors do not show yet what was written to {}: {error}", object.name))
            ),
        }
    }

    /// Shows an object as it is now.
    fn show(&self, object: &'static Object, text: &str) {
        let id = Page::of_object(object, text, &[]).map(|page| page.id(0).into_owned());
        self.each(object, |mirror| {
            let id = id.clone().map_err(|problem| FdwError::EventData { object: object.name, problem })?;
            apply_answer(mirror, object, &id, text, now())
        });
    }

    /// Shows that an object was deleted. It was last changed at this time, in Unix milliseconds.
    pub fn deleted(&self, object: &'static Object, id: &str, updated_at: Option<i64>) {
        let happened_at = now().max(updated_at.unwrap_or(0));
        self.each(object, |mirror| {
            let event = Event {
                type_: String::new(),
                object: Some(object),
                change: Change::Delete,
                id: Some(id.to_owned()),
                timestamp_ms: Some(happened_at),
                instance_id: mirror.instance_id.clone(),
                data: "{}",
            };
            apply(mirror, &event, happened_at, false).map(drop)
        });
    }

    /// Does something with each mirror. What a mirror does not take is a warning: Clerk has it, so it would be wrong to
    /// fail, and the event or the next sync brings it.
    fn each(&self, object: &Object, action: impl Fn(&Mirror) -> Result<(), FdwError>) {
        match ledger::count_mirrored() {
            count if count <= MAX_MIRRORED => {}
            count => {
                if count == MAX_MIRRORED + 1 {
                    pgrx::warning!(
                        "mirrors show {MAX_MIRRORED} objects of a transaction at once; the next events or sync bring the others"
                    );
                }
                return;
            }
        }
        for mirror in &self.0 {
            match in_subtransaction_beside_caller(mirror.owner, || action(mirror)) {
                Ok(()) => {}
                Err(failure) if failure.is_interrupt() => failure.raise(),
                Err(failure) => pgrx::warning!(
                    "{}",
                    for_message(format!(
                        "mirror \"{}\" does not show yet what was written to {}: {}",
                        mirror.name,
                        object.name,
                        failure.message()
                    ))
                ),
            }
        }
    }
}

/// The time in Unix milliseconds.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Whether a connection's key belongs to the instance that the mirror was read from. Asked once for each connection.
fn is_of_instance(mirror: &Mirror, instance: &str, client: &Arc<Client>) -> bool {
    let is_known = KNOWN_INSTANCES.with_borrow(|known| {
        known.iter().any(|(other, connection)| other == instance && Arc::ptr_eq(connection, client))
    });
    if is_known {
        return true;
    }
    match check_instance(mirror, client, true) {
        Ok(()) => {
            KNOWN_INSTANCES.with_borrow_mut(|known| {
                known.retain(|(other, _)| other != instance);
                known.push((instance.to_owned(), Arc::clone(client)));
            });
            true
        }
        Err(error) => {
            pgrx::warning!(
                "{}",
                for_message(format!("mirror \"{}\" does not show what is written: {error}", mirror.name))
            );
            false
        }
    }
}

/// The first object that a fetch finds.
fn read_one(fetch: Fetch, client: &Arc<Client>) -> Result<Option<String>, FdwError> {
    let mut pages = Pages::start(fetch, Arc::clone(client))?;
    let server = String::new();
    let page = pages.next().map_err(|error| FdwError::Clerk { error, server })?;
    Ok(page.and_then(|page| Some(page.value(0, 0)?.to_owned())))
}

/// A JSON object without some of its members.
fn without(object: &str, members: &[&str]) -> String {
    if members.is_empty() {
        return object.to_owned();
    }
    match serde_json::from_str::<std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>>(object) {
        Ok(mut all) => {
            all.retain(|name, _| !members.contains(&name.as_str()));
            serde_json::to_string(&all).unwrap_or_default()
        }
        Err(_) => object.to_owned(),
    }
}
