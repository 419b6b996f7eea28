//! What the extension tells of its own catalogue in SQL.

use pgrx::prelude::*;

#[pg_schema]
mod clerk_fdw {
    use clerk_api::object::OBJECTS;
    use pgrx::prelude::*;

    /// Every column of every object that a foreign table can show: its name, other names that mean it, the type that
    /// IMPORT FOREIGN SCHEMA declares, and a description.
    #[pg_extern(immutable, parallel_safe)]
    fn columns() -> TableIterator<
        'static,
        (
            name!(object, &'static str),
            name!(column_name, &'static str),
            name!(aliases, Vec<&'static str>),
            name!(data_type, &'static str),
            name!(description, &'static str),
        ),
    > {
        TableIterator::new(OBJECTS.iter().flat_map(|object| {
            object.columns.iter().map(|column| {
                let aliases = column.aliases.iter().chain(column.scalar_aliases).copied().collect();
                (object.name, column.name, aliases, column.kind.sql_type(), column.description)
            })
        }))
    }
}

extension_sql!(
    "COMMENT ON FUNCTION clerk_fdw.columns() IS 'every column of every Clerk object that a foreign table can show';",
    name = "columns_comment",
    requires = [clerk_fdw::columns]
);
