//! What EXPLAIN says about a scan: the requests that it makes, in Clerk's own words. Nothing is sent for it.

use std::ffi::CString;

use pgrx::{pg_guard, pg_sys};

use crate::error::OrRaise;
use crate::option;
use crate::plan::ScanPlan;

/// Postgres prints one node of a plan.
#[pg_guard]
pub unsafe extern "C-unwind" fn explain_foreign_scan(
    node: *mut pg_sys::ForeignScanState,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: the node is a scan of a foreign table of ours, whose relation is open.
    unsafe {
        let plan = ScanPlan::of((*node).ss.ps.plan.cast());
        let table = option::table((*(*node).ss.ss_currentRelation).rd_id).or_raise();
        let request = match plan.key.and_then(|key| table.object.key(&key)) {
            Some(key) => format!("GET {}", key.path),
            None => match plan.enough {
                Some(rows) => format!("GET {}, {rows} of them if no more are needed", table.object.list),
                None => format!("GET {}, every page", table.object.list),
            },
        };
        let request = CString::new(request).unwrap_or_default();
        pg_sys::ExplainPropertyText(c"Clerk".as_ptr(), request.as_ptr(), explain);
    }
}
