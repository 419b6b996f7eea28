//! The SQL function that shows the catalogue: see `sql/2_mirror.sql`.

use clerk_api::catalog::OBJECTS;
use pgrx::prelude::*;

/// `clerk_fdw.columns()`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns from the type as it is written here")]
fn columns() -> TableIterator<
    'static,
    (
        name!(object, &'static str),
        name!(column_name, &'static str),
        name!(aliases, Vec<&'static str>),
        name!(data_type, &'static str),
        name!(is_id, bool),
        name!(is_looked_up, bool),
        name!(description, &'static str),
        name!(visibility, &'static str),
    ),
> {
    TableIterator::new(OBJECTS.iter().flat_map(|object| {
        object.columns.iter().map(|column| {
            let aliases = column.aliases.iter().chain(column.scalar_aliases).copied().collect();
            let is_looked_up = object.is_looked_up(column);
            (
                object.name,
                column.name,
                aliases,
                column.kind.sql_type(),
                column.name == object.id().name,
                is_looked_up,
                column.description,
                column.visibility.name(),
            )
        })
    }))
}
