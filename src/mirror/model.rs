//! What a mirror is: its server, its owner and its tables, as stored in the tables of `sql/1_bookkeeping.sql`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use clerk_api::catalog::{Access, Column, Kind, OBJECTS, Object, Role, object, object_with_access};
use pgrx::pg_sys;

use crate::error::FdwError;
use crate::mirror::store;
use crate::pg::quote::quote_identifier;
use crate::pg::relation::Relation;
use crate::pg::sandbox;
use crate::pg::spi::{self, PlanPolicy, Row, Value};
use crate::remote::server::Server;

/// What is known of a mirror even if its server or its owner has been dropped.
pub struct Entry {
    pub name: String,
    /// Identifies the mirror, even if it is renamed.
    pub number: i32,
    /// InvalidOid if the role has been dropped.
    pub owner: pg_sys::Oid,
    pub made_schema: bool,
    pub schedule: Option<String>,
}

/// A mirror whose server and owner exist, so that it can be synced.
pub struct Mirror {
    entry: Entry,
    pub server: Server,
    pub deletes: DeleteMode,
    pub full_every: String,
    pub keep_webhook_bodies: bool,
    pub instance_id: Option<String>,
}

/// The stored row of a mirror, joined with its server and its owner as they are now.
struct MirrorRecord {
    entry: Entry,
    owner_name: String,
    server_name: String,
    /// InvalidOid if the server has been dropped, or if the oid belongs to a server of another name now.
    server: pg_sys::Oid,
    may_use_server: bool,
    deletes: DeleteMode,
    full_every: String,
    keep_webhook_bodies: bool,
    instance_id: Option<String>,
}

impl Deref for Mirror {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

/// What happens to the row of an object that Clerk has deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DeleteMode {
    Soft,
    Hard,
}

/// One table of a mirror.
#[derive(Clone)]
pub struct Table {
    pub object: &'static Object,
    /// Its qualified name, quoted.
    pub name: String,
    /// The role whose rights are used to read and write the table, so that code of no other role can run then.
    owner: pg_sys::Oid,
    pub is_partitioned: bool,
    /// What is stored in each of its columns.
    pub columns: Vec<ColumnMapping>,
}

/// A column of a mirror's table, and the expression over Clerk's object whose value is stored in it.
#[derive(Clone)]
pub struct ColumnMapping {
    /// The column's name, quoted.
    pub column: String,
    /// An expression over the object's columns. Three of these are special: `updated_at`, `synced_at` and `deleted_at`.
    pub expression: String,
    /// Its base type without a modifier, as a plain name. A cast to a type with a length would silently cut off what is
    /// too long, and the keyword `character` would mean one character. The assignment to the column, which follows the
    /// cast, raises an error instead.
    pub data_type: String,
    /// Whether values of its type can be compared.
    pub is_comparable: bool,
    /// The number of fractional digits of a second that the column stores; `None` if it stores no timestamp.
    pub precision: Option<i32>,
    /// Whether a JSON object replaces only those members of the row's that it has itself.
    pub is_merged: bool,
}

/// How a mirror is identified: by its name where a user gives it, by its number where a row refers to it.
#[derive(Clone, Copy)]
pub enum MirrorRef<'n> {
    Name(&'n str),
    Number(i32),
}

impl fmt::Display for MirrorRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MirrorRef::Name(name) => f.write_str(name),
            MirrorRef::Number(number) => number.fmt(f),
        }
    }
}

