//! What the catalog says of a mirror's table, read without a statement: every webhook needs it.

use pgrx::{PgTupleDesc, pg_sys};

use crate::pg::encoding::from_server;
use crate::pg::quote::quote_identifier;

/// A relation as it is now.
pub struct Relation {
    /// Its qualified name, quoted.
    pub name: String,
    pub owner: pg_sys::Oid,
    kind: u8,
    persistence: u8,
    pub columns: Vec<Column>,
}

/// One of its columns.
pub struct Column {
    pub name: String,
    /// Its type, below any domain and without a length, qualified and quoted. Times have the column's precision.
    pub data_type: String,
    /// Whether values of its type can be compared.
    pub is_comparable: bool,
    /// To how many digits of a second it keeps a moment; `None` if it does not.
    pub precision: Option<i32>,
}

impl Relation {
    /// The relation of an oid, if there is one.
    pub fn of(oid: pg_sys::Oid) -> Option<Relation> {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        // SAFETY: the relation is open until it is closed below, or by Postgres after an error; its names are C strings,
        // and its descriptor has as many attributes as it says.
        unsafe {
            let relation = pg_sys::try_relation_open(oid, lock);
            if relation.is_null() {
                return None;
            }
            let class = &*(*relation).rd_rel;
            let descriptor = PgTupleDesc::from_pg_unchecked((*relation).rd_att);
            let kept = descriptor.iter().filter(|attribute| !attribute.attisdropped);
            let columns = kept.filter_map(|attribute| {
                column(from_server(attribute.attname.data.as_ptr()), attribute.atttypid, attribute.atttypmod)
            });
            let columns = columns.collect();
            let found = Relation {
                name: qualified(class.relnamespace, &from_server(class.relname.data.as_ptr())),
                owner: class.relowner,
                kind: class.relkind as u8,
                persistence: class.relpersistence as u8,
                columns,
            };
            pg_sys::relation_close(relation, lock);
            Some(found)
        }
    }

    /// Whether it is a table that outlives the session.
    pub fn is_table(&self) -> bool {
        matches!(self.kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE)
            && self.persistence != pg_sys::RELPERSISTENCE_TEMP
    }

    pub fn is_partitioned(&self) -> bool {
        self.kind == pg_sys::RELKIND_PARTITIONED_TABLE
    }
}

/// A column of a type and its modifier. Geometric types have an `=` that says something else.
fn column(name: String, of_type: pg_sys::Oid, mut modifier: i32) -> Option<Column> {
    /// Postgres' own: microseconds.
    const DIGITS: i32 = 6;
    // SAFETY: a catalog look-up; the tuple is valid from the look-up to its release, and a row of pg_type has a form of
    // that type. The name of a type is a C string.
    unsafe {
        let base = pg_sys::getBaseTypeAndTypmod(of_type, &mut modifier);
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::TYPEOID as i32, base.into());
        if tuple.is_null() {
            return None;
        }
        let of_type = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_type>();
        let is_time = of_type.typcategory as u8 == pg_sys::TYPCATEGORY_DATETIME;
        let is_geometric = of_type.typcategory as u8 == pg_sys::TYPCATEGORY_GEOMETRIC;
        // What is too long for a column is an error; a time that is too exact is rounded. It is compared as it will be.
        let data_type = match is_time && modifier >= 0 {
            true => from_server(pg_sys::format_type_with_typemod(base, modifier)),
            false => qualified(of_type.typnamespace, &from_server(of_type.typname.data.as_ptr())),
        };
        pg_sys::ReleaseSysCache(tuple);
        let is_moment = base == pg_sys::TIMESTAMPTZOID || base == pg_sys::TIMESTAMPOID;
        Some(Column {
            name,
            data_type,
            is_comparable: !is_geometric && base != pg_sys::JSONOID && base != pg_sys::XMLOID,
            precision: is_moment.then_some(if modifier < 0 { DIGITS } else { modifier }),
        })
    }
}

fn qualified(schema: pg_sys::Oid, name: &str) -> String {
    // SAFETY: a catalog look-up; its answer is a C string or null.
    let schema = unsafe {
        let schema = pg_sys::get_namespace_name(schema);
        if schema.is_null() { String::new() } else { from_server(schema) }
    };
    format!("{}.{}", quote_identifier(&schema), quote_identifier(name))
}
