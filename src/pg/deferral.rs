//! When deferrable constraints are checked.
//!
//! What a tenant defers would run at COMMIT, when nobody has the tenant's rights any more: Postgres lets no deferred
//! trigger wait in a security-restricted operation. So a tenant's deferrable constraints are checked at once. The
//! caller's must not be: whatever the caller has deferred in this transaction stays as it is, unfired.

use pgrx::pg_sys;

use crate::error::FdwError;
use crate::pg::quote::quote_identifier;
use crate::pg::sandbox;
use crate::pg::spi;
use crate::pg::subtransaction::{Failure, in_subtransaction, retrying_deadlocks};

/// Lets all constraints be checked at once until this transaction ends. At its beginning, when nothing waits that this
/// could fire.
pub fn check_at_once() -> Result<(), FdwError> {
    sandbox::as_caller(|| spi::run("SET CONSTRAINTS ALL IMMEDIATE", &[]))
}

/// Attempts something with a tenant's tables in a transaction that may be somebody else's.
///
/// Few tables have deferrable constraints, so the first attempt changes nothing about when they are checked. Only if
/// it meets one that is deferred, those are told to be checked at once on whose tables the tenant can write: first
/// those that are deferred from the start, then all, because the caller may have deferred the rest. Afterwards they are
/// deferred again. The action runs once for each of these attempts.
pub fn in_subtransaction_beside_caller<T>(
    tenant: pg_sys::Oid,
    mut action: impl FnMut() -> Result<T, FdwError>,
) -> Result<T, Failure> {
    let mut done = retrying_deadlocks(&mut action);
    for all in [false, true] {
        match done {
            Err(failure) if failure.is_deferral() => {}
            done => return done,
        }
        done = retrying_deadlocks(|| {
            let names = deferrable(tenant, all)?;
            set(&names, "IMMEDIATE")?;
            let result = action()?;
            set(&names, "DEFERRED")?;
            Ok(result)
        });
    }
    match done {
        Err(failure) if failure.is_deferral() => in_subtransaction(|| Err(FdwError::Deferred)),
        done => done,
    }
}

/// The constraints that a tenant's code can defer, qualified and quoted. Those for which something of the caller's waits
/// already are left out: naming them would fire it.
fn deferrable(tenant: pg_sys::Oid, all: bool) -> Result<Vec<String>, FdwError> {
    // SET CONSTRAINTS means every constraint of a name in its schema, whichever table it is on, and those of partitions
    // that descend from it, whatever these are called.
    let query = "
        SELECT n.nspname, c.conname, string_agg(DISTINCT concat_ws(' ', t.tgrelid, partition.relid::oid), ' ')
          FROM pg_trigger t
          JOIN pg_constraint c ON c.oid = t.tgconstraint
          JOIN pg_namespace n ON n.oid = c.connamespace
          LEFT JOIN LATERAL pg_partition_tree(t.tgrelid) partition ON true
         WHERE t.tgdeferrable
         GROUP BY n.nspname, c.conname
        HAVING bool_or(t.tginitdeferred OR $2::bool)
           AND bool_or(has_table_privilege($1::oid, t.tgrelid, 'INSERT, UPDATE, DELETE'))";
    let tenant = tenant.to_u32().to_string();
    let values = [Some(&*tenant), Some(if all { "true" } else { "false" })];
    let rows = sandbox::as_extension_owner(|| spi::rows(query, &values))?;
    let names = rows.into_iter().filter_map(|row| {
        let [Some(schema), Some(name), Some(tables)] = &row[..] else { return None };
        let waits = tables.split(' ').filter_map(|table| table.parse::<u32>().ok()).any(|table| {
            // SAFETY: looks through this backend's queue of trigger events.
            unsafe { pg_sys::AfterTriggerPendingOnRel(table.into()) }
        });
        (!waits).then(|| format!("{}.{}", quote_identifier(schema), quote_identifier(name)))
    });
    Ok(names.collect())
}

fn set(names: &[String], mode: &str) -> Result<(), FdwError> {
    if names.is_empty() {
        return Ok(());
    }
    // The caller need not be able to look into the tenant's schemas.
    sandbox::as_extension_owner(|| spi::run(&format!("SET CONSTRAINTS {} {mode}", names.join(", ")), &[]))
}
