//! All options: where they may be set, which values they take, what holds where they are not set, and what they mean.
//!
//! [`super::validate`] checks options by this list, and `docs/reference/options.md` is generated from it: the test that does
//! so includes this file, which therefore uses no Postgres.

use clerk_api::{DEFAULT_RATE_LIMITS, MAX_PAGE_SIZE, Settings};

/// What an option may be set on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Server,
    UserMapping,
    Table,
    Column,
}

/// Which values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text that is not empty.
    Text,
    /// A secret key.
    Key,
    Url,
    Version,
    Boolean,
    /// A whole number from the first to the second.
    Integer(u32, u32),
    /// A number of the planner's units.
    Cost,
    /// The name of an object of the catalogue, or another name of it.
    Object,
    /// The names of members, with dots in between.
    Path,
}

/// An option.
pub struct Spec {
    pub name: &'static str,
    pub places: &'static [Place],
    pub kind: Kind,
    /// What holds where it is not set; empty if nothing does.
    #[allow(dead_code, reason = "only the documentation shows it")]
    pub default: fn() -> String,
    /// In Markdown.
    #[allow(dead_code, reason = "only the documentation shows it")]
    pub description: &'static str,
}

/// Whether `CLERK_SECRET_KEY` may be sent to another host than Clerk's own, where the server does not say so.
pub const ENVIRONMENT_KEY: bool = false;

/// Whether writes reach Clerk where neither the table nor the server says so.
pub const UPDATABLE: bool = false;

/// Whether mirrors get to see what is written where the server does not say so.
pub const MIRROR_WRITES: bool = true;

/// The cost of a request in the planner's units, in which a page of a local table costs 1 to read. A request takes at least a
/// hundred times as long.
pub const REQUEST_COST: f64 = 100.0;

/// The longest time that can be set, in milliseconds: an hour.
const HOUR: u32 = 3_600_000;

const NOTHING: fn() -> String = String::new;

