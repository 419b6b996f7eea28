//! Clerk's users, organizations and memberships as PostgreSQL tables.
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
//! This crate is the Postgres side; what Clerk is and how it is read lives in the crate `clerk-api`.
//!
//! | room | question |
//! | --- | --- |
//! | [`option`] | What may be said in OPTIONS (…)? |
//! | [`connection`] | Which Clerk does a server mean, and with whose key? |
//! | [`io_thread`] | Where do requests run, and how does the backend wait for them? |
//! | [`condition`] | What does a condition say about a column? |
//! | [`shippable`] | What of a query can Clerk answer? |
//! | [`path`] | Which ways are there to read a table? |
//! | [`cost`] | How many rows and requests does a way take? |
//! | [`plan`] | What does the plan keep for the executor? |
//! | [`value`] | What are the values of a plan's conditions when it runs? |
//! | [`scan`] | How do Clerk's objects become rows? |
//! | [`convert`] | How does a JSON value become a value of a column's type? |
//! | [`encoding`] | How do texts get into databases of other encodings than UTF-8? |
//! | [`import`] | Which tables does IMPORT FOREIGN SCHEMA make? |
//! | [`explain`] | What does EXPLAIN say? |
//! | [`analyze`] | What does ANALYZE look at? |
//! | [`error`] | Under which SQLSTATE does a failure reach the user? |
//! | [`catalogue`] | What does the extension tell of its own catalogue in SQL? |
//! | [`mirror`] | How are local tables kept in step with Clerk? |
//! | [`webhook`] | What becomes of what Clerk tells by itself? |
//! | [`row_security`] | Whom may the person behind a request see? |
//! | [`spi`] | How is SQL run from inside? |
//! | [`attempt`] | How is undone what fails? |
//! | [`sandbox`] | With whose rights is something done, and how does it stay harmless? |
//! | [`deferral`] | When are deferrable constraints checked? |
//! | [`settings`] | What can be set in postgresql.conf? |

use pgrx::AllocatedByRust;
use supabase_wrappers::FdwRoutine;
use supabase_wrappers::prelude::*;

use crate::error::FdwError;

mod analyze;
mod attempt;
mod catalogue;
mod condition;
mod connection;
mod convert;
mod cost;
mod deferral;
mod encoding;
mod error;
mod explain;
mod import;
mod io_thread;
mod mirror;
mod option;
mod path;
mod plan;
mod row_security;
mod sandbox;
mod scan;
mod settings;
mod shippable;
mod spi;
mod value;
mod webhook;

pgrx::pg_module_magic!();

/// The library is loaded: by the first use in a backend, or by the server where shared_preload_libraries names it.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    settings::define();
    sandbox::install();
    row_security::install();
    // SAFETY: set by the server before it loads any library.
    if unsafe { pgrx::pg_sys::process_shared_preload_libraries_in_progress } {
        settings::set_preloaded();
        mirror::background::register();
    }
}

pgrx::extension_sql!(
    r#"
COMMENT ON FUNCTION clerk_fdw_handler() IS 'the handler of the foreign-data wrapper for Clerk';
COMMENT ON FUNCTION clerk_fdw_validator(pg_catalog.text[], pg_catalog.oid) IS 'checks the options of servers, user mappings, foreign tables and their columns';
COMMENT ON FUNCTION clerk_fdw_meta() IS 'the name and version of the foreign-data wrapper for Clerk';
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

/// The foreign-data wrapper: what `supabase-wrappers` makes the SQL functions and the import glue from.
#[wrappers_fdw(version = "1.0.0-dev", author = "the clerk_fdw contributors", website = "", error_type = "FdwError")]
pub struct ClerkFdw;

impl ForeignDataWrapper<FdwError> for ClerkFdw {
    fn new(_: ForeignServer) -> Result<Self, FdwError> {
        Ok(ClerkFdw)
    }

    /// The framework's scan driver keeps a pointer in the plan, loses memory on errors and copies each value: [`plan`]
    /// and [`scan`] take its place. Upper paths and modification would use its state as well.
    fn fdw_routine_hook(routine: &mut FdwRoutine<AllocatedByRust>) {
        routine.ImportForeignSchema = Some(import::import_foreign_schema);
        routine.GetForeignRelSize = Some(plan::get_foreign_rel_size);
        routine.GetForeignPaths = Some(path::get_foreign_paths);
        routine.GetForeignPlan = Some(plan::get_foreign_plan);
        routine.GetForeignUpperPaths = Some(path::get_foreign_upper_paths);
        routine.ExplainForeignScan = Some(explain::explain_foreign_scan);
        routine.BeginForeignScan = Some(scan::begin_foreign_scan);
        routine.IterateForeignScan = Some(scan::iterate_foreign_scan);
        routine.ReScanForeignScan = Some(scan::re_scan_foreign_scan);
        routine.EndForeignScan = Some(scan::end_foreign_scan);
        routine.AnalyzeForeignTable = Some(analyze::analyze_foreign_table);
        routine.AddForeignUpdateTargets = None;
        routine.PlanForeignModify = None;
        routine.BeginForeignModify = None;
        routine.ExecForeignInsert = None;
        routine.ExecForeignUpdate = None;
        routine.ExecForeignDelete = None;
        routine.EndForeignModify = None;
    }

    fn validator(options: Vec<Option<String>>, catalog: Option<pgrx::pg_sys::Oid>) -> Result<(), FdwError> {
        option::validate(options, catalog)
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
