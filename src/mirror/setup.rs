//! Creates, changes and drops mirrors.
//!
//! Schemas and tables are created with the rights of the caller, who becomes the mirror's owner. They are dropped with
//! the rights of their owners.

use std::collections::BTreeMap;

use clerk_api::catalog::{Mirroring, OBJECTS, Object, object};
use pgrx::{PgSqlErrorCode, pg_sys};

use crate::error::FdwError;
use crate::mirror::model::{Entry, MirrorRef, oid_of};
use crate::mirror::row_counts;
use crate::mirror::schedule;
use crate::mirror::store;
use crate::mirror::{invalidation, lock};
use crate::options::{object_hint, object_names};
use crate::pg::encoding::to_c_string;
use crate::pg::quote::{quote_identifier, quote_literal};
use crate::pg::sandbox::{self, as_caller, can_act_as};
use crate::pg::spi;
use crate::remote::server::usable_server;

/// The arguments of `clerk_fdw.create_mirror`.
pub struct NewMirror {
    pub server: String,
    pub schema: String,
    pub objects: Option<Vec<String>>,
    /// Existing tables, by object.
    pub tables: BTreeMap<String, String>,
    /// What is stored in the columns of these tables, by object and column.
    pub columns: BTreeMap<String, serde_json::Value>,
    pub deletes: String,
    pub full_every: String,
}

/// What stands for every object that can be mirrored, where objects are named.
const EVERY_OBJECT: &str = "*";

/// For each column of a table, the expression whose value is stored in it.
type ColumnMap = BTreeMap<String, String>;

/// Creates a mirror.
pub fn create(new: &NewMirror) -> Result<(), FdwError> {
    let NewMirror { server, schema, deletes, full_every, .. } = new;
    check_server(server, None)?;
    let objects = new.objects()?;
    check_deletes(deletes)?;
    let exists = "SELECT 1 FROM clerk_fdw_internal.mirror m WHERE m.name = $1::name";
    if store::value(exists, &[Some(schema)])?.is_some() {
        return Err(duplicate(format!("mirror \"{schema}\" already exists")));
    }
    let made_schema = ensure_schema(schema)?;
    // SAFETY: GetUserId returns the current role's oid, which is set before any function can be called.
    let owner = sandbox::role_name(unsafe { pg_sys::GetUserId() });
    let number = store::value(
        "INSERT INTO clerk_fdw_internal.mirror (name, server_name, owner_name, made_schema, deletes, full_every)
         VALUES ($1, $2, $3, $4::bool, $5, $6::interval) RETURNING number",
        &[Some(schema), Some(server), Some(&owner), Some(store::boolean(made_schema)), Some(deletes), Some(full_every)],
    )?;
    let mirror = Entry::load_for_anyone(MirrorRef::Name(schema))?;
    for object in objects {
        let (relation, map) = match new.tables.get(object.name) {
            Some(name) => {
                let table = find_table(name)?;
                let map = column_map(object, &table, new.columns.get(object.name))?;
                (table.oid, serde_json::to_string(&map).ok())
            }
            None => (create_table(schema, object)?, None),
        };
        store::run(
            "INSERT INTO clerk_fdw_internal.mirror_table (mirror, object, relation, columns, row_security)
             VALUES ($1::int4, $2, $3::oid, $4::jsonb, $4 IS NULL)",
            &[number.as_deref(), Some(object.name), Some(&relation), map.as_deref()],
        )?;
        let table = mirror.table(object.name)?;
        if !table.has_exact_synced_at() {
            let message = format!("column {} of {} does not keep microseconds", table.synced_at(), table.name);
            let hint = "What takes synced_at is of type timestamptz; without one, such a column is added.".to_owned();
            return Err(invalid(message, Some(hint)));
        }
        // A table that was part of a mirror before has rows that came from Clerk.
        row_counts::recount(&mirror, &table)?;
    }
    Ok(())
}

