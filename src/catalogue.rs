//! What the extension tells of its own catalogue in SQL.

use pgrx::prelude::*;

#[pg_schema]
mod clerk_fdw {
    use clerk_api::object::OBJECTS;
    use pgrx::prelude::*;

    /// Every column of every object that a foreign table can show: its name, other names that mean it, the type that
    /// IMPORT FOREIGN SCHEMA declares, whether it is the object's id, whether objects are looked up by it, and a
    /// description.
    #[pg_extern(immutable, parallel_safe)]
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
        ),
    > {
        TableIterator::new(OBJECTS.iter().flat_map(|object| {
            object.columns.iter().map(|column| {
                let aliases = column.aliases.iter().chain(column.scalar_aliases).copied().collect();
                let is_looked_up = object.is_looked_up(column);
                let data_type = column.kind.sql_type();
                (object.name, column.name, aliases, data_type, column.is_id(), is_looked_up, column.description)
            })
        }))
    }
}

extension_sql!(
    "COMMENT ON FUNCTION clerk_fdw.columns() IS 'every column of every Clerk object that a foreign table can show';",
    name = "columns_comment",
    requires = [clerk_fdw::columns]
);
