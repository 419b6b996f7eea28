//! What is known to be deleted, so that nothing older brings it back.
//!
//! A deleted row cannot say so where deletes are hard, nor one that was never there: an event of an object's creation
//! may come after that of its deletion.

use super::config::{Mirror, Table};
use crate::error::FdwError;
use crate::import::{quote_identifier, quote_literal};
use crate::spi;

/// The condition that an object of `page` was not found deleted since; `since` is an expression.
pub fn not_gone_since(mirror: &Mirror, table: &Table, page: &str, since: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM clerk_fdw.tombstone gone
                      WHERE gone.mirror OPERATOR(pg_catalog.=) {}::pg_catalog.name
                        AND gone.object OPERATOR(pg_catalog.=) {}
                        AND gone.id OPERATOR(pg_catalog.=) {page}.{}
                        AND gone.recorded_at OPERATOR(pg_catalog.>=) {since})",
        quote_literal(&mirror.name),
        quote_literal(table.object.name),
        quote_identifier(table.object.id().name),
    )
}

/// The command that makes a tombstone for each id of a relation; `at` is an expression, when the object was deleted.
pub fn make(mirror: &Mirror, table: &Table, ids: &str, at: &str) -> String {
    format!(
        "INSERT INTO clerk_fdw.tombstone AS known (mirror, object, id, deleted_at)
         SELECT {}, {}, gone.id, {at} FROM {ids} gone(id)
         ON CONFLICT (mirror, object, id) DO UPDATE
            SET deleted_at = GREATEST(known.deleted_at, excluded.deleted_at), recorded_at = excluded.recorded_at",
        quote_literal(&mirror.name),
        quote_literal(table.object.name),
    )
}

/// Makes one for an object whether there is a row or not.
pub fn bury(mirror: &Mirror, table: &Table, id: &str, at: &str) -> Result<(), FdwError> {
    spi::run(&make(mirror, table, &format!("(VALUES ({}))", quote_literal(id)), at), &[])
}

/// The expression for when an object was deleted, NULL if it is not known to be.
pub fn deleted_at(mirror: &Mirror, table: &Table, id: &str) -> String {
    let id = quote_literal(id);
    format!(
        "GREATEST((SELECT gone.deleted_at FROM clerk_fdw.tombstone gone
                    WHERE gone.mirror OPERATOR(pg_catalog.=) {}::pg_catalog.name
                      AND gone.object OPERATOR(pg_catalog.=) {} AND gone.id OPERATOR(pg_catalog.=) {id}),
                  {})",
        quote_literal(&mirror.name),
        quote_literal(table.object.name),
        time(table, table.deleted_at(), &id),
    )
}

/// The expression for when the row's state of an object is from, NULL if there is none.
pub fn updated_at(table: &Table, id: &str) -> String {
    table.column("updated_at").map_or("NULL".to_owned(), |column| time(table, column, &quote_literal(id)))
}

/// A time in an object's row. The column of a table that was there before may have another type.
fn time(table: &Table, column: &str, id: &str) -> String {
    format!(
        "(SELECT t.{column}::pg_catalog.text::pg_catalog.timestamptz FROM {} t WHERE t.{} OPERATOR(pg_catalog.=) {id})",
        table.name,
        table.id(),
    )
}