impl MirrorRecord {
    fn read(mirror_ref: MirrorRef) -> Result<MirrorRecord, FdwError> {
        // The oid alone is not enough: after pg_upgrade it may belong to another server, which another role may have
        // created. So a server that was renamed is not found either.
        const SELECT: &str = "
            SELECT m.name, m.number, coalesce(r.oid, 0), m.made_schema, m.schedule, m.owner_name, m.server_name,
                   coalesce(s.oid, 0), has_server_privilege(r.oid, s.oid, 'USAGE'), m.deletes, m.full_every,
                   m.keep_webhook_bodies, m.instance_id
              FROM clerk_fdw_internal.mirror m
              LEFT JOIN pg_roles r ON r.oid = m.owner
              LEFT JOIN pg_foreign_server s ON s.oid = m.server AND s.srvname = m.server_name";
        let condition = match mirror_ref {
            MirrorRef::Name(_) => "m.name = $1::name",
            MirrorRef::Number(_) => "m.number = $1::int4",
        };
        let row = store::row(&format!("{SELECT} WHERE {condition}"), &[Some(&mirror_ref.to_string())])?;
        let mut row = row.ok_or_else(|| FdwError::NoMirror(mirror_ref.to_string()))?.into_iter();
        let mut next = || row.next().flatten();
        let is_true = |value: Option<String>| value.as_deref() == Some("t");
        Ok(MirrorRecord {
            entry: Entry {
                name: next().unwrap_or_default(),
                number: next().and_then(|number| number.parse().ok()).unwrap_or_default(),
                owner: oid_of(&next().unwrap_or_default()),
                made_schema: is_true(next()),
                schedule: next(),
            },
            owner_name: next().unwrap_or_default(),
            server_name: next().unwrap_or_default(),
            server: oid_of(&next().unwrap_or_default()),
            may_use_server: is_true(next()),
            deletes: if next().as_deref() == Some("hard") { DeleteMode::Hard } else { DeleteMode::Soft },
            full_every: next().unwrap_or_default(),
            keep_webhook_bodies: is_true(next()),
            instance_id: next(),
        })
    }

    /// Checks that the caller has the rights of the mirror's owner. For everybody else the mirror does not exist.
    fn check_caller(self, mirror_ref: MirrorRef) -> Result<MirrorRecord, FdwError> {
        // SAFETY: GetUserId returns the current role's oid, which is set before any function can be called.
        // has_privs_of_role takes any two oids: a role that does not exist has no members, and a superuser has the
        // rights of every role. The catalog look-up runs in the transaction of the statement that called the function.
        match unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), self.entry.owner) } {
            true => Ok(self),
            false => Err(FdwError::NoMirror(mirror_ref.to_string())),
        }
    }
}

impl Entry {
    /// Reads the entry for a caller who has the rights of the mirror's owner.
    pub fn load(mirror_ref: MirrorRef) -> Result<Entry, FdwError> {
        Ok(MirrorRecord::read(mirror_ref)?.check_caller(mirror_ref)?.entry)
    }

    /// Reads the entry for a caller who needs no rights in the mirror, such as the sender of a signed webhook.
    pub fn load_for_anyone(mirror_ref: MirrorRef) -> Result<Entry, FdwError> {
        Ok(MirrorRecord::read(mirror_ref)?.entry)
    }

    /// The mirror's number as a parameter of a statement.
    pub fn key(&self) -> String {
        self.number.to_string()
    }

    /// The mirror's tables in the order of the catalogue: all of them, or those of some objects.
    pub fn tables(&self, objects: Option<&[String]>) -> Result<Vec<Table>, FdwError> {
        let query =
            "SELECT t.object FROM clerk_fdw_internal.mirror_table t WHERE t.mirror = $1::int4 ORDER BY t.object";
        let mirrored = store::column(query, &[Some(&self.key())])?;
        if let Some(unknown) = objects.unwrap_or_default().iter().find(|object| !mirrored.contains(object)) {
            return Err(FdwError::NotMirrored { mirror: self.name.clone(), object: unknown.clone(), have: mirrored });
        }
        let in_catalogue = OBJECTS.iter().map(|object| object.name);
        in_catalogue
            .filter(|name| mirrored.iter().any(|object| object == name))
            .filter(|name| objects.is_none_or(|objects| objects.iter().any(|object| object == name)))
            .map(|name| self.table(name))
            .collect()
    }

    /// The tables of the objects that have a parent of this kind, as memberships have an organization.
    pub fn children(&self, parent: &Object) -> Result<Vec<Table>, FdwError> {
        self.tables_of(|object| object.parent(parent).is_some())
    }

