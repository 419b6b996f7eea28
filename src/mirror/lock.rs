//! The lock that keeps two syncs of one mirror apart: a session's, so that it outlasts the sync's transactions. And
//! those that keep changes of one object apart, and deliveries of one webhook, until their transaction ends: whoever comes
//! second sees what the first has done, even that there is no row.
//!
//! They are locks of "objects" in the extension's own tables. No SQL command takes a lock of that kind, unlike an
//! advisory one, which anybody who may connect can take and keep.

use std::ffi::CStr;
use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys;

use crate::error::FdwError;
use crate::mirror::model::{Entry, Table};
use crate::pg::sandbox::bookkeeping_table;

/// The lock of something that a table of the extension's own stands for.
fn tag(table: &CStr, id: u32, sub_id: u16) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads what was set when the backend connected.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: bookkeeping_table(table).to_u32(),
        locktag_field3: id,
        locktag_field4: sub_id,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

/// Held until it is dropped, or the transaction fails, or the backend ends.
pub struct Lock(pg_sys::LOCKTAG);

impl Lock {
    /// Takes the lock, or says who has it. `clerk_fdw_internal.syncing` shows it.
    pub fn take(mirror: &Entry, wait: bool) -> Result<Lock, FdwError> {
        let tag = tag(c"mirror", mirror.number as u32, 0);
        // SAFETY: the tag is complete; the lock is released below, or by Postgres after an error.
        let taken = unsafe { pg_sys::LockAcquire(&tag, pg_sys::ExclusiveLock as i32, true, !wait) };
        match taken {
            pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL => Err(FdwError::Syncing(mirror.name.clone())),
            _ => Ok(Lock(tag)),
        }
    }
}

/// Takes the same lock until the transaction ends, if nobody has it.
pub fn try_sync(number: i32) -> bool {
    acquire(&tag(c"mirror", number as u32, 0), true)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // SAFETY: the tag is the one that was taken. Nothing here looks at the transaction, which may have failed.
        unsafe { pg_sys::LockRelease(&self.0, pg_sys::ExclusiveLock as i32, true) };
    }
}

/// Waits until nobody else takes in the webhook of an id.
pub fn webhook(mirror: &Entry, id: &str) {
    acquire(&hashed(c"webhook_event", (mirror.number, id)), false);
}

/// Takes the same lock if nobody has it.
pub fn try_webhook(mirror: &Entry, id: &str) -> bool {
    acquire(&hashed(c"webhook_event", (mirror.number, id)), true)
}

/// Waits until nobody else changes an object.
pub fn object(mirror: &Entry, table: &Table, id: &str) {
    // Waiting can be cancelled, and takes no longer than lock_timeout.
    acquire(&of_object(mirror, table, id), false);
}

/// Takes the same lock if nobody has it.
pub fn try_object(mirror: &Entry, table: &Table, id: &str) -> bool {
    acquire(&of_object(mirror, table, id), true)
}

fn of_object(mirror: &Entry, table: &Table, id: &str) -> pg_sys::LOCKTAG {
    hashed(c"mirror_table", (mirror.number, table.object.name, id))
}

/// The lock of something that has a key in a table of the extension's own. Two that happen to have one lock wait for each
/// other without need, which does no harm.
fn hashed(table: &CStr, key: impl Hash) -> pg_sys::LOCKTAG {
    // Every backend hashes alike: this one has no random keys.
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let hash = hasher.finish();
    tag(table, hash as u32, (hash >> 32) as u16)
}

/// The lock is the transaction's, which releases it at its end.
fn acquire(tag: &pg_sys::LOCKTAG, at_once: bool) -> bool {
    // SAFETY: the tag is complete.
    let taken = unsafe { pg_sys::LockAcquire(tag, pg_sys::ExclusiveLock as i32, false, at_once) };
    taken != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
