//! Shows Clerk's users, organizations and memberships as PostgreSQL tables.
//!
//! ```sql
//! CREATE EXTENSION clerk_fdw;
//! CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw;
//! CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_live_…');
//! CREATE SCHEMA clerk;
//! IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
//! SELECT user_id, email, created_at FROM clerk.users LIMIT 10;
//! ```
//!
//! This crate contains the code that calls Postgres. The crate `clerk-api` describes Clerk's API and contains its
//! client. Each module uses only those below it:
//!
//! | module | question |
//! | --- | --- |
//! | [`functions`] | Which functions and procedures can SQL call? |
//! | [`modify`] | How do INSERT, UPDATE and DELETE reach Clerk? |
//! | [`worker`] | How do syncs run in background workers? |
//! | [`webhook`] | How are webhooks checked and applied to mirrors? |
//! | [`access`] | Which rows of a mirror may the user behind a request see? |
//! | [`mirror`] | How are local tables kept in sync with Clerk? |
//! | [`fdw`] | How do queries on foreign tables become requests, and objects become rows? |
//! | [`remote`] | How is the connection to Clerk made, with which API key, and on which thread do requests run, and how many may start? |
//! | [`options`] | Which options do servers, user mappings, tables and columns have? |
//! | [`pg`] | How are SPI, roles, subtransactions, settings and other parts of Postgres used? |
//! | [`error`] | With which SQLSTATE, message and hint is an error raised? |

#![warn(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure is an error with an SQLSTATE and an explanation"
)]
#![warn(clippy::print_stderr, clippy::print_stdout, reason = "a backend has nobody who reads them")]

use pgrx::AllocatedByRust;
use supabase_wrappers::FdwRoutine;
use supabase_wrappers::prelude::*;

use crate::error::FdwError;
use crate::fdw::exec::{analyze, explain, scan};
use crate::fdw::plan::{create_plan, paths, sizes, upper_paths};
use crate::modify::exec;

mod access;
mod error;
mod fdw;
mod functions;
mod mirror;
mod modify;
mod options;
mod pg;
mod remote;
mod webhook;
mod worker;

pgrx::pg_module_magic!();

/// Postgres calls this when it has loaded the library: in a backend at the first use, or in the postmaster if
/// shared_preload_libraries names the library.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::settings::define();
    pg::utility::install(&[pg::sandbox::check_utility, modify::copy::check_utility]);
    access::visible_users::install();
    modify::arbiter::install();
    fdw::lookup_join::install();
    // SAFETY: the postmaster sets this flag before it loads libraries and clears it afterwards, on the thread that runs
    // this.
    if unsafe { pgrx::pg_sys::process_shared_preload_libraries_in_progress } {
        pg::settings::set_preloaded();
        remote::budget::reserve();
        worker::background::register();
    }
}

pgrx::extension_sql!(
    r#"
COMMENT ON FUNCTION clerk_fdw_handler() IS 'The handler of the foreign-data wrapper, for a CREATE FOREIGN DATA WRAPPER of your own.';
COMMENT ON FUNCTION clerk_fdw_validator(pg_catalog.text[], pg_catalog.oid) IS
'Checks the options of servers, user mappings, foreign tables and their columns. Postgres calls it.

options: The options, as name=value.
catalog: The system catalog that the object is in.

Errors: HV00D for an option that does not exist, HV024 for a value that is not valid, HV00J for a table without the option object.';
COMMENT ON FUNCTION clerk_fdw_meta() IS
'The name and version of the foreign-data wrapper.

name: The name of the wrapper''s type in the code.
version: The version.
author: Who wrote it.
website: Where it is to be found.';
CREATE FOREIGN DATA WRAPPER clerk_fdw HANDLER clerk_fdw_handler VALIDATOR clerk_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER clerk_fdw IS 'Clerk''s users, organizations and memberships';
-- pgrx writes these three without a search_path.
ALTER FUNCTION clerk_fdw_handler() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION clerk_fdw_validator(pg_catalog.text[], pg_catalog.oid) SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION clerk_fdw_meta() SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION clerk_fdw_handler() FROM PUBLIC;
REVOKE ALL ON FUNCTION clerk_fdw_validator(pg_catalog.text[], pg_catalog.oid) FROM PUBLIC;
REVOKE ALL ON FUNCTION clerk_fdw_meta() FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA clerk_fdw, clerk_fdw_internal FROM PUBLIC;
"#,
    name = "wrapper",
    finalize
);

