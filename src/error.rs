//! Defines the extension's errors, with the SQLSTATE, the message, the detail and the hint that the user gets.

use clerk_api::webhook::Refusal;
use clerk_api::write::{Operation, WriteError};
use pgrx::PgSqlErrorCode;

pub use self::raise::OrRaise;
use crate::pg::quote::{quote_identifier, quote_literal};

mod clerk;
mod raise;

/// The errors that this crate raises. The comment on each variant names its SQLSTATE.
#[derive(Debug, thiserror::Error)]
pub enum FdwError {
    /// HV00N.
    #[error("no API key for server \"{server}\"")]
    NoKey { server: String, looked_at: Vec<String> },

    /// 28000 if Clerk refuses the key, 08006 if Clerk cannot be reached, HV00L if its answer cannot be read, HV00N if
    /// the server's options are not valid, XX000 if a request was broken off, and HV000 in all other cases.
    #[error("{error}")]
    Clerk { error: Box<clerk_api::Error>, server: String },

    /// HV00D.
    #[error("invalid option \"{name}\" for {place}")]
    UnknownOption { name: String, place: &'static str, hint: String },

    /// HV024.
    #[error("invalid value for option \"{name}\": {problem}")]
    OptionValue { name: String, problem: String, hint: Option<String> },

    /// HV00J.
    #[error("option \"object\" is required")]
    NoObject { hint: String },

    /// HV000. Clerk lists these objects only below a parent, and the query does not say below which.
    #[error("{object} can only be read by {}", columns.join(" or "))]
    NoKeyCondition { object: &'static str, columns: Vec<&'static str> },

    /// HV00P.
    #[error("foreign schema \"{0}\" does not exist: a Clerk server has the one schema \"clerk\"")]
    NoSchema(String),

    /// HV00R.
    #[error("Clerk has no object \"{name}\"")]
    NoTable { name: String, hint: String },

    /// HV004 for a value of another kind, 22003 for one out of range, else the SQLSTATE of the type's input function.
    #[error("{object} {id}: column \"{column}\" of type {wanted} {problem}")]
    Value { object: &'static str, id: String, column: String, wanted: String, problem: String, code: PgSqlErrorCode },

    /// XX000.
    #[error("clerk_fdw: a command of its own failed with SPI code {0}")]
    Spi(i32),

    /// 42704.
    #[error("mirror \"{0}\" does not exist")]
    NoMirror(String),

    /// 42704.
    #[error("role \"{owner}\", to which mirror \"{mirror}\" belongs, does not exist")]
    NoOwner { mirror: String, owner: String },

    /// 42501.
    #[error("role \"{role}\" may not use foreign server \"{server}\"")]
    NoServerPrivilege { server: String, role: String },

    /// 42704.
    #[error("server \"{server}\", from which mirror \"{mirror}\" reads, does not exist, or is called differently now")]
    NoServer { mirror: String, server: String },

    /// 42501. The triggers of the table run with the rights of its owner, which the mirror's owner does not have.
    #[error("the owner of mirror \"{mirror}\" may not act as role \"{owner}\", which owns {table}")]
    TableOwnedByOther { mirror: String, table: String, owner: String },

    /// 42809.
    #[error("{0} is not a table")]
    NotATable(String),

    /// 42501.
    #[error("SET CONSTRAINTS is not allowed in what runs when a mirror is written")]
    SetConstraints,

    /// 42501.
    #[error("temporary objects cannot be used in what runs when a mirror is written")]
    TemporaryObjects,

    /// 42501.
    #[error("a deferred constraint trigger fired by a mirror would run after the rights it runs with have ended")]
    Deferred,

    /// 55000.
    #[error("the tables of clerk_fdw are not there")]
    NotInstalled,

    /// The argument of a function is not valid. The variant contains the SQLSTATE.
    #[error("{message}")]
    Refused { code: PgSqlErrorCode, message: String, hint: Option<String> },

    /// 22P02. Without claims that can be read, no row is visible.
    #[error("the claims in request.jwt.claims cannot be read: {0}")]
    Claims(String),

    /// 55000.
    #[error("row security is forced on {table}, which would keep syncs of mirror \"{mirror}\" from writing to it")]
    ForcedRowSecurity { mirror: String, table: String },

    /// 42710.
    #[error("{0} is there already, and is not a view that clerk_fdw made")]
    ViewInTheWay(String),

    /// 55000.
    #[error("nothing in this database runs scheduled syncs")]
    NoScheduler,

    /// 55000.
    #[error("it is not known which mirror the webhook is for")]
    NoMirrorForWebhook,

    /// 22023.
    #[error("either secret or vault_name is to be given")]
    SecretOrName,

    /// 54000.
    #[error("mirror \"{mirror}\" has {most} webhook secrets already")]
    TooManySecrets { mirror: String, most: i64 },

    /// 42704.
    #[error("mirror \"{mirror}\" has no webhook secret {id}")]
    NoWebhookSecret { mirror: String, id: i64 },

    /// 42P01.
    #[error("mirror \"{mirror}\" has no table for \"{object}\"")]
    NotMirrored { mirror: String, object: String, have: Vec<String> },

    /// 42P01.
    #[error("the table for {object} of mirror \"{mirror}\" is gone")]
    TableGone { mirror: String, object: &'static str },

    /// 42703.
    #[error("{table} has no column any more that takes {column}")]
    ColumnGone { table: String, column: &'static str },

    /// 55006.
    #[error("mirror \"{0}\" is being synced already")]
    Syncing(String),

    /// 55000. Nothing was changed.
    #[error(
        "the key of server \"{server}\" belongs to another Clerk instance ({found}) than mirror \"{mirror}\" ({known})"
    )]
    OtherInstance { mirror: String, server: String, known: String, found: String },

    /// 55000.
    #[error("{deletes} of {of} rows of {table} would be deleted, which looks like an accident: none was")]
    DeleteThresholdExceeded { mirror: String, table: String, deletes: u64, of: u64 },

    /// HV000.
    #[error("Clerk's list of {0} is not in descending order of updated_at")]
    OutOfOrder(&'static str),

    /// HV000. Nothing was deleted.
    #[error("Clerk counts {missing} more {object} than were read before and after the sync was cut off")]
    IncompleteList { object: &'static str, missing: u64 },

    /// HV000. Nothing was deleted.
    #[error("of {asked} {object} that look deleted, Clerk counts {counted} but lists {listed}")]
    InconsistentLookup { object: &'static str, asked: usize, counted: u64, listed: usize },

    /// 22023.
    #[error("Clerk does not find {object} by their id, and there is no row that tells whose \"{id}\" is")]
    NotFoundById { object: &'static str, id: String },

    /// 28000 for a delivery with a wrong signature or a time too far from now, 22023 for one that cannot be checked,
    /// 54000 for one that is too large, and 55000 if the mirror has no valid webhook secret.
    #[error("{refusal}")]
    Delivery { refusal: Refusal, mirror: String },

    /// 22023. The message does not contain the secret.
    #[error("{0}")]
    WebhookSecret(Refusal),

    /// 22023.
    #[error("{0}")]
    Event(clerk_api::webhook::MalformedEvent),

    /// 28000.
    #[error("the event is of another Clerk instance ({found}) than mirror \"{mirror}\" ({known})")]
    EventOfOtherInstance { mirror: String, known: String, found: String },

    /// 22023.
    #[error("the event's {object} cannot be read: {problem}")]
    EventData { object: &'static str, problem: String },

    /// 25001.
    #[error("clerk_fdw.receive_webhook must see what others have just committed: it runs at READ COMMITTED alone")]
    Isolation,

    /// 22023.
    #[error("mode \"{0}\" is neither full nor incremental")]
    NoMode(String),

    /// 22023.
    #[error("schedule \"{schedule}\" cannot be read: {problem}")]
    BadSchedule { schedule: String, problem: String },

    /// 42704.
    #[error("sync {0} does not exist")]
    NoRun(String),

    /// 53400.
    #[error("no background worker is free for the sync")]
    NoWorker,

    /// 22004.
    #[error("{0} must not be null")]
    Null(&'static str),

    /// 2D000.
    #[error("clerk_fdw.sync commits as it goes, so it cannot run inside a transaction block or a function")]
    InTransaction,

    /// The SQLSTATE of [`FdwError::Clerk`]. The statement's earlier rows have reached Clerk.
    #[error("{error}")]
    Write { error: Box<clerk_api::Error>, server: String, progress: String },

    /// A row that is refused before anything is sent for it: 0A000, 428C9, 42703, 23502, 22023 or HV004.
    #[error("{error}")]
    Row { error: WriteError, progress: Option<String> },

    /// 55000, as Postgres itself says it.
    #[error("foreign table \"{table}\" does not allow {}", plural(*operation))]
    NotUpdatable { schema: String, table: String, server: String, operation: Operation },

    /// 55000.
    #[error("server \"{0}\" does not allow writes")]
    ServerNotUpdatable(String),

    /// 42P10.
    #[error("ON CONFLICT on {object} needs columns that Clerk keeps unique")]
    NotUnique { object: &'static str, sets: Vec<String> },

    /// 44000, as Postgres itself says it, but without the row.
    #[error("new row violates check option for view \"{0}\"")]
    CheckOption(String),

    /// 0A000.
    #[error("attrs cannot be written through a view with a check option, because the check cannot see into it")]
    AttrsThroughView,

    /// 0A000.
    #[error("rows cannot be moved into a foreign table that the same statement updates")]
    RoutedToUpdated,

    /// 0A000.
    #[error("ON CONFLICT DO UPDATE does not reach a foreign table that is a partition")]
    ConflictBelowPartition,

    /// 22023. The path of `clerk_fdw.request` would leave the API, or its arguments cannot be sent.
    #[error("the request cannot be sent: {0}")]
    Request(String),

    /// XX000. The framework requires these functions, but none of the remaining callbacks calls them.
    #[error("clerk_fdw has a scan driver of its own")]
    NotThroughTheFramework,

    /// 58000.
    #[error("the thread that talks to Clerk could not start: {0}")]
    Thread(std::io::Error),
}

impl FdwError {
    /// The SQLSTATE.
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            FdwError::NoKey { .. } => ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
            FdwError::Clerk { error, .. } | FdwError::Write { error, .. } => clerk::code(error),
            FdwError::Row { error, .. } => clerk::row_code(error),
            FdwError::NotUpdatable { .. } | FdwError::ServerNotUpdatable(_) => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            FdwError::NotUnique { .. } => ERRCODE_INVALID_COLUMN_REFERENCE,
            FdwError::RoutedToUpdated | FdwError::ConflictBelowPartition | FdwError::AttrsThroughView => {
                ERRCODE_FEATURE_NOT_SUPPORTED
            }
            FdwError::CheckOption(_) => ERRCODE_WITH_CHECK_OPTION_VIOLATION,
            FdwError::Request(_) => ERRCODE_INVALID_PARAMETER_VALUE,
            FdwError::UnknownOption { .. } => ERRCODE_FDW_INVALID_OPTION_NAME,
            FdwError::OptionValue { .. } => ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
            FdwError::NoObject { .. } => ERRCODE_FDW_OPTION_NAME_NOT_FOUND,
            FdwError::NoKeyCondition { .. } => ERRCODE_FDW_ERROR,
            FdwError::NoSchema(_) => ERRCODE_FDW_NO_SCHEMAS,
            FdwError::NoTable { .. } => ERRCODE_FDW_TABLE_NOT_FOUND,
            FdwError::Value { code, .. } => *code,
            FdwError::NoMirror(_)
            | FdwError::NoOwner { .. }
            | FdwError::NoServer { .. }
            | FdwError::NoWebhookSecret { .. } => ERRCODE_UNDEFINED_OBJECT,
            FdwError::TableOwnedByOther { .. }
            | FdwError::SetConstraints
            | FdwError::TemporaryObjects
            | FdwError::Deferred => ERRCODE_INSUFFICIENT_PRIVILEGE,
            FdwError::NotATable(_) => ERRCODE_WRONG_OBJECT_TYPE,
            FdwError::Refused { code, .. } => *code,
            FdwError::Claims(_) => ERRCODE_INVALID_TEXT_REPRESENTATION,
            FdwError::ViewInTheWay(_) => ERRCODE_DUPLICATE_OBJECT,
            FdwError::NotInstalled
            | FdwError::ForcedRowSecurity { .. }
            | FdwError::NoScheduler
            | FdwError::NoMirrorForWebhook => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            FdwError::SecretOrName => ERRCODE_INVALID_PARAMETER_VALUE,
            FdwError::TooManySecrets { .. } => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            FdwError::NoServerPrivilege { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
            FdwError::NotMirrored { .. } | FdwError::TableGone { .. } => ERRCODE_UNDEFINED_TABLE,
            FdwError::ColumnGone { .. } => ERRCODE_UNDEFINED_COLUMN,
            FdwError::Syncing(_) => ERRCODE_OBJECT_IN_USE,
            FdwError::OtherInstance { .. } | FdwError::DeleteThresholdExceeded { .. } => {
                ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            FdwError::OutOfOrder(_) | FdwError::IncompleteList { .. } | FdwError::InconsistentLookup { .. } => {
                ERRCODE_FDW_ERROR
            }
            FdwError::NoRun(_) => ERRCODE_UNDEFINED_OBJECT,
            FdwError::NoWorker => ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            FdwError::NotFoundById { .. } | FdwError::NoMode(_) | FdwError::BadSchedule { .. } => {
                ERRCODE_INVALID_PARAMETER_VALUE
            }
            FdwError::Delivery { refusal, .. } => match refusal {
                Refusal::NoSecret | Refusal::BadSecret => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                Refusal::TooLarge { .. } => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                Refusal::MissingHeader(_)
                | Refusal::BadTimestamp
                | Refusal::NotText
                | Refusal::LongId { .. }
                | Refusal::BadId => ERRCODE_INVALID_PARAMETER_VALUE,
                Refusal::TooOld { .. } | Refusal::InFuture { .. } | Refusal::BadSignature => {
                    ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION
                }
            },
            FdwError::WebhookSecret(_) | FdwError::Event(_) | FdwError::EventData { .. } => {
                ERRCODE_INVALID_PARAMETER_VALUE
            }
            FdwError::EventOfOtherInstance { .. } => ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
            FdwError::Isolation => ERRCODE_ACTIVE_SQL_TRANSACTION,
            FdwError::Null(_) => ERRCODE_NULL_VALUE_NOT_ALLOWED,
            FdwError::InTransaction => ERRCODE_INVALID_TRANSACTION_TERMINATION,
            FdwError::Spi(_) | FdwError::NotThroughTheFramework => ERRCODE_INTERNAL_ERROR,
            FdwError::Thread(_) => ERRCODE_SYSTEM_ERROR,
        }
    }

    pub fn detail(&self) -> Option<String> {
        match self {
            FdwError::NoKey { looked_at, .. } => Some(format!("Looked at: {}.", looked_at.join("; "))),
            FdwError::Write { progress, .. } => Some(progress.clone()),
            FdwError::Row { progress, .. } => progress.clone(),
            _ => None,
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            FdwError::NoKey { server, .. } => Some(format!(
                "CREATE USER MAPPING FOR CURRENT_USER SERVER {} OPTIONS (api_key 'sk_...');",
                quote_identifier(server)
            )),
            FdwError::Clerk { error, server } | FdwError::Write { error, server, .. } => clerk::hint(error, server),
            FdwError::Row { error, .. } => clerk::row_hint(error),
            FdwError::NotUpdatable { schema, table, server, .. } => Some(format!(
                "Writes change Clerk's data at once, and DELETE deletes people's accounts. To allow them: ALTER SERVER {} \
                 OPTIONS (ADD updatable 'true'); or for this table alone: ALTER FOREIGN TABLE {}.{} OPTIONS (ADD updatable \
                 'true');",
                quote_identifier(server),
                quote_identifier(schema),
                quote_identifier(table)
            )),
            FdwError::ServerNotUpdatable(server) => Some(format!(
                "Writes change Clerk's data at once. To allow them: ALTER SERVER {} OPTIONS (ADD updatable 'true');",
                quote_identifier(server)
            )),
            FdwError::AttrsThroughView => Some("Write the columns by themselves, or the table.".to_owned()),
            FdwError::NotUnique { sets, .. } if !sets.is_empty() => {
                Some(format!("ON CONFLICT can name {}.", sets.join(" or ")))
            }
            FdwError::UnknownOption { hint, .. } | FdwError::NoObject { hint } | FdwError::NoTable { hint, .. } => {
                Some(hint.clone())
            }
            FdwError::NoKeyCondition { columns, .. } => Some(format!(
                "Clerk lists these objects below a parent only: add a condition such as WHERE {} = '...', or join by it.",
                columns.first().copied().unwrap_or_default()
            )),
            FdwError::OptionValue { hint, .. } => hint.clone(),
            FdwError::NotMirrored { have, .. } if !have.is_empty() => Some(format!("It has: {}.", have.join(", "))),
            FdwError::TableGone { mirror, .. } | FdwError::ColumnGone { table: mirror, .. } => Some(format!(
                "Put it back, or drop the mirror and make it anew: SELECT clerk_fdw.drop_mirror({});",
                quote_literal(mirror)
            )),
            FdwError::NoOwner { mirror, .. } => Some(format!(
                "As a superuser: SELECT clerk_fdw.alter_mirror({}, owner => '...');",
                quote_literal(mirror)
            )),
            FdwError::NoServer { mirror, .. } => Some(format!(
                "If another server is to take its place, or after pg_upgrade: SELECT clerk_fdw.alter_mirror({}, server => '...');",
                quote_literal(mirror)
            )),
            FdwError::TableOwnedByOther { owner, .. } => Some(format!(
                "Make the mirror's owner a member of role {}, or the owner of the table.",
                quote_identifier(owner)
            )),
            FdwError::ForcedRowSecurity { table, .. } => {
                Some(format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;"))
            }
            FdwError::ViewInTheWay(_) => Some("Rename it, and call the function again.".to_owned()),
            FdwError::Deferred => Some(
                "Call it in a transaction of its own: what this one has deferred already on the same tables must not \
                 be fired early."
                    .to_owned(),
            ),
            FdwError::Refused { hint, .. } => hint.clone(),
            FdwError::NoScheduler => Some(
                "Either CREATE EXTENSION pg_cron, or add clerk_fdw to shared_preload_libraries and restart the server."
                    .to_owned(),
            ),
            FdwError::NoMirrorForWebhook => Some(
                "No mirror has webhook secrets, or two have the same one: set clerk_fdw.webhook_mirror for the role or \
                 the function."
                    .to_owned(),
            ),
            FdwError::TooManySecrets { .. } => {
                Some("Remove those that are not used any more: SELECT * FROM clerk_fdw.webhook_secrets;".to_owned())
            }
            FdwError::Syncing(_) => {
                Some("See clerk_fdw.sync_progress; wait => true waits, clerk_fdw.cancel_sync ends it.".to_owned())
            }
            FdwError::OtherInstance { .. } => Some(
                "Check the key, or make a mirror of its own for the other instance. Nothing was changed.".to_owned(),
            ),
            FdwError::DeleteThresholdExceeded { mirror, .. } => {
                Some(format!("If it is none: CALL clerk_fdw.sync({}, force => true);", quote_literal(mirror)))
            }
            FdwError::OutOfOrder(_) => Some("mode => 'full' does not depend on the order.".to_owned()),
            FdwError::IncompleteList { .. } => Some("Sync again: it begins anew. Nothing was deleted.".to_owned()),
            FdwError::InconsistentLookup { .. } => Some("Sync again; none of them was deleted.".to_owned()),
            FdwError::NotFoundById { .. } => {
                Some("clerk_fdw.sync_user finds the memberships of a user, clerk_fdw.sync all of them.".to_owned())
            }
            FdwError::NoWorker => Some("Raise max_worker_processes, or CALL clerk_fdw.sync in a session.".to_owned()),
            FdwError::BadSchedule { .. } => Some(
                "Five fields: minute, hour, day of the month, month, day of the week; \"*/15 * * * *\".".to_owned(),
            ),
            FdwError::Delivery { refusal: Refusal::NoSecret, mirror } => Some(format!(
                "SELECT clerk_fdw.add_webhook_secret({}, 'whsec_...'); what is in Vault, the mirror's owner must be able to read.",
                quote_literal(mirror)
            )),
            FdwError::Isolation => Some("SET TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned()),
            FdwError::InTransaction => Some("CALL it by itself, not between BEGIN and COMMIT.".to_owned()),
            _ => None,
        }
    }
}

/// An operation in the plural, as Postgres' own message has it.
fn plural(operation: Operation) -> &'static str {
    match operation {
        Operation::Insert => "inserts",
        Operation::Update => "updates",
        Operation::Delete => "deletes",
    }
}
