//! What a mirror is: its server, its owner, its tables, as the tables of `sql/bookkeeping.sql` have it.

use std::fmt;
use std::ops::Deref;

use clerk_api::object::{Object, object};
use pgrx::pg_sys;

use super::store;
use crate::connection::Server;
use crate::error::FdwError;
use crate::import::quote_identifier;
use crate::sandbox;
use crate::spi::{self, Row, Value};

/// A mirror, as far as it can be known even if its server or its owner is gone.
pub struct Entry {
    pub name: String,
    /// What identifies it, whatever it is called.
    pub number: i32,
    /// Invalid if the role is gone.
    pub owner: pg_sys::Oid,
    pub made_schema: bool,
    pub schedule: Option<String>,
}

/// A mirror that can be synced.
pub struct Mirror {
    entry: Entry,
    pub server: Server,
    pub deletes: Deletes,
    pub full_every: String,
    pub instance_id: Option<String>,
}

impl Deref for Mirror {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
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
    /// With whose rights it is read and written: nobody else's code can run when it is.
    owner: pg_sys::Oid,
    pub is_partitioned: bool,
    /// What each of its columns takes.
    pub columns: Vec<Taken>,
}

/// A column of a mirror's table and what it takes.
pub struct Taken {
    /// The column's name, quoted.
    pub column: String,
    /// An expression over the object's columns; `updated_at`, `synced_at` and `deleted_at` have a meaning.
    pub expression: String,
    /// Its type, below any domain and without a length, as a name alone: a cast would cut what is too long, and the
    /// name `character` means one character. The assignment to the column, which follows, makes it an error.
    pub data_type: String,
    /// Whether values of its type can be compared.
    pub is_comparable: bool,
}

/// What names a mirror: its name where a person says it, its number where something refers to it.
#[derive(Clone, Copy)]
pub enum Which<'w> {
    Name(&'w str),
    Number(i32),
}

impl fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Name(name) => f.write_str(name),
            Which::Number(number) => number.fmt(f),
        }
    }
}

