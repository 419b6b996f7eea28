//! Lets a procedure commit and begin transactions.

use pgrx::pg_sys;

use super::deferral;
use super::spi::check;
use crate::error::{FdwError, OrRaise};

/// Runs a short action during which a cancel or a shutdown waits, so that it is not met where nothing could record it.
pub fn without_interrupts<T>(action: impl FnOnce() -> T) -> T {
    struct Held;
    impl Drop for Held {
        fn drop(&mut self) {
            // SAFETY: the counter belongs to this backend, whose only thread runs this code. An ERROR meanwhile has set
            // it to 0.
            unsafe { pg_sys::InterruptHoldoffCount = pg_sys::InterruptHoldoffCount.saturating_sub(1) }
        }
    }
    // SAFETY: the counter belongs to this backend, whose only thread runs this code.
    unsafe { pg_sys::InterruptHoldoffCount += 1 };
    let _held = Held;
    action()
}

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
    /// be deferred. No subtransaction is open here, in which a cancel would be caught and logged, so it waits.
    pub fn commit(&self) {
        without_interrupts(|| {
            // SAFETY: `begin` has opened a nonatomic SPI connection. SPI_commit raises an error if a subtransaction is
            // open or the procedure may not commit.
            unsafe { pg_sys::SPI_commit() };
            deferral::set_all_immediate().or_raise();
        });
    }

    pub fn end(self) -> Result<(), FdwError> {
        // SAFETY: SPI connections nest, and every inner one is closed by the function that opens it, so that the
        // current one is that of `begin`.
        check(unsafe { pg_sys::SPI_finish() })
    }
}
