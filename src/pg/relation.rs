//! Reads from the catalog what is known about a mirror's table.
//!
//! It is read from Postgres' caches and not with a statement, because every webhook needs it.

use pgrx::{PgTupleDesc, pg_sys};

use crate::pg::encoding::from_server;
use crate::pg::quote::quote_identifier;

/// A relation, as the catalog describes it now.
pub struct Relation {
    /// The qualified name, quoted.
    pub name: String,
    pub owner: pg_sys::Oid,
    kind: u8,
    persistence: u8,
    pub columns: Vec<Column>,
}

/// A column of a relation.
pub struct Column {
    pub name: String,
    /// The qualified and quoted name of the column's type, or of the type below a domain. It has no length modifier,
    /// but that of a time has the column's precision.
    pub data_type: String,
    /// Whether the `=` of the column's type compares values.
    pub is_comparable: bool,
    /// The number of fractional digits of a second that a column of type timestamp or timestamptz keeps; `None` for
    /// other types.
    pub precision: Option<i32>,
}

impl Relation {
    /// The relation with an oid; `None` if it does not exist.
    pub fn of(oid: pg_sys::Oid) -> Option<Relation> {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        // SAFETY: try_relation_open returns null or a relation that stays open, with its rd_rel and rd_att, until
        // relation_close, or until an error ends the transaction. The names in catalog rows are C strings.
        unsafe {
            let opened = pg_sys::try_relation_open(oid, lock);
            if opened.is_null() {
                return None;
            }
            let class = &*(*opened).rd_rel;
            let descriptor = PgTupleDesc::from_pg_unchecked((*opened).rd_att);
            let existing = descriptor.iter().filter(|attribute| !attribute.attisdropped);
            let columns = existing.filter_map(|attribute| {
                column(from_server(attribute.attname.data.as_ptr()), attribute.atttypid, attribute.atttypmod)
            });
            let columns = columns.collect();
            let relation = Relation {
                name: qualified(class.relnamespace, &from_server(class.relname.data.as_ptr())),
                owner: class.relowner,
                kind: class.relkind as u8,
                persistence: class.relpersistence as u8,
                columns,
            };
            pg_sys::relation_close(opened, lock);
            Some(relation)
        }
    }

    /// Whether it is a table, and not a temporary one.
    pub fn is_table(&self) -> bool {
        matches!(self.kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE)
            && self.persistence != pg_sys::RELPERSISTENCE_TEMP
    }

    pub fn is_partitioned(&self) -> bool {
        self.kind == pg_sys::RELKIND_PARTITIONED_TABLE
    }
}

/// Describes a column by its name, type and type modifier. Geometric types do not count as comparable: their `=`
/// compares something else than the values, such as areas.
fn column(name: String, declared: pg_sys::Oid, mut modifier: i32) -> Option<Column> {
    /// Without a declared precision, Postgres keeps a time to the microsecond.
    const MAX_PRECISION: i32 = 6;
    // SAFETY: SearchSysCache1 returns null or a row of pg_type, whose form is FormData_pg_type and which is pinned
    // until ReleaseSysCache. The names in catalog rows and the result of format_type_with_typemod are C strings.
    unsafe {
        let base = pg_sys::getBaseTypeAndTypmod(declared, &mut modifier);
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::TYPEOID as i32, base.into());
        if tuple.is_null() {
            return None;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>();
        let is_time = form.typcategory as u8 == pg_sys::TYPCATEGORY_DATETIME;
        let is_geometric = form.typcategory as u8 == pg_sys::TYPCATEGORY_GEOMETRIC;
        // Postgres refuses a text that is too long for its column, but rounds a time to the column's precision. A time
        // has to be compared in its rounded form.
        let data_type = match is_time && modifier >= 0 {
            true => from_server(pg_sys::format_type_with_typemod(base, modifier)),
            false => qualified(form.typnamespace, &from_server(form.typname.data.as_ptr())),
        };
        pg_sys::ReleaseSysCache(tuple);
        let is_moment = base == pg_sys::TIMESTAMPTZOID || base == pg_sys::TIMESTAMPOID;
        Some(Column {
            name,
            data_type,
            is_comparable: !is_geometric && base != pg_sys::JSONOID && base != pg_sys::XMLOID,
            precision: is_moment.then_some(if modifier < 0 { MAX_PRECISION } else { modifier }),
        })
    }
}

fn qualified(schema: pg_sys::Oid, name: &str) -> String {
    // SAFETY: get_namespace_name returns a C string, or null for an oid that is no schema.
    let schema = unsafe {
        let schema = pg_sys::get_namespace_name(schema);
        if schema.is_null() { String::new() } else { from_server(schema) }
    };
    format!("{}.{}", quote_identifier(&schema), quote_identifier(name))
}
