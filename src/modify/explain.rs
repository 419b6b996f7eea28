//! Shows in EXPLAIN to which endpoints a write sends its requests. Values are not shown: they may be passwords.

use std::ffi::c_int;

use clerk_api::catalog::{Object, Write};
use pgrx::{pg_guard, pg_sys};

use super::exec::statement_of;
use crate::error::OrRaise;
use crate::fdw::exec::explain::ExplainOutput;
use crate::options;

/// The callback ExplainForeignModify: adds the properties of one relation of a ModifyTable.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn explain_foreign_modify(
    node: *mut pg_sys::ModifyTableState,
    relation: *mut pg_sys::ResultRelInfo,
    _private: *mut pg_sys::List,
    _subplan: c_int,
    explain: *mut pg_sys::ExplainState,
) {
    // SAFETY: Postgres passes the state of a ModifyTable, a result relation of it, which is an open foreign table of this
    // extension, and the state of the EXPLAIN command.
    unsafe {
        let object = options::table((*(*relation).ri_RelationDesc).rd_id).or_raise().object;
        let output = ExplainOutput(explain);
        output.text(c"Clerk", &endpoints(object, (*node).operation));
        if (*explain).analyze
            && let Some(statement) = statement_of(relation)
        {
            output.integer(c"Requests", statement.connection.requests as i64);
        }
    }
}

/// The endpoints of a command, in the order in which they are called.
fn endpoints(object: &Object, command: pg_sys::CmdType::Type) -> String {
    let writes = &object.writes;
    let endpoints: Vec<&Write> = match command {
        pg_sys::CmdType::CMD_UPDATE => writes.updates.iter().map(|update| update.write()).collect(),
        pg_sys::CmdType::CMD_DELETE => writes.delete.iter().collect(),
        _ => writes.insert.iter().collect(),
    };
    let shown = endpoints.iter().map(|write| format!("{} {}", write.method.name(), write.path));
    shown.collect::<Vec<_>>().join(", ")
}