impl NewMirror {
    /// The objects that get a table, in the order of the catalogue.
    fn objects(&self) -> Result<Vec<&'static Object>, FdwError> {
        let known = object_names();
        let mirroring = |mirroring: Mirroring| {
            OBJECTS.iter().filter(move |object| object.mirroring == mirroring).map(|object| object.name)
        };
        let by_default: Vec<&str> = mirroring(Mirroring::ByDefault).collect();
        let requested: Vec<&str> = match &self.objects {
            Some(objects) => {
                let names = objects.iter().map(String::as_str).filter(|name| *name != EVERY_OBJECT);
                let has_every = objects.iter().any(|object| object == EVERY_OBJECT);
                let every = has_every.then(|| by_default.iter().copied().chain(mirroring(Mirroring::OnRequest)));
                names.chain(every.into_iter().flatten()).collect()
            }
            None => by_default,
        };
        let unknown = requested.iter().copied().filter(|name| object(name).is_none());
        let mapped = self.tables.keys().chain(self.columns.keys()).map(String::as_str);
        let unknown: Vec<_> = unknown.chain(mapped.filter(|name| !known.contains(name))).collect();
        if let Some(first) = unknown.first() {
            let names: Vec<_> = unknown.iter().map(|name| format!("\"{name}\"")).collect();
            return Err(invalid(format!("Clerk has no object {}", names.join(", ")), Some(object_hint(first))));
        }
        let without_table = self.columns.keys().filter(|name| !self.tables.contains_key(*name));
        let without_table: Vec<_> = without_table.map(|name| format!("\"{name}\"")).collect();
        if !without_table.is_empty() {
            return Err(invalid(
                format!("columns are given for {}, but no table", without_table.join(", ")),
                Some("Columns are mapped for tables that are there already: name the table in tables.".to_owned()),
            ));
        }
        // Objects may be named by their aliases.
        let requested: Vec<&str> = requested.iter().filter_map(|name| Some(object(name)?.name)).collect();
        let is_wanted = |name: &&str| requested.contains(name) || self.tables.contains_key(*name);
        let objects: Vec<&'static Object> = known.into_iter().filter(is_wanted).filter_map(object).collect();
        if let Some(object) = objects.iter().find(|object| object.mirroring == Mirroring::Never) {
            let hint = "It can only be listed below a parent: query the foreign table with a condition.".to_owned();
            return Err(invalid(format!("{} cannot be mirrored", object.name), Some(hint)));
        }
        let owner = |object: &&'static Object| object.elements.map(|elements| elements.of);
        let without_owner =
            objects.iter().find(|object| owner(object).is_some_and(|of| objects.iter().all(|other| other.name != of)));
        if let Some(object) = without_owner {
            let of = owner(object).unwrap_or_default();
            let hint =
                format!("Its rows change with events of {of}: name both, as in objects => '{{{of},{}}}'.", object.name);
            return Err(invalid(format!("{} can only be mirrored together with {of}", object.name), Some(hint)));
        }
        Ok(objects)
    }
}

/// Checks that the server exists, and that a role may use it: the caller, if none is given.
fn check_server(server: &str, role: Option<pg_sys::Oid>) -> Result<(), FdwError> {
    // SAFETY: GetUserId only reads the current role of this backend.
    let caller = unsafe { pg_sys::GetUserId() };
    usable_server(server, role.unwrap_or(caller)).map(|_| ())
}

fn check_deletes(deletes: &str) -> Result<(), FdwError> {
    match deletes {
        "soft" | "hard" => Ok(()),
        _ => Err(invalid(format!("deletes is \"{deletes}\", neither soft nor hard"), None)),
    }
}

/// Creates the schema if it does not exist, and returns whether it did. In an existing schema the caller must be
/// allowed to create tables: a mirror is named after its schema, and nobody should give their mirror the name of
/// another role's schema.
fn ensure_schema(schema: &str) -> Result<bool, FdwError> {
    // SAFETY: to_c_string gives a C string in the current memory context, and get_namespace_oid returns InvalidOid for
    // a name that is no schema.
    let oid = unsafe { pg_sys::get_namespace_oid(to_c_string(schema), true) };
    as_caller(|| {
        if oid == pg_sys::InvalidOid {
            spi::run(&format!("CREATE SCHEMA {}", quote_identifier(schema)), &[])?;
            return Ok(true);
        }
        let is_allowed = "SELECT has_schema_privilege($1::oid, 'CREATE')";
        match spi::value(is_allowed, &[Some(&oid.to_u32().to_string())])?.as_deref() {
            Some("t") => Ok(false),
            _ => Err(denied(format!("permission denied for schema {schema}"))),
        }
    })
}

