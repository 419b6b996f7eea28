//! Decides when deferrable constraints are checked.
//!
//! A deferred trigger of a tenant would run at COMMIT, when the tenant's rights are no longer in force. Postgres
//! therefore refuses to queue a deferred trigger in a security-restricted operation, and the deferrable constraints of
//! a tenant's tables have to be checked immediately. Constraints that the caller has deferred in this transaction must
//! not be checked early: their queued trigger events are left alone.

use pgrx::pg_sys;

use crate::error::FdwError;
use crate::pg::quote::quote_identifier;
use crate::pg::sandbox;
use crate::pg::spi;
use crate::pg::subtransaction::{Failure, in_subtransaction, retrying_deadlocks};

/// Makes all constraints immediate until this transaction ends. To be called at the beginning of a transaction, when no
/// trigger event is queued that this would fire.
pub fn set_all_immediate() -> Result<(), FdwError> {
    sandbox::as_caller(|| spi::run("SET CONSTRAINTS ALL IMMEDIATE", &[]))
}

/// Runs an action on a tenant's tables in a subtransaction, where the transaction may be one that the caller began.
///
/// Few tables have deferrable constraints, so the first attempt does not change when constraints are checked. Only if
/// it fails because a constraint is deferred, the constraints of the tables that the tenant can write to are made
/// immediate: in the second attempt those that are INITIALLY DEFERRED, in the third all that are deferrable, because
/// the caller may have deferred the others. After the action they are deferred again. The action runs once in each
/// attempt.
pub fn in_subtransaction_beside_caller<T>(
    tenant: pg_sys::Oid,
    mut action: impl FnMut() -> Result<T, FdwError>,
) -> Result<T, Failure> {
    let mut result = retrying_deadlocks(&mut action);
    for include_initially_immediate in [false, true] {
        match result {
            Err(failure) if failure.is_deferral() => {}
            result => return result,
        }
        result = retrying_deadlocks(|| {
            let names = deferrable_constraints(tenant, include_initially_immediate)?;
            set_constraints(&names, "IMMEDIATE")?;
            let result = action()?;
            set_constraints(&names, "DEFERRED")?;
            Ok(result)
        });
    }
    match result {
        Err(failure) if failure.is_deferral() => in_subtransaction(|| Err(FdwError::Deferred)),
        result => result,
    }
}

/// The names, qualified and quoted, of the deferrable constraints on tables that a tenant can write to. A constraint is
/// left out if trigger events are already queued for its table: SET CONSTRAINTS would fire those of the caller.
fn deferrable_constraints(tenant: pg_sys::Oid, include_initially_immediate: bool) -> Result<Vec<String>, FdwError> {
    // SET CONSTRAINTS applies to every constraint of the given name in the schema, on whichever table, and to the
    // constraints that partitions inherit from it, which may have other names.
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
    let values = [Some(&*tenant), Some(if include_initially_immediate { "true" } else { "false" })];
    let rows = sandbox::as_extension_owner(|| spi::rows(query, &values))?;
    let names = rows.into_iter().filter_map(|row| {
        let [Some(schema), Some(name), Some(tables)] = &row[..] else { return None };
        let has_queued_event = tables.split(' ').filter_map(|table| table.parse::<u32>().ok()).any(|table| {
            // SAFETY: AfterTriggerPendingOnRel compares any oid, of a table or not, with this backend's queue of
            // events.
            unsafe { pg_sys::AfterTriggerPendingOnRel(table.into()) }
        });
        (!has_queued_event).then(|| format!("{}.{}", quote_identifier(schema), quote_identifier(name)))
    });
    Ok(names.collect())
}

fn set_constraints(names: &[String], mode: &str) -> Result<(), FdwError> {
    if names.is_empty() {
        return Ok(());
    }
    // The caller may lack USAGE on the tenant's schemas, without which a constraint's name cannot be looked up.
    sandbox::as_extension_owner(|| spi::run(&format!("SET CONSTRAINTS {} {mode}", names.join(", ")), &[]))
}
