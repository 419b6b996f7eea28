//! What a mirror is: its server, its owner, its tables, as the tables of `sql/mirror.sql` have it.

use clerk_api::object::{Object, object};
use pgrx::pg_sys;

use crate::attempt::as_role;
use crate::connection::Server;
use crate::encoding::to_c_string;
use crate::error::FdwError;
use crate::import::quote_identifier;
use crate::spi;

/// A mirror.
pub struct Mirror {
    pub name: String,
    /// What its lock is called.
    pub number: i32,
    pub server: Server,
    /// With whose rights everything is done.
    pub owner: pg_sys::Oid,
    pub owner_name: String,
    pub deletes: Deletes,
    pub full_every: String,
    pub instance_id: Option<String>,
}

/// What becomes of the row of an object that Clerk has no more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    Soft,
    Hard,
}

/// One table of a mirror.
pub struct Table {
    pub object: &'static Object,
    /// Its qualified name, quoted.
    pub name: String,
    /// What each of its columns takes.
    pub columns: Vec<Taken>,
}

/// A column of a mirror's table and what it takes.
pub struct Taken {
    /// The column's name, quoted.
    pub column: String,
    /// An expression over the object's columns; `updated_at`, `synced_at` and `deleted_at` have a meaning.
    pub expression: String,
    /// Its type, without a modifier: a text that is too long shall be an error, not cut.
    pub data_type: String,
    /// Whether values of its type can be compared.
    pub is_comparable: bool,
}