/// A table that existed before its mirror.
struct ExistingTable {
    oid: String,
    /// Its qualified name, quoted.
    name: String,
}

/// Finds an existing table, and checks that it can be mirrored and that the caller has the rights of its owner.
fn find_table(name: &str) -> Result<ExistingTable, FdwError> {
    let query = "
        SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind, c.relpersistence, c.relowner,
               EXISTS (SELECT FROM clerk_fdw_internal.mirror_table t WHERE t.relation = c.oid)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid";
    let oid = as_caller(|| spi::value("SELECT $1::regclass::oid", &[Some(name)]))?;
    let row = store::row(query, &[oid.as_deref()])?.unwrap_or_default();
    let [Some(oid), Some(name), Some(kind), Some(persistence), Some(owner), is_mirrored] = &row[..] else {
        return Err(FdwError::NotATable(name.to_owned()));
    };
    if !matches!(&**kind, "r" | "p") || persistence == "t" {
        return Err(FdwError::NotATable(name.clone()));
    }
    // SAFETY: GetUserId returns the current role's oid, which is set before any function can be called.
    if !can_act_as(unsafe { pg_sys::GetUserId() }, oid_of(owner)) {
        return Err(denied(format!("must be owner of table {name}")));
    }
    match is_mirrored.as_deref() {
        Some("t") => Err(duplicate(format!("{name} is in a mirror already"))),
        _ => Ok(ExistingTable { oid: oid.clone(), name: name.clone() }),
    }
}

/// The column map of an existing table: the caller's, which is checked, or one by name. If nothing is mapped to one of
/// the three columns that every sync needs, that column is added to the table.
fn column_map(
    object: &Object,
    table: &ExistingTable,
    requested: Option<&serde_json::Value>,
) -> Result<ColumnMap, FdwError> {
    let ExistingTable { oid, name: table } = table;
    let id = object.id().name;
    let example = |column: &str| format!("{{\"{column}\": \"{id}\"}}");
    let columns = "
        SELECT a.attname, a.attgenerated,
               EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum
                          AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indnkeyatts = 1
                          AND i.indpred IS NULL)
          FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped";
    let columns = store::rows(columns, &[Some(oid)])?;
    let has_value =
        |row: &spi::Row, index: usize, value: &str| row.get(index).is_some_and(|at| at.as_deref() == Some(value));
    let find = |name: &str| columns.iter().find(|row| has_value(row, 0, name));
    let mut map = match requested.filter(|requested| !requested.is_null()) {
        Some(requested) => {
            let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let columns = requested.as_object().into_iter().flatten();
            columns.map(|(column, value)| (column.clone(), text(value))).collect()
        }
        None => {
            // Columns are mapped by name, and clerk_id to the object's id. A column "id" is the table's own.
            let named = object.public_columns().map(|column| (column.name, column.name));
            let named =
                named.chain([("clerk_id", id)]).filter(|(name, _)| find(name).is_some_and(|row| has_value(row, 1, "")));
            named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<ColumnMap>()
        }
    };
    if map.is_empty() {
        let hint = format!("Say what its columns take: columns => '{{\"{}\": {}}}'.", object.name, example("clerk_id"));
        return Err(invalid(format!("no column of {table} is named as a column of {}", object.name), Some(hint)));
    }
    let unknown = map.keys().filter(|column| find(column).is_none_or(|row| !has_value(row, 1, "")));
    let unknown: Vec<_> = unknown.map(|column| quote_identifier(column)).collect();
    if !unknown.is_empty() {
        let message = format!("{table} has no column {}", unknown.join(", "));
        return Err(refused(PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN, message, None));
    }
    let id_columns = || map.iter().filter(|(_, value)| *value == id).map(|(column, _)| column);
    if id_columns().next().is_none() {
        let hint = format!("Map a column to it: {}.", example("clerk_id"));
        return Err(invalid(format!("no column of {table} takes {id}"), Some(hint)));
    }
    if let Some(key) = id_columns().find(|key| !find(key).is_some_and(|row| has_value(row, 2, "t"))) {
        let key = quote_identifier(key);
        let hint = format!("CREATE UNIQUE INDEX ON {table} ({key});");
        return Err(invalid(format!("column {key} of {table} is not unique"), Some(hint)));
    }
    let updated_at = object.updated_at().map(|column| column.name);
    for required in updated_at.into_iter().chain(["synced_at", "deleted_at"]) {
        if map.values().any(|value| value == required) {
            continue;
        }
        let column = format!("clerk_{required}");
        if find(&column).is_none() {
            as_caller(|| spi::run(&format!("ALTER TABLE {table} ADD COLUMN {column} timestamptz"), &[]))?;
            crate::mirror::sync::log::send_notice(format!("column {column} was added to {table}"));
        }
        map.insert(column, required.to_owned());
    }
    Ok(map)
}