/// The upper limits of numbers only keep out typing errors: an hour for times, and values that nobody needs for the others.
/// 32 requests at a time that take 0.3 s each already use up Clerk's rate limit of 100 a second. A page of Clerk's lists has
/// at most MAX_PAGE_SIZE objects.
pub const OPTIONS: &[Spec] = &[
    Spec {
        name: "api_key",
        places: &[Place::Server, Place::UserMapping],
        kind: Kind::Key,
        default: NOTHING,
        description: "The secret key of the Clerk instance. On a user mapping, only the mapping's role, the server's owner \
                      and superusers can read it; on a server, every role of the database can.",
    },
    Spec {
        name: "api_key_id",
        places: &[Place::Server],
        kind: Kind::Text,
        default: NOTHING,
        description: "The id of the secret in Supabase Vault that holds the key. The role that queries and the server's \
                      owner must both be able to read it.",
    },
    Spec {
        name: "api_key_name",
        places: &[Place::Server],
        kind: Kind::Text,
        default: NOTHING,
        description: "The same by the secret's name.",
    },
    Spec {
        name: "api_url",
        places: &[Place::Server],
        kind: Kind::Url,
        default: || format!("`{}`", Settings::default().api_url),
        description: "The base URL of the API. It must be https; plain http is allowed for this machine only, such as for a \
                      simulator.",
    },
    Spec {
        name: "api_version",
        places: &[Place::Server],
        kind: Kind::Version,
        default: || format!("`{}`", Settings::default().api_version),
        description: "The version of the API that is asked for, in the header `Clerk-API-Version`. The extension is tested \
                      with the default.",
    },
    Spec {
        name: "environment_key",
        places: &[Place::Server],
        kind: Kind::Boolean,
        default: || ENVIRONMENT_KEY.to_string(),
        description: "Whether the key in the environment of the Postgres server, `CLERK_SECRET_KEY`, may be sent to an \
                      `api_url` that is not Clerk's own.",
    },
    Spec {
        name: "rate_limit",
        places: &[Place::Server],
        kind: Kind::Integer(1, 1_000_000),
        default: || {
            let (live, test) = DEFAULT_RATE_LIMITS;
            format!("{live}, or {test} with a key that begins with `sk_test_`")
        },
        description: "How many requests may start in any 10 seconds, of all backends together that use the key. The default \
                      is a quarter of what Clerk allows an instance, so that the application keeps the rest.",
    },
    Spec {
        name: "request_interval_ms",
        places: &[Place::Server],
        kind: Kind::Integer(0, HOUR),
        default: || Settings::default().request_interval.as_millis().to_string(),
        description: "The least time between the starts of two requests of one backend, in milliseconds.",
    },
    Spec {
        name: "page_size",
        places: &[Place::Server, Place::Table],
        kind: Kind::Integer(1, MAX_PAGE_SIZE),
        default: || MAX_PAGE_SIZE.to_string(),
        description: "How many objects a page of a list has. A table's own wins over the server's.",
    },
    Spec {
        name: "max_concurrency",
        places: &[Place::Server],
        kind: Kind::Integer(1, 32),
        default: || Settings::default().max_concurrency.to_string(),
        description: "How many requests of one backend may be on their way at once.",
    },
    Spec {
        name: "timeout_ms",
        places: &[Place::Server],
        kind: Kind::Integer(1, HOUR),
        default: || Settings::default().timeout.as_millis().to_string(),
        description: "How long one request may take, the whole answer included, in milliseconds.",
    },
    Spec {
        name: "max_retries",
        places: &[Place::Server],
        kind: Kind::Integer(0, 100),
        default: || Settings::default().max_retries.to_string(),
        description: "How often a request is repeated after status 5xx, a broken connection or a timeout. A `POST` that \
                      creates something is not repeated: see [writing to Clerk](../guide/writing.md).",
    },
    Spec {
        name: "rate_limit_timeout_ms",
        places: &[Place::Server],
        kind: Kind::Integer(0, HOUR),
        default: || Settings::default().rate_limit_timeout.as_millis().to_string(),
        description: "For how long a request that Clerk answers with status 429 is repeated, in milliseconds. With 0 it is \
                      not repeated.",
    },
    Spec {
        name: "updatable",
        places: &[Place::Server, Place::Table],
        kind: Kind::Boolean,
        default: || UPDATABLE.to_string(),
        description: "Whether `INSERT`, `UPDATE`, `DELETE` and the functions that write [reach Clerk](../guide/writing.md). \
                      A table's own wins over the server's, but `true` only if the table belongs to the server's owner. The \
                      functions go by the server's.",
    },
    Spec {
        name: "mirror_writes",
        places: &[Place::Server],
        kind: Kind::Boolean,
        default: || MIRROR_WRITES.to_string(),
        description: "Whether mirrors of the server show at once what is written through it.",
    },
    Spec {
        name: "object",
        places: &[Place::Table],
        kind: Kind::Object,
        default: || "required".to_owned(),
        description: "The kind of objects that the table shows, such as `users`. [Tables](../objects/README.md) lists them, \
                      and so does `SELECT object, aliases FROM clerk_fdw.objects()`.",
    },
    Spec {
        name: "rowid_column",
        places: &[Place::Table],
        kind: Kind::Text,
        default: NOTHING,
        description: "Accepted for tables of Supabase's Clerk wrapper, and ignored.",
    },
    Spec {
        name: "startup_cost",
        places: &[Place::Table],
        kind: Kind::Cost,
        default: || REQUEST_COST.to_string(),
        description: "The planner's cost of the first row, in units of `seq_page_cost`.",
    },
    Spec {
        name: "path",
        places: &[Place::Column],
        kind: Kind::Path,
        default: NOTHING,
        description: "The field of the JSON object that the column shows, such as `public_metadata.plan` or \
                      `email_addresses.0.email_address`. Without it, the column's name decides.",
    },
];
