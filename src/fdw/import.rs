//! Which tables IMPORT FOREIGN SCHEMA makes: one for each object of the catalogue.
//!
//! Postgres takes nothing but CREATE FOREIGN TABLE from this callback, and the columns' comments would be lost. So
//! the tables are made here, with the rights of the role that imports, and Postgres is told that nothing is left to do.

use clerk_api::catalog::{OBJECTS, Object};
use pgrx::{PgList, pg_guard, pg_sys};

use crate::error::{FdwError, OrRaise};
use crate::options::{self, object_names};
use crate::pg::encoding::from_server;
use crate::pg::quote::{quote_identifier, quote_literal};
use crate::pg::sandbox::as_caller;
use crate::pg::spi;

/// The one schema that a Clerk instance has.
const SCHEMA: &str = "clerk";

/// Postgres wants to know which tables to make; they are made on the spot, so none is left.
///
/// The framework's callback takes names for UTF-8, whatever the database's encoding is.
#[pg_guard]
pub unsafe extern "C-unwind" fn import_foreign_schema(
    statement: *mut pg_sys::ImportForeignSchemaStmt,
    _server: pg_sys::Oid,
) -> *mut pg_sys::List {
    // SAFETY: the statement is Postgres', with its names as C strings, its tables as RangeVars and its options as
    // DefElems.
    unsafe {
        let statement = &*statement;
        let names: Vec<_> = PgList::<pg_sys::RangeVar>::from_pg(statement.table_list)
            .iter_ptr()
            .map(|table| from_server((*table).relname))
            .collect();
        check(&from_server(statement.remote_schema), &options::from_def_elems(statement.options)).or_raise();
        let objects = chosen(statement.list_type, &names).or_raise();
        let (server, schema) = (from_server(statement.server_name), from_server(statement.local_schema));
        for object in objects {
            for command in commands(&server, &schema, object) {
                as_caller(|| spi::run(&command, &[])).or_raise();
            }
        }
    }
    std::ptr::null_mut()
}

fn check(remote_schema: &str, options: &options::Options) -> Result<(), FdwError> {
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

/// The objects that LIMIT TO or EXCEPT leaves.
fn chosen(list: pg_sys::ImportForeignSchemaType::Type, names: &[String]) -> Result<Vec<&'static Object>, FdwError> {
    use pg_sys::ImportForeignSchemaType::{FDW_IMPORT_SCHEMA_EXCEPT, FDW_IMPORT_SCHEMA_LIMIT_TO};
    if list == FDW_IMPORT_SCHEMA_LIMIT_TO
        && let Some(name) = names.iter().find(|name| !object_names().contains(&name.as_str()))
    {
        let hint = format!("Objects: {}.", object_names().join(", "));
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

/// The commands that make one object's table.
fn commands(server: &str, schema: &str, object: &Object) -> Vec<String> {
    let table = format!("{}.{}", quote_identifier(schema), quote_identifier(object.name));
    let columns: Vec<_> = object
        .columns
        .iter()
        .map(|column| format!("{} {}", quote_identifier(column.name), column.kind.sql_type()))
        .collect();
    let create = format!(
        "CREATE FOREIGN TABLE {table} ({}) SERVER {} OPTIONS (object {})",
        columns.join(", "),
        quote_identifier(server),
        quote_literal(object.name)
    );
    let comment = format!("COMMENT ON FOREIGN TABLE {table} IS {}", quote_literal(object.description));
    let comments = object.columns.iter().map(|column| {
        let (name, text) = (quote_identifier(column.name), quote_literal(column.description));
        format!("COMMENT ON COLUMN {table}.{name} IS {text}")
    });
    [create, comment].into_iter().chain(comments).collect()
}