/// Creates the table for an object as the catalogue describes it, and returns its oid. Row security is enabled from the
/// beginning, so that default privileges show its rows to nobody but its owner.
fn create_table(schema: &str, object: &Object) -> Result<String, FdwError> {
    let name = format!("{}.{}", quote_identifier(schema), quote_identifier(object.name));
    let id = object.id().name;
    let mut columns: Vec<_> = object
        .public_columns()
        .map(|column| format!("{} {}", quote_identifier(column.name), column.kind.sql_type()))
        .collect();
    columns.push("synced_at timestamptz NOT NULL DEFAULT now()".to_owned());
    columns.push("deleted_at timestamptz".to_owned());
    columns.push(format!("PRIMARY KEY ({})", quote_identifier(id)));
    let mut commands = vec![
        format!("CREATE TABLE {name} ({})", columns.join(", ")),
        format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"),
        format!("COMMENT ON TABLE {name} IS 'Kept in step with Clerk by clerk_fdw.sync.'"),
        format!("COMMENT ON COLUMN {name}.synced_at IS 'When the row last took Clerk''s state.'"),
        format!("COMMENT ON COLUMN {name}.deleted_at IS 'When Clerk was found not to have it any more.'"),
    ];
    for column in object.public_columns() {
        let quoted = quote_identifier(column.name);
        commands.push(format!("COMMENT ON COLUMN {name}.{quoted} IS {}", quote_literal(column.description)));
        if object.is_looked_up(column) && column.name != id {
            commands.push(format!("CREATE INDEX ON {name} ({quoted})"));
        }
    }
    as_caller(|| {
        commands.iter().try_for_each(|command| spi::run(command, &[]))?;
        Ok(spi::value("SELECT $1::regclass::oid", &[Some(&name)])?.unwrap_or_default())
    })
}

/// The arguments of `clerk_fdw.alter_mirror`; what is `None` stays as it is.
#[derive(Default)]
pub struct Changes<'c> {
    pub owner: Option<&'c str>,
    pub server: Option<&'c str>,
    pub deletes: Option<&'c str>,
    pub full_every: Option<String>,
    pub keep_webhook_bodies: Option<bool>,
}