    /// The table of an object, if the mirror has one.
    pub fn find_table(&self, name: &str) -> Result<Option<Table>, FdwError> {
        match self.table(name) {
            Err(FdwError::NotMirrored { .. }) => Ok(None),
            table => table.map(Some),
        }
    }

    /// The tables whose rows are elements of objects of this kind, as email addresses are of users.
    pub fn element_tables(&self, owner: &Object) -> Result<Vec<Table>, FdwError> {
        self.tables_of(|object| object.elements.is_some_and(|elements| elements.of == owner.name))
    }

    /// The tables of the objects that are wanted. One statement finds which of them the mirror has, because most mirrors
    /// have few of many.
    fn tables_of(&self, is_wanted: impl Fn(&Object) -> bool) -> Result<Vec<Table>, FdwError> {
        let wanted: Vec<&Object> = OBJECTS.iter().copied().filter(|object| is_wanted(object)).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let query = "SELECT t.object FROM clerk_fdw_internal.mirror_table t WHERE t.mirror = $1::int4";
        let mirrored = store::column(query, &[Some(&self.key())])?;
        let has = |object: &&&Object| mirrored.iter().any(|name| name == object.name);
        wanted.iter().filter(has).map(|object| self.table(object.name)).collect()
    }

    /// The table of the object that describes users, organizations or memberships, if the mirror has it.
    pub fn table_with_access(&self, access: Access) -> Result<Option<Table>, FdwError> {
        object_with_access(access).map_or(Ok(None), |object| self.find_table(object.name))
    }

    /// The table of an object.
    pub fn table(&self, name: &str) -> Result<Table, FdwError> {
        let not_mirrored =
            || FdwError::NotMirrored { mirror: self.name.clone(), object: name.to_owned(), have: Vec::new() };
        let object = object(name).ok_or_else(not_mirrored)?;
        let query = "SELECT relation::oid, columns FROM clerk_fdw_internal.mirror_table
                      WHERE mirror = $1::int4 AND object = $2";
        let row = store::row(query, &[Some(&self.key()), Some(name)])?.ok_or_else(not_mirrored)?;
        let mut row = row.into_iter();
        let relation = oid_of(&row.next().flatten().unwrap_or_default());
        let columns: Option<BTreeMap<String, String>> =
            row.next().flatten().and_then(|columns| serde_json::from_str(&columns).ok());
        let Some(relation) = Relation::of(relation) else {
            return Err(FdwError::TableGone { mirror: self.name.clone(), object: object.name });
        };
        // It was a table when the mirror was created. If its owner has replaced it by a view, the view's code would run
        // for everybody who asks for the number of rows.
        if !relation.is_table() {
            return Err(FdwError::NotATable(relation.name));
        }
        if !sandbox::can_act_as(self.owner, relation.owner) {
            let owner = sandbox::role_name(relation.owner);
            return Err(FdwError::TableOwnedByOther { mirror: self.name.clone(), table: relation.name, owner });
        }
        // In a table that the extension created, the name of a column says what is stored in it. Columns that the user
        // has dropped are left out.
        let expression = |column: &str| match &columns {
            Some(columns) => columns.get(column).cloned(),
            None => {
                let is_known = object.columns.iter().any(|known| known.name == column);
                (is_known || matches!(column, "synced_at" | "deleted_at")).then(|| column.to_owned())
            }
        };
        let is_partitioned = relation.is_partitioned();
        let mapping = relation.columns.into_iter().filter_map(|column| {
            Some(ColumnMapping {
                expression: expression(&column.name)?,
                column: quote_identifier(&column.name),
                data_type: column.data_type,
                is_comparable: column.is_comparable,
                precision: column.precision,
                is_merged: false,
            })
        });
        let (name, owner) = (relation.name, relation.owner);
        let table = Table { object, name, owner, is_partitioned, columns: mapping.collect() };
        for required in [object.id().name, "synced_at", "deleted_at"] {
            if table.column(required).is_none() {
                return Err(FdwError::ColumnGone { table: table.name, column: required });
            }
        }
        Ok(table)
    }
}

