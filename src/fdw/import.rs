//! Implements IMPORT FOREIGN SCHEMA, which creates a foreign table for each object of the catalogue.
//!
//! Postgres expects CREATE FOREIGN TABLE commands from the callback and accepts no others, so that comments on tables
//! and columns would be lost. Therefore the callback itself creates the tables, with the rights of the role that
//! imports, and returns no commands.

use clerk_api::catalog::{OBJECTS, Object, Role};
use pgrx::{PgList, pg_guard, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::options::{self, object_hint, object_names};
use crate::pg::encoding::from_server;
use crate::pg::quote::{quote_identifier, quote_literal};
use crate::pg::sandbox::as_caller;
use crate::pg::spi;

/// The one schema that a Clerk instance has.
const SCHEMA: &str = "clerk";

/// The callback ImportForeignSchema. Creates the tables and returns an empty list of commands.
///
/// It replaces the framework's callback also because that reads names as UTF-8 whatever the database's encoding is.
///
/// # Safety
/// Only Postgres may call this, with the arguments of that callback.
#[pg_guard]
pub unsafe extern "C-unwind" fn import_foreign_schema(
    statement: *mut pg_sys::ImportForeignSchemaStmt,
    _server: pg_sys::Oid,
) -> *mut pg_sys::List {
    // SAFETY: Postgres passes a parsed statement, whose names are C strings, whose tables are RangeVars and whose
    // options are DefElems.
    unsafe {
        let statement = &*statement;
        let names: Vec<_> = PgList::<pg_sys::RangeVar>::from_pg(statement.table_list)
            .iter_ptr()
            .map(|table| from_server((*table).relname))
            .collect();
        check_statement(&from_server(statement.remote_schema), &options::from_def_elems(statement.options)).or_raise();
        let objects = selected_objects(statement.list_type, &names).or_raise();
        let (server, schema) = (from_server(statement.server_name), from_server(statement.local_schema));
        let id_default = id_default(&server);
        for object in objects {
            for command in create_commands(&server, &schema, object, id_default.as_deref()) {
                as_caller(|| spi::run(&command, &[])).or_raise();
            }
        }
    }
    std::ptr::null_mut()
}

/// Fails for a schema other than `clerk` and for any option.
fn check_statement(remote_schema: &str, options: &options::Options) -> Result<(), FdwError> {
    if remote_schema != SCHEMA {
        return Err(FdwError::NoSchema(remote_schema.to_owned()));
    }
    match options.keys().next() {
        None => Ok(()),
        Some(name) => Err(FdwError::UnknownOption {
            name: name.clone(),
            place: "IMPORT FOREIGN SCHEMA",
            hint: "No option is valid here.".to_owned(),
        }),
    }
}

/// The objects that LIMIT TO or EXCEPT selects, or all.
fn selected_objects(
    list: pg_sys::ImportForeignSchemaType::Type,
    names: &[String],
) -> Result<Vec<&'static Object>, FdwError> {
    use pg_sys::ImportForeignSchemaType::{FDW_IMPORT_SCHEMA_EXCEPT, FDW_IMPORT_SCHEMA_LIMIT_TO};
    if list == FDW_IMPORT_SCHEMA_LIMIT_TO
        && let Some(name) = names.iter().find(|name| !object_names().contains(&name.as_str()))
    {
        let hint = object_hint(name);
        return Err(FdwError::NoTable { name: name.clone(), hint });
    }
    let is_listed = |object: &Object| names.iter().any(|name| name == object.name);
    let objects = OBJECTS.iter().copied().filter(|object| match list {
        FDW_IMPORT_SCHEMA_LIMIT_TO => is_listed(object),
        FDW_IMPORT_SCHEMA_EXCEPT => !is_listed(object),
        _ => true,
    });
    Ok(objects.collect())
}

/// The default of the ids that Clerk assigns: see `sql/6_modify.sql`. `None` if the role that imports may not use the schema
/// in which its function is.
fn id_default(server: &str) -> Option<String> {
    let query = "
        SELECT format(' DEFAULT %I.clerk_fdw_assigned_id()', n.nspname)
          FROM pg_foreign_server s
          JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
          JOIN pg_proc handler ON handler.oid = w.fdwhandler
          JOIN pg_namespace n ON n.oid = handler.pronamespace
         WHERE s.srvname = $1 AND has_schema_privilege(n.oid, 'USAGE')";
    as_caller(|| spi::value(query, &[Some(server)])).or_raise()
}

/// The commands that create the table of one object, with its comments.
fn create_commands(server: &str, schema: &str, object: &Object, id_default: Option<&str>) -> Vec<String> {
    let table = format!("{}.{}", quote_identifier(schema), quote_identifier(object.name));
    let columns: Vec<_> = object
        .public_columns()
        .map(|column| {
            let default = id_default.filter(|_| column.role == Some(Role::Id) && object.writes.insert.is_some());
            let default = default.unwrap_or_default();
            format!("{} {}{default}", quote_identifier(column.name), column.kind.sql_type())
        })
        .collect();
    let create = format!(
        "CREATE FOREIGN TABLE {table} ({}) SERVER {} OPTIONS (object {})",
        columns.join(", "),
        quote_identifier(server),
        quote_literal(object.name)
    );
    let comment = format!("COMMENT ON FOREIGN TABLE {table} IS {}", quote_literal(object.description));
    let comments = object.public_columns().map(|column| {
        let (name, text) = (quote_identifier(column.name), quote_literal(column.description));
        format!("COMMENT ON COLUMN {table}.{name} IS {text}")
    });
    [create, comment].into_iter().chain(comments).collect()
}