/// Changes a mirror.
pub fn alter(name: &str, changes: &Changes) -> Result<(), FdwError> {
    let entry = Entry::load(MirrorRef::Name(name))?;
    // SAFETY: GetUserId returns the current role's oid, which is set before any function can be called.
    let caller = unsafe { pg_sys::GetUserId() };
    let owner = match changes.owner {
        Some(owner) => {
            // SAFETY: to_c_string gives a C string in the current memory context, and get_role_oid raises an error for
            // a name that is no role.
            let role = unsafe { pg_sys::get_role_oid(to_c_string(owner), false) };
            if !can_act_as(caller, role) {
                return Err(denied(format!("must be able to SET ROLE \"{owner}\"")));
            }
            role
        }
        None => entry.owner,
    };
    if let Some(server) = changes.server {
        check_server(server, Some(owner))?;
    }
    if let Some(deletes) = changes.deletes {
        check_deletes(deletes)?;
    }
    invalidation::invalidate_mirrors();
    let owner = owner.to_u32().to_string();
    store::run(
        "UPDATE clerk_fdw_internal.mirror m
            SET owner = $2::oid, owner_name = coalesce((SELECT r.rolname FROM pg_roles r WHERE r.oid = $2::oid), m.owner_name),
                server = coalesce((SELECT s.oid FROM pg_foreign_server s WHERE s.srvname = $3), m.server),
                server_name = coalesce($3::name, m.server_name), deletes = coalesce($4, m.deletes),
                full_every = coalesce($5::interval, m.full_every),
                keep_webhook_bodies = coalesce($6::bool, m.keep_webhook_bodies)
          WHERE m.number = $1::int4",
        &[
            Some(&entry.number.to_string()),
            Some(&owner),
            changes.server,
            changes.deletes,
            changes.full_every.as_deref(),
            changes.keep_webhook_bodies.map(store::boolean),
        ],
    )
}

/// Drops a mirror, with the tables that were created with it unless they are to be kept.
///
/// `remove_policies` is called before the tables are dropped.
pub fn drop(
    name: &str,
    keep_tables: bool,
    remove_policies: impl FnOnce(&Entry) -> Result<(), FdwError>,
) -> Result<(), FdwError> {
    let entry = Entry::load(MirrorRef::Name(name))?;
    if !lock::try_sync(entry.number) {
        return Err(FdwError::Syncing(entry.name));
    }
    lock::for_drop(&entry);
    if entry.schedule.is_some() {
        schedule::unschedule(&entry)?;
    }
    invalidation::invalidate_mirrors();
    remove_policies(&entry)?;
    let key = entry.number.to_string();
    if !keep_tables {
        let created_tables = "
            SELECT format('%I.%I', n.nspname, c.relname), c.relowner
              FROM clerk_fdw_internal.mirror_table t JOIN pg_class c ON c.oid = t.relation
              JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE t.mirror = $1::int4 AND t.columns IS NULL";
        for row in store::rows(created_tables, &[Some(&key)])? {
            let [Some(table), Some(owner)] = &row[..] else { continue };
            drop_with_rights_of(&entry, oid_of(owner), &format!("DROP TABLE {table}"))?;
        }
    }
    store::run("DELETE FROM clerk_fdw_internal.mirror WHERE number = $1::int4", &[Some(&key)])?;
    // The schema is dropped only if it is empty: anything else in it does not belong to the mirror.
    let owner_of_empty_schema = "
        SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = $1::name
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_namespace'::regclass AND d.deptype = 'n'
                              AND d.refobjid = n.oid)";
    if entry.made_schema
        && let Some(owner) = store::value(owner_of_empty_schema, &[Some(&entry.name)])?
    {
        drop_with_rights_of(&entry, oid_of(&owner), &format!("DROP SCHEMA {}", quote_identifier(&entry.name)))?;
    }
    Ok(())
}

/// Runs a DROP command with the rights of the role that owns what is dropped, if the mirror's owner has these rights.
/// Something that belongs to another role is no longer the mirror's, whatever its name is, and stays.
fn drop_with_rights_of(entry: &Entry, owner: pg_sys::Oid, command: &str) -> Result<(), FdwError> {
    match can_act_as(entry.owner, owner) {
        true => sandbox::run_as(owner, || spi::run(command, &[])),
        false => Ok(()),
    }
}

fn refused(code: PgSqlErrorCode, message: String, hint: Option<String>) -> FdwError {
    FdwError::Refused { code, message, hint }
}

fn invalid(message: String, hint: Option<String>) -> FdwError {
    refused(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, hint)
}

fn denied(message: String) -> FdwError {
    refused(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE, message, None)
}

fn duplicate(message: String) -> FdwError {
    refused(PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT, message, None)
}
