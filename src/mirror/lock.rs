//! The locks that keep two syncs of one mirror apart, two changes of one object, two deliveries of one webhook, and a
//! delivery and the end of its mirror.
//!
//! A sync's lock is held by the session, so it outlasts the sync's transactions. The locks of objects and of webhooks
//! are held until the transaction ends: a transaction that had to wait sees what the other one has committed, even that
//! there is no row.
//!
//! They are locks on "objects" (LOCKTAG_OBJECT) in the extension's own tables. No SQL command takes such a lock, unlike
//! an advisory lock, which every role that may connect can take and keep.

use std::ffi::CStr;
use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys;

use crate::error::FdwError;
use crate::mirror::model::{Entry, Table};
use crate::pg::sandbox::bookkeeping_table;

/// The tag of a lock on something that one of the extension's own tables stands for.
fn tag(table: &CStr, id: u32, sub_id: u16) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: MyDatabaseId is an oid that Postgres sets when the backend connects to its database, before any
        // function of the extension can be called, and never changes afterwards.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: bookkeeping_table(table).to_u32(),
        locktag_field3: id,
        locktag_field4: sub_id,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

/// The lock of a mirror's sync. It is held until it is dropped, the transaction fails (which releases a session's locks
/// too), or the backend ends.
pub struct SyncLock(pg_sys::LOCKTAG);

impl SyncLock {
    /// Takes the lock. If another session holds it, this waits for it, or returns an error unless `wait` is set. The
    /// view `clerk_fdw_internal.syncing` shows the lock.
    pub fn acquire(mirror: &Entry, wait: bool) -> Result<SyncLock, FdwError> {
        let tag = tag(c"mirror", mirror.number as u32, 0);
        // SAFETY: LockAcquire copies the tag, whose fields are all set, and the lock mode is one of the default lock
        // method, which the tag names. The lock is released on drop, or by Postgres when the transaction fails.
        let result = unsafe { pg_sys::LockAcquire(&tag, pg_sys::ExclusiveLock as i32, true, !wait) };
        match result {
            pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL => Err(FdwError::Syncing(mirror.name.clone())),
            _ => Ok(SyncLock(tag)),
        }
    }
}

/// Takes the lock of a mirror's sync until the transaction ends, and returns whether no other session held it.
pub fn try_sync(number: i32) -> bool {
    acquire_until_commit(&tag(c"mirror", number as u32, 0), pg_sys::ExclusiveLock, true)
}

/// Waits until no other transaction drops the mirror, and lets none do so until this one ends. The mirror may be gone
/// afterwards. A sync may run meanwhile.
pub fn against_drop(mirror: &Entry) {
    acquire_until_commit(&tag(c"mirror", mirror.number as u32, 0), pg_sys::AccessShareLock, false);
}

/// Waits for the transactions that called [`against_drop`], and makes later ones wait until this one ends.
pub fn for_drop(mirror: &Entry) {
    acquire_until_commit(&tag(c"mirror", mirror.number as u32, 0), pg_sys::AccessExclusiveLock, false);
}

impl Drop for SyncLock {
    fn drop(&mut self) {
        // SAFETY: LockRelease looks for the tag in this backend's table of locks, and only warns if it is not there. It
        // does not look at the transaction, which may have failed when this runs.
        unsafe { pg_sys::LockRelease(&self.0, pg_sys::ExclusiveLock as i32, true) };
    }
}

/// Waits until no other transaction processes the webhook with this id.
pub fn webhook(mirror: &Entry, id: &str) {
    acquire_until_commit(&hashed_tag(c"webhook_event", (mirror.number, id)), pg_sys::ExclusiveLock, false);
}

/// Takes the same lock without waiting, and returns whether no other transaction held it.
pub fn try_webhook(mirror: &Entry, id: &str) -> bool {
    acquire_until_commit(&hashed_tag(c"webhook_event", (mirror.number, id)), pg_sys::ExclusiveLock, true)
}

/// Waits until no other transaction changes this object.
pub fn object(mirror: &Entry, table: &Table, id: &str) {
    // The wait can be cancelled, and lock_timeout limits it.
    acquire_until_commit(&object_tag(mirror, table, id), pg_sys::ExclusiveLock, false);
}

/// Takes the same lock without waiting, and returns whether no other transaction held it.
pub fn try_object(mirror: &Entry, table: &Table, id: &str) -> bool {
    acquire_until_commit(&object_tag(mirror, table, id), pg_sys::ExclusiveLock, true)
}

fn object_tag(mirror: &Entry, table: &Table, id: &str) -> pg_sys::LOCKTAG {
    hashed_tag(c"mirror_table", (mirror.number, table.object.name, id))
}

/// The tag of a lock on something that has a key in one of the extension's own tables. Two keys with the same hash
/// share a lock: then one waits for the other without need, which does no harm.
fn hashed_tag(table: &CStr, key: impl Hash) -> pg_sys::LOCKTAG {
    // DefaultHasher::new() has fixed keys, so every backend computes the same hash.
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let hash = hasher.finish();
    tag(table, hash as u32, (hash >> 32) as u16)
}

/// Takes a lock until the transaction ends. Returns false if `dont_wait` is set and another session holds a lock that
/// conflicts with it.
fn acquire_until_commit(tag: &pg_sys::LOCKTAG, mode: u32, dont_wait: bool) -> bool {
    // SAFETY: LockAcquire copies the tag, whose fields are all set, and the callers pass one of the modes of the default
    // lock method, which the tag names.
    let result = unsafe { pg_sys::LockAcquire(tag, mode as i32, false, dont_wait) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