impl Entry {
    /// The entry, for a caller who may act for its owner. To anybody else it does not exist.
    pub fn load(which: Which) -> Result<Entry, FdwError> {
        let entry = Entry::of_anyone(which)?;
        // SAFETY: reads a variable of this backend, and looks into the catalog; a role that does not exist has no
        // members but superusers.
        match unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), entry.owner) } {
            true => Ok(entry),
            false => Err(FdwError::NoMirror(which.to_string())),
        }
    }

    /// The same for a caller who needs no rights in it, such as one whose delivery is signed.
    pub fn of_anyone(which: Which) -> Result<Entry, FdwError> {
        let condition = match which {
            Which::Name(_) => "m.name = $1::name",
            Which::Number(_) => "m.number = $1::int4",
        };
        let query = format!(
            "SELECT m.name, m.number, coalesce(r.oid, 0), m.made_schema, m.schedule
               FROM clerk_fdw_internal.mirror m LEFT JOIN pg_roles r ON r.oid = m.owner
              WHERE {condition}"
        );
        let row = store::row(&query, &[Some(&which.to_string())])?.unwrap_or_default();
        let [Some(name), Some(number), Some(owner), made_schema, schedule] = &row[..] else {
            return Err(FdwError::NoMirror(which.to_string()));
        };
        Ok(Entry {
            name: name.clone(),
            number: number.parse().unwrap_or_default(),
            owner: oid_of(owner),
            made_schema: made_schema.as_deref() == Some("t"),
            schedule: schedule.clone(),
        })
    }

    /// The number as a parameter of a statement.
    pub fn key(&self) -> String {
        self.number.to_string()
    }

    /// Its tables in the order of the catalogue: all, or those of some objects.
    pub fn tables(&self, objects: Option<&[String]>) -> Result<Vec<Table>, FdwError> {
        let query =
            "SELECT t.object FROM clerk_fdw_internal.mirror_table t WHERE t.mirror = $1::int4 ORDER BY t.object";
        let have = store::column(query, &[Some(&self.key())])?;
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

    /// The tables of objects that belong to one of another kind, as memberships to their organization.
    pub fn children(&self, parent: &Object) -> Result<Vec<Table>, FdwError> {
        let key = parent.id().name;
        let is_child = |object: &&&Object| object.name != parent.name && object.key(key).is_some();
        let children = clerk_api::object::OBJECTS.iter().filter(is_child).map(|child| self.find_table(child.name));
        Ok(children.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The table of one object, if the mirror has one.
    pub fn find_table(&self, name: &str) -> Result<Option<Table>, FdwError> {
        match self.table(name) {
            Err(FdwError::NotMirrored { .. }) => Ok(None),
            table => table.map(Some),
        }
    }

    /// The table of one object.
    pub fn table(&self, name: &str) -> Result<Table, FdwError> {
        let not_mirrored =
            || FdwError::NotMirrored { mirror: self.name.clone(), object: name.to_owned(), have: Vec::new() };
        let object = object(name).ok_or_else(not_mirrored)?;
        let query = "
            SELECT n.nspname, c.relname, c.relkind, c.relpersistence, c.relowner, pg_get_userbyid(c.relowner)
              FROM clerk_fdw_internal.mirror_table t
              LEFT JOIN pg_class c ON c.oid = t.relation
              LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE t.mirror = $1::int4 AND t.object = $2";
        let key = self.key();
        let values = [Some(&*key), Some(name)];
        let found = store::row(query, &values)?.ok_or_else(not_mirrored)?;
        let [Some(schema), Some(table), Some(kind), Some(persistence), Some(owner), Some(owner_name)] = &found[..]
        else {
            return Err(FdwError::TableGone { mirror: self.name.clone(), object: object.name });
        };
        let name = format!("{}.{}", quote_identifier(schema), quote_identifier(table));
        // It was one when the mirror was made. A view in its place would run whatever its owner likes for everybody
        // who asks how many rows it has.
        if !matches!(&**kind, "r" | "p") || persistence == "t" {
            return Err(FdwError::NotATable(name));
        }
        let owner = oid_of(owner);
        if !sandbox::can_act_as(self.owner, owner) {
            return Err(FdwError::TableOfAnother { mirror: self.name.clone(), table: name, owner: owner_name.clone() });
        }
        // A table of ours takes what its columns are called after: those that were dropped are left out.
        let query = "
            SELECT a.attname, m.value, format('%I.%I', n.nspname, y.typname),
                   y.typcategory <> 'G' AND y.typname NOT IN ('json', 'xml')
              FROM clerk_fdw_internal.mirror_table t
             CROSS JOIN LATERAL (
               SELECT key, value FROM jsonb_each_text(t.columns)
               UNION ALL
               SELECT c.name, c.name FROM (SELECT column_name FROM clerk_fdw.columns() WHERE object = $2
                                           UNION ALL VALUES ('synced_at'), ('deleted_at')) c(name)
                WHERE t.columns IS NULL) m
              JOIN pg_attribute a ON a.attrelid = t.relation AND a.attname = m.key::name
             CROSS JOIN LATERAL (
               WITH RECURSIVE type(oid, base, kind) AS (
                 SELECT y.oid, y.typbasetype, y.typtype FROM pg_type y WHERE y.oid = a.atttypid
                 UNION ALL
                 SELECT y.oid, y.typbasetype, y.typtype FROM type JOIN pg_type y ON y.oid = type.base
                  WHERE type.kind = 'd')
               SELECT type.oid FROM type WHERE type.kind <> 'd') base
              JOIN pg_type y ON y.oid = base.oid
              JOIN pg_namespace n ON n.oid = y.typnamespace
             WHERE t.mirror = $1::int4 AND t.object = $2 AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum";
        let columns = store::rows(query, &values)?.into_iter().filter_map(|row| {
            let [Some(column), Some(expression), Some(data_type), comparable] = &row[..] else { return None };
            Some(Taken {
                column: quote_identifier(column),
                expression: expression.clone(),
                data_type: data_type.clone(),
                is_comparable: comparable.as_deref() == Some("t"),
            })
        });
        let table = Table { object, name, owner, is_partitioned: kind == "p", columns: columns.collect() };
        for needed in [object.id().name, "synced_at", "deleted_at"] {
            if table.column(needed).is_none() {
                return Err(FdwError::ColumnGone { table: table.name, column: needed });
            }
        }
        Ok(table)
    }
}

impl Mirror {
    /// The mirror, for a caller who may act for its owner. To anybody else it does not exist.
    pub fn load(which: Which) -> Result<Mirror, FdwError> {
        Mirror::of(Entry::load(which)?)
    }

    /// The same for a caller who needs no rights in it.
    pub fn of_anyone(which: Which) -> Result<Mirror, FdwError> {
        Mirror::of(Entry::of_anyone(which)?)
    }

    fn of(entry: Entry) -> Result<Mirror, FdwError> {
        // A server that was renamed, or that has another's oid since pg_upgrade, is not taken for the one that was
        // meant: somebody else may have made it.
        let query = "
            SELECT m.owner_name, m.server_name, s.oid, has_server_privilege(r.oid, s.oid, 'USAGE'),
                   m.deletes, m.full_every, m.instance_id
              FROM clerk_fdw_internal.mirror m
              LEFT JOIN pg_roles r ON r.oid = m.owner
              LEFT JOIN pg_foreign_server s ON s.oid = m.server AND s.srvname = m.server_name
             WHERE m.number = $1::int4";
        let mut row = store::row(query, &[Some(&entry.key())])?.unwrap_or_default().into_iter();
        let mut next = || row.next().flatten();
        let (owner, server_name) = (next().unwrap_or_default(), next().unwrap_or_default());
        if entry.owner == pg_sys::InvalidOid {
            return Err(FdwError::NoOwner { mirror: entry.name, owner });
        }
        let Some(server) = next() else {
            return Err(FdwError::NoServer { mirror: entry.name, server: server_name });
        };
        if next().as_deref() != Some("t") {
            return Err(FdwError::NoServerPrivilege { server: server_name, role: owner });
        }
        Ok(Mirror {
            entry,
            server: Server::new(oid_of(&server)),
            deletes: if next().as_deref() == Some("hard") { Deletes::Hard } else { Deletes::Soft },
            full_every: next().unwrap_or_default(),
            instance_id: next(),
        })
    }
}

/// An oid as a statement gave it.
pub fn oid_of(text: &str) -> pg_sys::Oid {
    text.parse::<u32>().map_or(pg_sys::InvalidOid, pg_sys::Oid::from)
}

impl Table {
    pub fn owner(&self) -> pg_sys::Oid {
        self.owner
    }

    /// Does something that may run code that the table's owner wrote: triggers, expressions, policies.
    pub fn sandboxed<T>(&self, action: impl FnOnce() -> T) -> T {
        sandbox::run_as(self.owner, action)
    }

    /// Runs a statement on the table and gives its rows.
    pub fn rows(&self, statement: &str, values: &[Value]) -> Result<Vec<Row>, FdwError> {
        self.sandboxed(|| spi::rows(statement, values))
    }

    /// The first column of all rows.
    pub fn first_column(&self, statement: &str, values: &[Value]) -> Result<Vec<String>, FdwError> {
        Ok(self.rows(statement, values)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    /// The first value of the first row.
    pub fn value(&self, statement: &str, values: &[Value]) -> Result<Option<String>, FdwError> {
        self.sandboxed(|| spi::value(statement, values))
    }

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