impl Mirror {
    /// Reads the mirror for a caller who has the rights of its owner.
    pub fn load(mirror_ref: MirrorRef) -> Result<Mirror, FdwError> {
        Mirror::from_record(MirrorRecord::read(mirror_ref)?.check_caller(mirror_ref)?)
    }

    /// Reads the mirror for a caller who needs no rights in it.
    pub fn load_for_anyone(mirror_ref: MirrorRef) -> Result<Mirror, FdwError> {
        Mirror::from_record(MirrorRecord::read(mirror_ref)?)
    }

    fn from_record(record: MirrorRecord) -> Result<Mirror, FdwError> {
        let entry = record.entry;
        if entry.owner == pg_sys::InvalidOid {
            return Err(FdwError::NoOwner { mirror: entry.name, owner: record.owner_name });
        }
        if record.server == pg_sys::InvalidOid {
            return Err(FdwError::NoServer { mirror: entry.name, server: record.server_name });
        }
        if !record.may_use_server {
            return Err(FdwError::NoServerPrivilege { server: record.server_name, role: record.owner_name });
        }
        Ok(Mirror {
            entry,
            server: Server::new(record.server),
            deletes: record.deletes,
            full_every: record.full_every,
            keep_webhook_bodies: record.keep_webhook_bodies,
            instance_id: record.instance_id,
        })
    }
}

/// Parses an oid that a statement returned; InvalidOid if it is none.
pub fn oid_of(text: &str) -> pg_sys::Oid {
    text.parse::<u32>().map_or(pg_sys::InvalidOid, pg_sys::Oid::from)
}

impl Table {
    pub fn owner(&self) -> pg_sys::Oid {
        self.owner
    }

    /// Does something that may run code that the table's owner wrote: triggers, expressions, policies. It runs with the
    /// owner's rights.
    pub fn sandboxed<T>(&self, action: impl FnOnce() -> T) -> T {
        sandbox::run_as(self.owner, action)
    }

    /// Runs a statement on the table, which each backend prepares once, and returns its rows.
    pub fn rows(&self, statement: &str, values: &[Value], planned: PlanPolicy) -> Result<Vec<Row>, FdwError> {
        self.sandboxed(|| spi::prepared(statement, values, planned))
    }