impl Mirror {
    /// Reads the configuration; the current role needs the rights of the owner.
    pub fn load(name: &str) -> Result<Mirror, FdwError> {
        let mirror = Mirror::of_anyone(name)?;
        // SAFETY: a catalog look-up.
        match unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), mirror.owner) } {
            true => Ok(mirror),
            false => Err(FdwError::NoMirror(name.to_owned())),
        }
    }

    /// Reads the configuration; the current role needs nothing but to see it.
    pub fn of_anyone(name: &str) -> Result<Mirror, FdwError> {
        let query = "SELECT number::text, server, owner, deletes, full_every::text, instance_id
                       FROM clerk_fdw.mirror WHERE mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name";
        let Some(row) = spi::row(query, &[Some(name)])? else {
            return Err(FdwError::NoMirror(name.to_owned()));
        };
        let mut row = row.into_iter();
        let mut next = || row.next().flatten();
        let number = next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let (server, owner_name) = (next().unwrap_or_default(), next().unwrap_or_default());
        // SAFETY: catalog look-ups of C strings; an unknown server is an error of Postgres', an unknown role none.
        let (server, owner) = unsafe {
            let server = pg_sys::get_foreign_server_oid(to_c_string(&server), false);
            (Server::new(server), pg_sys::get_role_oid(to_c_string(&owner_name), true))
        };
        if owner == pg_sys::InvalidOid {
            return Err(FdwError::NoOwner { mirror: name.to_owned(), owner: owner_name });
        }
        let deletes = if next().as_deref() == Some("hard") { Deletes::Hard } else { Deletes::Soft };
        let mirror = Mirror {
            name: name.to_owned(),
            number,
            server,
            owner,
            owner_name,
            deletes,
            full_every: next().unwrap_or_default(),
            instance_id: next(),
        };
        let may = "SELECT pg_catalog.has_server_privilege($1, 'USAGE')::pg_catalog.text";
        match as_role(owner, || spi::value(may, &[Some(&mirror.server.name)]))?.as_deref() {
            Some("true") => Ok(mirror),
            _ => Err(FdwError::NoServerPrivilege { server: mirror.server.name, role: mirror.owner_name }),
        }
    }

    /// Its tables in the order of the catalogue: all, or those of some objects.
    pub fn tables(&self, objects: Option<&[String]>) -> Result<Vec<Table>, FdwError> {
        let query = "SELECT t.object FROM clerk_fdw.mirror_table t JOIN clerk_fdw.columns() c USING (object)
                      WHERE t.mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name AND c.is_id";
        let have: Vec<String> = spi::rows(query, &[Some(&self.name)])?.into_iter().flatten().flatten().collect();
        if let Some(unknown) = objects.unwrap_or_default().iter().find(|object| !have.contains(object)) {
            return Err(FdwError::NotMirrored { mirror: self.name.clone(), object: unknown.clone(), have });
        }
        let in_catalogue = clerk_api::object::OBJECTS.iter().map(|object| object.name);
        in_catalogue
            .filter(|name| have.iter().any(|have| have == name))
            .filter(|name| objects.is_none_or(|objects| objects.iter().any(|object| object == name)))
            .map(|name| self.table(name))
            .collect()
    }

    /// The table of one object.
    pub fn table(&self, name: &str) -> Result<Table, FdwError> {
        let not_mirrored =
            || FdwError::NotMirrored { mirror: self.name.clone(), object: name.to_owned(), have: Vec::new() };
        let object = object(name).ok_or_else(not_mirrored)?;
        let query = "SELECT n.nspname, c.relname
                       FROM clerk_fdw.mirror_table t
                       LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.relation
                       LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                      WHERE t.mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name AND t.object OPERATOR(pg_catalog.=) $2";
        let found = spi::row(query, &[Some(&self.name), Some(name)])?.ok_or_else(not_mirrored)?;
        let [Some(schema), Some(relation)] = &found[..] else {
            return Err(FdwError::TableGone { mirror: self.name.clone(), object: object.name });
        };
        let table = format!("{}.{}", quote_identifier(schema), quote_identifier(relation));
        // A table of ours takes what its columns are called after: those that were dropped are left out.
        let query = "SELECT a.attname, m.value,
                            pg_catalog.format_type(a.atttypid, NULL),
                            y.typcategory OPERATOR(pg_catalog.<>) 'G' AND y.typname NOT IN ('json', 'xml')
                       FROM clerk_fdw.mirror_table t
                       CROSS JOIN LATERAL (
                         SELECT key, value FROM pg_catalog.jsonb_each_text(t.columns)
                         UNION ALL
                         SELECT c.name, c.name FROM (SELECT column_name FROM clerk_fdw.columns() WHERE object OPERATOR(pg_catalog.=) $2
                                                     UNION ALL VALUES ('synced_at'), ('deleted_at')) c(name)
                          WHERE t.columns IS NULL) m
                       JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) t.relation
                            AND a.attname OPERATOR(pg_catalog.=) m.key::pg_catalog.name
                       JOIN pg_catalog.pg_type y ON y.oid OPERATOR(pg_catalog.=) a.atttypid
                      WHERE t.mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name AND t.object OPERATOR(pg_catalog.=) $2
                        AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
                      ORDER BY a.attnum";
        let columns = spi::rows(query, &[Some(&self.name), Some(name)])?.into_iter().filter_map(|row| {
            let [Some(column), Some(expression), Some(data_type), comparable] = &row[..] else { return None };
            Some(Taken {
                column: quote_identifier(column),
                expression: expression.clone(),
                data_type: data_type.clone(),
                is_comparable: comparable.as_deref() == Some("t"),
            })
        });
        let table = Table { object, name: table, columns: columns.collect() };
        for needed in [object.id().name, "synced_at", "deleted_at"] {
            if table.column(needed).is_none() {
                return Err(FdwError::ColumnGone { table: table.name, column: needed });
            }
        }
        Ok(table)
    }
}

/// The role that lends its rights where the caller needs none: the owner of the extension's tables.
pub fn lender() -> Result<pg_sys::Oid, FdwError> {
    let owner = spi::value(
        "SELECT c.relowner FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
          WHERE n.nspname OPERATOR(pg_catalog.=) 'clerk_fdw' AND c.relname OPERATOR(pg_catalog.=) 'webhook_event'",
        &[],
    )?;
    Ok(owner.and_then(|oid| oid.parse().ok()).map_or(pg_sys::InvalidOid, pg_sys::Oid::from_u32))
}

impl Table {
    /// The column that takes this, quoted.
    pub fn column(&self, expression: &str) -> Option<&str> {
        self.columns.iter().find(|taken| taken.expression == expression).map(|taken| &*taken.column)
    }

    /// The column that holds the object's id, quoted. There is one, or the table would not have been loaded.
    pub fn id(&self) -> &str {
        self.column(self.object.id().name).unwrap_or_default()
    }

    pub fn synced_at(&self) -> &str {
        self.column("synced_at").unwrap_or_default()
    }

    pub fn deleted_at(&self) -> &str {
        self.column("deleted_at").unwrap_or_default()
    }

    /// Whether anything the table takes needs this column of the object.
    pub fn takes(&self, column: &str) -> bool {
        self.columns.iter().any(|taken| taken.expression.contains(column))
    }
}
