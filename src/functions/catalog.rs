//! The SQL functions that show the catalogue: see `sql/2_mirror.sql`.

use clerk_api::catalog::{Mirroring, OBJECTS};
use clerk_api::write::Operation;
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

/// `clerk_fdw.objects()`.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity, reason = "pgrx reads the columns from the type as it is written here")]
fn objects() -> TableIterator<
    'static,
    (
        name!(object, &'static str),
        name!(aliases, Vec<&'static str>),
        name!(endpoint, Option<&'static str>),
        name!(parent, Vec<&'static str>),
        name!(columns, Vec<&'static str>),
        name!(secret_columns, Vec<&'static str>),
        name!(key_columns, Vec<&'static str>),
        name!(filters, Vec<&'static str>),
        name!(orders, Vec<&'static str>),
        name!(operations, Vec<&'static str>),
        name!(mirrorable, bool),
        name!(mirrored_by_default, bool),
        name!(events, Vec<&'static str>),
        name!(description, &'static str),
    ),
> {
    TableIterator::new(OBJECTS.iter().map(|object| {
        let parent = match object.list {
            Some(_) => Vec::new(),
            None => {
                object.key_columns.iter().filter(|key| key.column != object.id().name).map(|key| key.column).collect()
            }
        };
        (
            object.name,
            object.aliases.to_vec(),
            object.list.map(|list| list.path),
            parent,
            object.public_columns().map(|column| column.name).collect(),
            object.columns.iter().filter(|column| column.is_secret).map(|column| column.name).collect(),
            object.key_columns.iter().map(|key| key.column).collect(),
            object.columns.iter().map(|column| column.name).filter(|name| object.is_filtered(name)).collect(),
            object.sort_columns.iter().map(|sort| sort.column).collect(),
            ["SELECT"].into_iter().chain(Operation::of(object).into_iter().map(Operation::name)).collect(),
            object.mirroring != Mirroring::Never,
            object.mirroring == Mirroring::ByDefault,
            object.events.iter().map(|event| event.type_).collect(),
            object.description,
        )
    }))
}