    /// Runs a statement on the table and returns the first column of its rows.
    pub fn first_column(&self, statement: &str, values: &[Value]) -> Result<Vec<String>, FdwError> {
        let rows = self.rows(statement, values, PlanPolicy::EachTime)?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    /// Runs a statement on the table and returns the first value of its first row.
    pub fn value(&self, statement: &str, values: &[Value]) -> Result<Option<String>, FdwError> {
        Ok(self.first_column(statement, values)?.into_iter().next())
    }

    /// The SQL condition that a quoted column of a row equals a parameter such as `$1`.
    pub fn equals_sql(&self, row: &str, column: &str, parameter: &str) -> String {
        format!("{row}.{column} = {parameter}::{}", self.type_of(column))
    }

    /// The SQL condition that a row's id is in a parameter's JSON array.
    pub fn id_in_sql(&self, row: &str, parameter: &str) -> String {
        let id = self.id();
        let ids = format!(
            "SELECT listed.id::{} FROM jsonb_array_elements_text({parameter}::jsonb) listed(id)",
            self.type_of(id)
        );
        format!("({row}.{id} = ANY (ARRAY({ids})))")
    }

    fn type_of(&self, column: &str) -> &str {
        let mapping = self.columns.iter().find(|mapping| mapping.column == column);
        mapping.map_or("pg_catalog.text", |mapping| &mapping.data_type)
    }

    /// The quoted name of the column in which the value of an expression is stored.
    pub fn column(&self, expression: &str) -> Option<&str> {
        self.columns.iter().find(|mapping| mapping.expression == expression).map(|mapping| &*mapping.column)
    }

    /// The quoted column that stores when the object was last changed.
    pub fn updated_at(&self) -> Option<&str> {
        self.column(self.object.updated_at()?.name)
    }

    /// The quoted column that stores when the object was created, if it is precise to the millisecond, as Clerk's times
    /// are.
    pub fn created_at(&self) -> Option<&str> {
        let created_at = self.object.created_at()?.name;
        let is_exact = |mapping: &&ColumnMapping| mapping.expression == created_at && mapping.precision >= Some(3);
        self.columns.iter().find(is_exact).map(|mapping| &*mapping.column)
    }

    /// The quoted column that says whether a user is banned and so may not sign in.
    pub fn banned(&self) -> Option<&str> {
        let column = self.object.columns.iter().find(|column| column.role == Some(Role::Banned))?;
        self.column(column.name)
    }

    /// The quoted column that stores the id of the parent that is a user, or an organization.
    pub fn parent_with_access(&self, access: Access) -> Option<&str> {
        self.column(self.object.parent(object_with_access(access)?)?.name)
    }

    /// Whether `synced_at` is stored with all six digits of Postgres' timestamps. If it were rounded, a row that was
    /// written during a sync could look as if it had been written before it.
    pub fn has_exact_synced_at(&self) -> bool {
        let mut synced_at = self.columns.iter().filter(|mapping| mapping.expression == "synced_at");
        synced_at.all(|mapping| mapping.precision == Some(6))
    }

    /// The quoted column that stores the object's id. There always is one: a table without it is not loaded.
    pub fn id(&self) -> &str {
        self.column(self.object.id().name).unwrap_or_default()
    }

    pub fn synced_at(&self) -> &str {
        self.column("synced_at").unwrap_or_default()
    }

    pub fn deleted_at(&self) -> &str {
        self.column("deleted_at").unwrap_or_default()
    }

    /// The same table for data that has only these columns of the object, and of JSON objects maybe only some members.
    /// Where a column stores a JSON object as it is, the members are merged into those of the row; what an expression
    /// needs of one may be missing, so that columns with such an expression are left out.
    pub fn for_part(&self, known: &[&'static Column]) -> Table {
        let is_json = |column: &Column| column.kind == Kind::Json;
        let is_whole = |column: &Column| known.iter().any(|other| other.name == column.name) && !is_json(column);
        let parts: Vec<_> = known.iter().filter(|column| is_json(column)).map(|column| column.name).collect();
        let missing: Vec<_> =
            self.object.columns.iter().filter(|column| !is_whole(column)).map(|column| column.name).collect();
        let columns = self.columns.iter().filter_map(|mapping| {
            let expression = &*mapping.expression;
            let is_merged = parts.contains(&expression) && mapping.data_type == "pg_catalog.jsonb";
            let is_whole = known.iter().any(|column| column.name == expression && !is_json(column))
                || matches!(expression, "synced_at" | "deleted_at")
                || missing.iter().all(|name| !expression.contains(name));
            (is_merged || is_whole).then(|| ColumnMapping { is_merged, ..mapping.clone() })
        });
        Table { columns: columns.collect(), ..self.clone() }
    }

    /// The same table without the columns that need one of these columns of the object.
    pub fn without(&self, missing: &[&'static Column]) -> Table {
        let is_column = |name: &str| self.object.columns.iter().any(|column| column.name == name);
        let needs = |mapping: &ColumnMapping, name: &str| match is_column(&mapping.expression) {
            true => mapping.expression == name,
            false => mapping.expression.contains(name),
        };
        let is_kept = |mapping: &&ColumnMapping| !missing.iter().any(|column| needs(mapping, column.name));
        Table { columns: self.columns.iter().filter(is_kept).cloned().collect(), ..self.clone() }
    }

    /// Whether one of the table's columns needs this column of the object.
    pub fn uses_column(&self, column: &str) -> bool {
        self.columns.iter().any(|mapping| mapping.expression.contains(column))
    }
}
