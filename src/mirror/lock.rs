//! The lock that keeps two syncs of one mirror apart: a session's, so that it outlasts the sync's transactions. And
//! those that keep changes of one object apart until their transaction ends: whoever comes second sees what the first
//! has done, even that there is no row.
//!
//! They are locks of "objects" in the extension's own tables. No SQL command takes a lock of that kind, unlike an
//! advisory one, which anybody who may connect can take and keep.

use std::ffi::CStr;
use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys;

use super::config::{Entry, Table};
use crate::error::FdwError;
use crate::sandbox::bookkeeping_table;

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
    // SAFETY: the tag is complete; the transaction releases the lock at its end.
    let taken =
        unsafe { pg_sys::LockAcquire(&tag(c"mirror", number as u32, 0), pg_sys::ExclusiveLock as i32, false, true) };
    taken != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

impl Drop for Lock {
    fn drop(&mut self) {
        // SAFETY: the tag is the one that was taken. Nothing here looks at the transaction, which may have failed.
        unsafe { pg_sys::LockRelease(&self.0, pg_sys::ExclusiveLock as i32, true) };
    }
}

/// For changes of many objects, such as a page of them.
pub fn all_objects(mirror: &Entry, table: &Table) {
    acquire(&all(mirror, table), pg_sys::ExclusiveLock);
}

/// For changes of some that are not known beforehand, such as all that belong to a deleted object.
pub fn some_objects(mirror: &Entry, table: &Table) {
    acquire(&all(mirror, table), pg_sys::ShareLock);
}

/// For changes of one.
pub fn object(mirror: &Entry, table: &Table, id: &str) {
    some_objects(mirror, table);
    acquire(&hashed((mirror.number, table.object.name, Some(id))), pg_sys::ExclusiveLock);
}

fn all(mirror: &Entry, table: &Table) -> pg_sys::LOCKTAG {
    hashed((mirror.number, table.object.name, None))
}

/// Two that happen to have one lock wait for each other without need, which does no harm.
fn hashed(what: (i32, &str, Option<&str>)) -> pg_sys::LOCKTAG {
    // Every backend hashes alike: this one has no random keys.
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    let hash = hasher.finish();
    tag(c"mirror_table", hash as u32, (hash >> 32) as u16)
}

fn acquire(tag: &pg_sys::LOCKTAG, mode: u32) {
    // SAFETY: the tag is complete. The lock is the transaction's, which releases it at its end; waiting for it can be
    // cancelled and takes no longer than lock_timeout.
    unsafe { pg_sys::LockAcquire(tag, mode as i32, false, false) };
}
