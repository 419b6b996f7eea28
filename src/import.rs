//! Which tables IMPORT FOREIGN SCHEMA makes: one for each object of the catalogue.
//!
//! Postgres takes nothing but CREATE FOREIGN TABLE from this callback, and the columns' comments would be lost. So
//! the tables are made here, with the rights of the role that imports, and Postgres is told that nothing is left to do.

use clerk_api::object::{Kind, OBJECTS, Object};
use pgrx::Spi;
use pgrx::spi::{quote_identifier, quote_literal, quote_qualified_identifier};
use supabase_wrappers::prelude::{ImportForeignSchemaStmt, ImportSchemaType};

use crate::error::FdwError;
use crate::option::object_names;

/// The one schema that a Clerk instance has.
const SCHEMA: &str = "clerk";

/// Makes the tables that the statement asks for.
pub fn import(server: &str, statement: &ImportForeignSchemaStmt) -> Result<(), FdwError> {
    if statement.remote_schema != SCHEMA {
        return Err(FdwError::NoSchema(statement.remote_schema.clone()));
    }
    if let Some(name) = statement.options.keys().next() {
        return Err(FdwError::UnknownOption {
            name: name.clone(),
            place: "IMPORT FOREIGN SCHEMA",
            hint: "No option is valid here.".to_owned(),
        });
    }
    let listed = |object: &&&Object| statement.table_list.iter().any(|name| name == object.name);
    let objects: Vec<_> = match statement.list_type {
        ImportSchemaType::FdwImportSchemaAll => OBJECTS.iter().collect(),
        ImportSchemaType::FdwImportSchemaExcept => OBJECTS.iter().filter(|object| !listed(object)).collect(),
        ImportSchemaType::FdwImportSchemaLimitTo => {
            if let Some(name) = statement.table_list.iter().find(|name| !object_names().contains(&name.as_str())) {
                let hint = format!("Objects: {}.", object_names().join(", "));
                return Err(FdwError::NoTable { name: name.clone(), hint });
            }
            OBJECTS.iter().filter(listed).collect()
        }
    };
    for object in objects {
        for command in commands(server, &statement.local_schema, object) {
            // Postgres' own error ends the statement; what remains are misuses of SPI.
            if let Err(error) = Spi::run(&command) {
                pgrx::error!("clerk_fdw: {error}");
            }
        }
    }
    Ok(())
}

/// The commands that make one object's table.
fn commands(server: &str, schema: &str, object: &Object) -> Vec<String> {
    let table = quote_qualified_identifier(schema, object.name);
    let columns: Vec<_> = object
        .columns
        .iter()
        .map(|column| format!("{} {}", quote_identifier(column.name), sql_type(column.kind)))
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

/// The type that an imported column is declared with.
pub fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Phone => "text",
        Kind::Boolean => "boolean",
        Kind::Integer => "bigint",
        Kind::Time => "timestamptz",
        Kind::Json => "jsonb",
        Kind::TextArray => "text[]",
    }
}
