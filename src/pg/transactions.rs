//! Lets a procedure commit and begin transactions.

use pgrx::pg_sys;

use super::deferral;
use super::spi::check;
use crate::error::{FdwError, OrRaise};

/// The SPI connection of a procedure that may commit.
pub struct Transactions(());

impl Transactions {
    /// Connects and commits the current transaction. Postgres raises an error if the procedure was called inside a
    /// transaction block.
    pub fn begin() -> Result<Self, FdwError> {
        // SAFETY: SPI may be connected at any time in a transaction. `end` closes the connection, or Postgres does
        // after an error.
        check(unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) })?;
        let transactions = Transactions(());
        transactions.commit();
        Ok(transactions)
    }

    /// Commits and begins the next transaction, in which all constraints are immediate so that tenants' triggers cannot
    /// be deferred.
    pub fn commit(&self) {
        // SAFETY: `begin` has opened a nonatomic SPI connection. SPI_commit raises an error if a subtransaction is open
        // or the procedure may not commit.
        unsafe { pg_sys::SPI_commit() };
        deferral::set_all_immediate().or_raise();
    }

    pub fn end(self) -> Result<(), FdwError> {
        // SAFETY: SPI connections nest, and every inner one is closed by the function that opens it, so that the
        // current one is that of `begin`.
        check(unsafe { pg_sys::SPI_finish() })
    }
}
