//! Transactions that a procedure begins and ends.

use pgrx::pg_sys;

use super::deferral;
use super::spi::check;
use crate::error::{FdwError, OrRaise};

/// A procedure's SPI connection, in which transactions may end.
pub struct Transactions(());

impl Transactions {
    /// Connects, and commits what the caller has done so far; only where the procedure was called outside a
    /// transaction block.
    pub fn begin() -> Result<Self, FdwError> {
        // SAFETY: finished below, or by Postgres after an error.
        check(unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) })?;
        let transactions = Transactions(());
        transactions.commit();
        Ok(transactions)
    }

    /// Commits, and begins the next transaction, in which nothing that tenants wrote can be deferred.
    pub fn commit(&self) {
        // SAFETY: no subtransaction is open and no other role is set, or Postgres raises an error.
        unsafe { pg_sys::SPI_commit() };
        deferral::check_at_once().or_raise();
    }

    pub fn end(self) -> Result<(), FdwError> {
        // SAFETY: the connection of `begin` is the current one.
        check(unsafe { pg_sys::SPI_finish() })
    }
}
