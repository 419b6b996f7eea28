//! The lock that keeps two syncs of one mirror apart: a session's, so that it outlasts the sync's transactions. And
//! those that keep changes of one object apart until their transaction ends: whoever comes second sees what the first
//! has done, even that there is no row.

use pgrx::pg_sys;

use super::config::{Mirror, Table};
use crate::error::FdwError;
use crate::spi;

/// The first key; `clerk_fdw.sync_lock()` says the same to SQL.
const CLASS: u32 = 1_668_047_467;

/// Held until it is dropped, or the backend ends.
pub struct Lock(pg_sys::LOCKTAG);

impl Lock {
    /// Takes the lock, or says who has it.
    pub fn take(mirror: &Mirror, wait: bool) -> Result<Lock, FdwError> {
        const TWO_KEYS: u16 = 2;
        // SAFETY: reads what was set when the backend connected.
        let database = unsafe { pg_sys::MyDatabaseId };
        let tag = pg_sys::LOCKTAG {
            locktag_field1: database.to_u32(),
            locktag_field2: CLASS,
            locktag_field3: mirror.number as u32,
            locktag_field4: TWO_KEYS,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        };
        // SAFETY: an advisory lock's tag; released below.
        let taken = unsafe { pg_sys::LockAcquire(&tag, pg_sys::ExclusiveLock as i32, true, !wait) };
        match taken {
            pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL => Err(FdwError::Syncing(mirror.name.clone())),
            _ => Ok(Lock(tag)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // SAFETY: the tag is the one that was taken. Nothing here looks at the transaction, which may have failed.
        unsafe { pg_sys::LockRelease(&self.0, pg_sys::ExclusiveLock as i32, true) };
    }
}

/// For changes of many objects, such as a page of them.
pub fn all_objects(mirror: &Mirror, table: &Table) -> Result<(), FdwError> {
    let key = format!("clerk_fdw {} {}", mirror.number, table.object.name);
    spi::run("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))", &[Some(&key)])
}

/// For changes of one.
pub fn object(mirror: &Mirror, table: &Table, id: &str) -> Result<(), FdwError> {
    let all = format!("clerk_fdw {} {}", mirror.number, table.object.name);
    let shared = "SELECT pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtextextended($1, 0))";
    spi::run(shared, &[Some(&all)])?;
    let one = format!("{all} {id}");
    spi::run("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))", &[Some(&one)])
}