/// The foreign-data wrapper. The macro of `supabase-wrappers` makes its handler, its validator and their SQL from this.
#[wrappers_fdw(version = "1.0.0", author = "the clerk_fdw contributors", website = "", error_type = "FdwError")]
pub struct ClerkFdw;

impl ForeignDataWrapper<FdwError> for ClerkFdw {
    fn new(_: ForeignServer) -> Result<Self, FdwError> {
        Ok(ClerkFdw)
    }

    /// Replaces the framework's callbacks with those of [`fdw`] and [`modify`], because the framework's keep a pointer in
    /// the plan, leak memory on errors and copy each value. Its other callbacks would use the same state, so they are
    /// replaced as well.
    fn fdw_routine_hook(routine: &mut FdwRoutine<AllocatedByRust>) {
        routine.ImportForeignSchema = Some(fdw::import::import_foreign_schema);
        routine.GetForeignRelSize = Some(sizes::get_foreign_rel_size);
        routine.GetForeignPaths = Some(paths::get_foreign_paths);
        routine.GetForeignPlan = Some(create_plan::get_foreign_plan);
        routine.GetForeignUpperPaths = Some(upper_paths::get_foreign_upper_paths);
        routine.ExplainForeignScan = Some(explain::explain_foreign_scan);
        routine.BeginForeignScan = Some(scan::begin_foreign_scan);
        routine.IterateForeignScan = Some(scan::iterate_foreign_scan);
        routine.ReScanForeignScan = Some(scan::re_scan_foreign_scan);
        routine.EndForeignScan = Some(scan::end_foreign_scan);
        routine.AnalyzeForeignTable = Some(analyze::analyze_foreign_table);
        routine.IsForeignRelUpdatable = Some(modify::plan::is_foreign_rel_updatable);
        routine.AddForeignUpdateTargets = Some(modify::plan::add_foreign_update_targets);
        routine.PlanForeignModify = Some(modify::plan::plan_foreign_modify);
        routine.ExplainForeignModify = Some(modify::explain::explain_foreign_modify);
        routine.BeginForeignModify = Some(exec::begin_foreign_modify);
        routine.BeginForeignInsert = Some(exec::begin_foreign_insert);
        routine.GetForeignModifyBatchSize = Some(exec::get_foreign_modify_batch_size);
        routine.ExecForeignInsert = Some(exec::exec_foreign_insert);
        routine.ExecForeignBatchInsert = Some(exec::exec_foreign_batch_insert);
        routine.ExecForeignUpdate = Some(exec::exec_foreign_update);
        routine.ExecForeignDelete = Some(exec::exec_foreign_delete);
        routine.EndForeignInsert = Some(exec::end_foreign_insert);
        routine.EndForeignModify = Some(exec::end_foreign_modify);
    }

    fn validator(options: Vec<Option<String>>, catalog: Option<pgrx::pg_sys::Oid>) -> Result<(), FdwError> {
        options::validate::validate(options, catalog)
    }

    fn begin_scan(
        &mut self,
        _: &[Qual],
        _: &[Column],
        _: &[Sort],
        _: &Option<Limit>,
        _: &std::collections::HashMap<String, String>,
    ) -> Result<(), FdwError> {
        Err(FdwError::NotThroughTheFramework)
    }

    fn iter_scan(&mut self, _: &mut Row) -> Result<Option<()>, FdwError> {
        Err(FdwError::NotThroughTheFramework)
    }

    fn end_scan(&mut self) -> Result<(), FdwError> {
        Err(FdwError::NotThroughTheFramework)
    }
}
