//! The SQLSTATEs of the extension's errors, for people who look one up: `docs/reference/errors.md` is generated from this list.
//!
//! [`super::generated`] fails if an SQLSTATE that the code raises is missing here, if one that is here is not raised, or if a
//! condition's name is not that of its SQLSTATE.

/// An SQLSTATE.
pub struct SqlState {
    pub code: &'static str,
    /// The name of the condition, as PL/pgSQL spells it in `EXCEPTION WHEN`.
    pub condition: &'static str,
    /// What happened, and what to do, in Markdown.
    pub causes: &'static [(&'static str, &'static str)],
}

/// What the extension raises.
pub const RAISED: &[SqlState] = &[
    SqlState {
        code: "0A000",
        condition: "feature_not_supported",
        causes: &[
            (
                "A value cannot be written in this way: Clerk has no endpoint for it, or a member of metadata is to be null.",
                "The table's page in [Tables](../objects/README.md) says what can be written. Leave a member of metadata out \
                 to remove it; `clerk_fdw.request` with `PUT` can set it to null.",
            ),
            (
                "`attrs` is written through a view with a check option.",
                "Write the columns by themselves, or the table.",
            ),
            (
                "A row would move into a foreign table that the same statement updates, or `ON CONFLICT DO UPDATE` meets a \
                 foreign table that is a partition.",
                "Write to the foreign table itself.",
            ),
        ],
    },
    SqlState {
        code: "08006",
        condition: "connection_failure",
        causes: &[
            (
                "Clerk could not be reached, or answered with 5xx, after all retries. The message has the last cause.",
                "Run the query again later. `max_retries` and `timeout_ms` say how long it tries.",
            ),
            (
                "Clerk has answered with 429 (too many requests) for longer than `rate_limit_timeout_ms`.",
                "Set `rate_limit_timeout_ms` higher to wait for longer, or `rate_limit` lower to be refused less often.",
            ),
        ],
    },
    SqlState {
        code: "08007",
        condition: "transaction_resolution_unknown",
        causes: &[(
            "The answer to a write was lost, so that Clerk may have done it or not. It is not sent twice.",
            "Look whether Clerk has done it, for example with `SELECT`, before you run the statement again.",
        )],
    },
    SqlState {
        code: "22003",
        condition: "numeric_value_out_of_range",
        causes: &[(
            "A number of Clerk's does not fit into the column's type.",
            "Declare the column with a larger type, such as `numeric`.",
        )],
    },
    SqlState {
        code: "22004",
        condition: "null_value_not_allowed",
        causes: &[("An argument is null that must not be.", "The message names it.")],
    },
    SqlState {
        code: "22023",
        condition: "invalid_parameter_value",
        causes: &[
            (
                "An argument of a function is not valid: a mode, a schedule, an object that Clerk does not have or that \
                 cannot be mirrored, a column map, a path.",
                "The message says what is wrong with it, and the hint what would be right.",
            ),
            (
                "The settings of the Clerk instance turn off what a function needs, such as the slugs of organizations.",
                "Change the instance's settings in Clerk's dashboard.",
            ),
            (
                "A value that is written is out of Clerk's bounds.",
                "The table's page in [Tables](../objects/README.md) has the bounds.",
            ),
            (
                "A webhook lacks a header, or its body is not an event.",
                "Pass the raw body and the three `svix` headers on as they came.",
            ),
            (
                "Clerk finds the object only below a parent, and the mirror has no row that says which.",
                "`clerk_fdw.sync_user` finds the memberships of a user, `clerk_fdw.sync` everything.",
            ),
        ],
    },
    SqlState {
        code: "22P02",
        condition: "invalid_text_representation",
        causes: &[(
            "The setting `request.jwt.claims` is not JSON. Without claims that can be read, no row is visible.",
            "Set it to the claims of a verified token, as PostgREST does.",
        )],
    },
    SqlState {
        code: "23502",
        condition: "not_null_violation",
        causes: &[(
            "A row lacks a value that Clerk requires, or the id that says which object to change.",
            "The table's page in [Tables](../objects/README.md) says what is required.",
        )],
    },
    SqlState {
        code: "25001",
        condition: "active_sql_transaction",
        causes: &[(
            "A webhook was received in a transaction that is not at READ COMMITTED, and could not see what others have just \
             committed.",
            "`SET TRANSACTION ISOLATION LEVEL READ COMMITTED`.",
        )],
    },
    SqlState {
        code: "28000",
        condition: "invalid_authorization_specification",
        causes: &[
            ("Clerk refused the key: status 401 or 403.", "Check the key of the server that the hint names."),
            (
                "The signature of a webhook is wrong, or it was sent more than five minutes ago or from now.",
                "Check the signing secret and the clock. Pass the body on as it came.",
            ),
            (
                "A webhook is of another Clerk instance than the mirror.",
                "Check which instance the endpoint is registered with.",
            ),
        ],
    },
    SqlState {
        code: "2D000",
        condition: "invalid_transaction_termination",
        causes: &[(
            "`clerk_fdw.sync` was called inside a transaction block or a function. It commits as it goes.",
            "`CALL` it by itself, or use `clerk_fdw.start_sync`.",
        )],
    },
    SqlState {
        code: "42501",
        condition: "insufficient_privilege",
        causes: &[
            (
                "The role may not use the foreign server, or may not act as a table's or a mirror's owner.",
                "Grant `USAGE` on the server, or membership in the role that the message names.",
            ),
            (
                "A trigger or another expression on a mirrored table did what [it may \
                 not](../guide/mirror.md#triggers-and-other-code).",
                "No `SET ROLE`, no `SET CONSTRAINTS`, no temporary objects.",
            ),
            (
                "A mirror was refreshed in a transaction that has deferred a trigger on one of its tables.",
                "Call the function in a transaction of its own.",
            ),
        ],
    },
    SqlState {
        code: "42703",
        condition: "undefined_column",
        causes: &[
            (
                "`attrs` has a field that Clerk does not take.",
                "The table's page in [Tables](../objects/README.md) says what can be written.",
            ),
            (
                "A column map names a column that the table does not have, or a column is gone that a mirror needs.",
                "Put it back, or drop the mirror and create it again.",
            ),
        ],
    },
    SqlState {
        code: "42704",
        condition: "undefined_object",
        causes: &[
            (
                "There is no such mirror, server, run or webhook secret, or it belongs to another role.",
                "`clerk_fdw.mirror_status` shows your mirrors.",
            ),
            (
                "The owner or the server of a mirror is gone, or is called differently now.",
                "`clerk_fdw.alter_mirror` names another.",
            ),
        ],
    },
    SqlState {
        code: "42710",
        condition: "duplicate_object",
        causes: &[(
            "There is a mirror, or something else, of that name already.",
            "Choose another name, or rename what is there.",
        )],
    },
    SqlState {
        code: "42809",
        condition: "wrong_object_type",
        causes: &[("What the message names is not a table, or not a server of this extension.", "Name one that is.")],
    },
    SqlState {
        code: "428C9",
        condition: "generated_always",
        causes: &[(
            "A row has a value for a column that Clerk fills, or an `UPDATE` changes one that cannot be changed.",
            "The table's page in [Tables](../objects/README.md) says what can be written.",
        )],
    },
    SqlState {
        code: "42P01",
        condition: "undefined_table",
        causes: &[(
            "The mirror has no table for the object, or the table is gone.",
            "The hint lists the objects that it has. Put the table back, or drop the mirror and create it again.",
        )],
    },
    SqlState {
        code: "42P10",
        condition: "invalid_column_reference",
        causes: &[(
            "`ON CONFLICT` names columns that Clerk does not keep unique.",
            "The hint names those that it does.",
        )],
    },
    SqlState {
        code: "44000",
        condition: "with_check_option_violation",
        causes: &[(
            "A row is written through a view that would not show it.",
            "Write a row that meets the view's condition, or write to the table.",
        )],
    },
    SqlState {
        code: "53400",
        condition: "configuration_limit_exceeded",
        causes: &[(
            "No background worker is free for the sync.",
            "Raise `max_worker_processes`, or `CALL clerk_fdw.sync` in a session.",
        )],
    },
    SqlState {
        code: "54000",
        condition: "program_limit_exceeded",
        causes: &[
            ("A webhook's body is larger than 1 MiB.", "Clerk sends none that is: check who calls."),
            (
                "A mirror has ten webhook secrets already.",
                "Remove those that are not used any more: `clerk_fdw.webhook_secrets` lists them.",
            ),
        ],
    },
    SqlState {
        code: "55000",
        condition: "object_not_in_prerequisite_state",
        causes: &[
            (
                "The table or the server does not allow writes.",
                "The option [`updatable`](options.md) allows them; see [writing to Clerk](../guide/writing.md).",
            ),
            (
                "The key of the server belongs to another Clerk instance than the mirror. Nothing was changed.",
                "Check the key, or create another mirror for the other instance.",
            ),
            (
                "A sync would delete so many rows that it looks like an accident. It deleted none.",
                "If the objects are really gone: `CALL clerk_fdw.sync('...', force => true)`.",
            ),
            (
                "Nothing in this database runs schedules.",
                "Either `CREATE EXTENSION pg_cron`, or add clerk_fdw to `shared_preload_libraries` and restart the server.",
            ),
            (
                "No secret can verify the webhook, or it is not known which mirror it is for.",
                "`clerk_fdw.add_webhook_secret`; the setting `clerk_fdw.webhook_mirror` names the mirror.",
            ),
            (
                "Row security is forced on a mirrored table, so that syncs could not write to it.",
                "`ALTER TABLE ... NO FORCE ROW LEVEL SECURITY`.",
            ),
            (
                "The extension is not installed in this database, or its tables are gone.",
                "`CREATE EXTENSION clerk_fdw`.",
            ),
        ],
    },
    SqlState {
        code: "55006",
        condition: "object_in_use",
        causes: &[(
            "The mirror is being synced already.",
            "`wait => true` waits for that; `clerk_fdw.sync_progress` shows it, `clerk_fdw.cancel_sync` ends it.",
        )],
    },
    SqlState {
        code: "58000",
        condition: "system_error",
        causes: &[(
            "The operating system gave no thread to talk to Clerk.",
            "Check the limits of processes and memory of the server.",
        )],
    },
    SqlState {
        code: "HV000",
        condition: "fdw_error",
        causes: &[
            ("Clerk refused the request, for example with status 422.", "Read Clerk's message and code."),
            (
                "Clerk's answers contradict each other, so that rows might be missing. No row was left out silently.",
                "Run the query or the sync again.",
            ),
            (
                "The table can only be read by a parent, such as the sessions of a user.",
                "Add a condition on a column that the message names, or join by it.",
            ),
        ],
    },
    SqlState {
        code: "HV004",
        condition: "fdw_invalid_data_type",
        causes: &[
            (
                "A value of Clerk's is of another kind than the column's type takes.",
                "Declare another type; `jsonb` and `text` take anything.",
            ),
            (
                "A value that is written is not of the type that Clerk takes.",
                "The table's page in [Tables](../objects/README.md) has the types.",
            ),
        ],
    },
    SqlState {
        code: "HV00D",
        condition: "fdw_invalid_option_name",
        causes: &[(
            "An option does not exist, or not here.",
            "The hint has the nearest and all valid names; see [options](options.md).",
        )],
    },
    SqlState {
        code: "HV00J",
        condition: "fdw_option_name_not_found",
        causes: &[("A foreign table lacks the option `object`.", "Add it: `OPTIONS (object 'users')`.")],
    },
    SqlState {
        code: "HV00L",
        condition: "fdw_unable_to_create_execution",
        causes: &[(
            "The answer is not the JSON that Clerk sends. The message has its first bytes.",
            "Check `api_url`: a proxy may answer in Clerk's place.",
        )],
    },
    SqlState {
        code: "HV00N",
        condition: "fdw_unable_to_establish_connection",
        causes: &[
            (
                "No key was found. The detail lists where it was looked for.",
                "Create a user mapping with `api_key` for the role that queries.",
            ),
            ("The server's options do not make a connection.", "The message says which one."),
        ],
    },
    SqlState {
        code: "HV00P",
        condition: "fdw_no_schemas",
        causes: &[(
            "`IMPORT FOREIGN SCHEMA` names a schema that Clerk does not have.",
            "Its only one is called `clerk`.",
        )],
    },
    SqlState {
        code: "HV00R",
        condition: "fdw_table_not_found",
        causes: &[(
            "`LIMIT TO` names an object that Clerk does not have.",
            "`SELECT object FROM clerk_fdw.objects()` lists them all.",
        )],
    },
    SqlState {
        code: "HV024",
        condition: "fdw_invalid_attribute_value",
        causes: &[(
            "The value of an option is not valid.",
            "The message says what it has to be; see [options](options.md).",
        )],
    },
    SqlState {
        code: "XX000",
        condition: "internal_error",
        causes: &[(
            "A mistake in the extension, or a library that was replaced under a running session.",
            "Reconnect. If it comes again, please report it with the message.",
        )],
    },
];

/// What Postgres raises where the extension has to do with it.
pub const OF_POSTGRES: &[SqlState] = &[
    SqlState {
        code: "22xxx, 23xxx",
        condition: "",
        causes: &[(
            "A column's type or domain refused the text of a value.",
            "The message names the object, its id and the column. Declare another type; `jsonb` and `text` take anything.",
        )],
    },
    SqlState {
        code: "42883, 42P01",
        condition: "undefined_function, undefined_table",
        causes: &[(
            "A trigger or another expression on a mirrored table found no function or table of that name: it runs with \
             `search_path = pg_catalog, pg_temp`.",
            "Name it with its schema, or give the function a `SET search_path` of its own.",
        )],
    },
    SqlState {
        code: "57014",
        condition: "query_canceled",
        causes: &[(
            "The statement was cancelled, or took longer than `statement_timeout`. Requests on their way are given up.",
            "A write may have reached Clerk; the `WARNING` says which.",
        )],
    },
];
