//! The pages of the reference that are generated from what the extension knows: options, settings, functions and errors.
//!
//! Each page has its generated part between two marks. `make docs` writes these parts; the tests fail while one is stale.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use postgres::Row;

use super::sqlstates::{OF_POSTGRES, RAISED, SqlState};
use super::{report, root};
use crate::support::*;

#[path = "../../../src/options/catalogue.rs"]
mod catalogue;

use catalogue::{Kind, OPTIONS, Place};

const BEGIN: &str = "<!-- begin generated -->\n";
const END: &str = "<!-- end generated -->\n";

/// Compares the generated part of a page, or writes it.
fn hold(name: &str, generated: &str) {
    let path = root().join(format!("docs/reference/{name}.md"));
    let page = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{} has no marks {BEGIN}{END}", path.display()));
    let renewed = format!("{before}{BEGIN}\n{generated}\n{END}{after}");
    if std::env::var_os("RENEW_DOCS").is_some() {
        fs::write(&path, renewed).unwrap();
        return;
    }
    let stale = renewed.lines().zip(page.lines()).find(|(new, old)| new != old);
    assert!(renewed == page, "docs/reference/{name}.md is stale; `make docs` renews it: {stale:#?}");
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// `docs/reference/options.md` has every option.
#[test]
fn options() {
    let places = [
        (Place::Server, "Servers", "`CREATE SERVER` and `ALTER SERVER`"),
        (Place::UserMapping, "User mappings", "`CREATE USER MAPPING` and `ALTER USER MAPPING`"),
        (Place::Table, "Foreign tables", "`CREATE FOREIGN TABLE` and `ALTER FOREIGN TABLE`"),
        (
            Place::Column,
            "Columns",
            "`CREATE FOREIGN TABLE` behind a column's type, and `ALTER FOREIGN TABLE ... ALTER COLUMN`",
        ),
    ];
    let sections = places.map(|(place, title, statements)| {
        let mut text = format!(
            "## {title}\n\nIn {statements}:\n\n| option | values | default | meaning |\n| --- | --- | --- | --- |\n"
        );
        for option in OPTIONS.iter().filter(|option| option.places.contains(&place)) {
            let (name, values, default) = (option.name, values(option.kind), (option.default)());
            writeln!(text, "| `{name}` | {values} | {default} | {} |", cell(option.description)).unwrap();
        }
        text
    });
    hold("options", &sections.join("\n"));
}

fn values(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Key => "a secret key, such as `sk_live_...`".to_owned(),
        Kind::Url => "a URL".to_owned(),
        Kind::Version => "a version".to_owned(),
        Kind::Boolean => "boolean".to_owned(),
        Kind::Integer(least, most) => format!("{least} to {most}"),
        Kind::Cost => "a number from 0".to_owned(),
        Kind::Object => "the name of an object".to_owned(),
        Kind::Path => "names with dots between them".to_owned(),
    }
}

/// `docs/reference/settings.md` has every setting.
#[test]
fn settings() {
    let world = World::new(small());
    world.run("LOAD 'clerk_fdw'");
    let rows = world.rows(
        "SELECT name, vartype, boot_val, unit, min_val, max_val, context, short_desc, extra_desc
           FROM pg_settings WHERE name LIKE 'clerk_fdw.%' ORDER BY name",
    );
    let sections: Vec<_> = rows.iter().map(setting).collect();
    hold("settings", &sections.join("\n"));
}

fn setting(row: &Row) -> String {
    let text = |column: &str| row.get::<_, Option<String>>(column).filter(|text| !text.is_empty());
    let required = |column: &str| text(column).unwrap_or_else(|| panic!("{column} of {row:?}"));
    let name = required("name");
    let unit = text("unit").map_or(String::new(), |unit| format!(" {unit}"));
    let range = match (text("min_val"), text("max_val")) {
        (Some(least), Some(most)) => format!("{least} to {most}{unit}"),
        _ => required("vartype").replace("bool", "`on` or `off`").replace("string", "text"),
    };
    let default = text("boot_val").map_or("empty".to_owned(), |value| format!("`{value}`{unit}"));
    let who = match &*required("context") {
        "user" => "everybody, for a session, a role, a database or a function",
        "superuser" => "superusers, and roles that have been granted `SET` on it",
        "sighup" => "in `postgresql.conf`, with a reload",
        "postmaster" => "in `postgresql.conf`, with a restart",
        other => panic!("who sets {name}: {other}"),
    };
    format!(
        "## {name}\n\n{} {}\n\n| | |\n| --- | --- |\n| default | {default} |\n| values | {range} |\n| set by | {who} |\n",
        required("short_desc"),
        required("extra_desc")
    )
}

/// The sections of `docs/reference/functions.md`, each with the file that declares what it has.
const SECTIONS: &[(&str, &str)] = &[
    ("sql/2_mirror.sql", "Objects and mirrors"),
    ("sql/3_sync.sql", "Syncs"),
    ("sql/4_webhook.sql", "Webhooks"),
    ("sql/5_row_security.sql", "Row security"),
    ("sql/6_modify.sql", "Writing to Clerk"),
    ("sql/7_budget.sql", "Rate limit"),
    ("src/lib.rs", "The foreign-data wrapper"),
];

/// A function or a view, as its section shows it.
struct Entry {
    name: String,
    text: String,
}

/// `docs/reference/functions.md` has every function and every view, with what their comments say.
#[test]
fn functions() {
    let world = World::new(small());
    let mut problems = Vec::new();
    let mut entries = routines(&world, &mut problems);
    entries.extend(views(&world, &mut problems));
    let known: BTreeSet<_> = RAISED.iter().chain(OF_POSTGRES).flat_map(|state| state.code.split(", ")).collect();
    for entry in &entries {
        let codes = entry.text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_sqlstate(word));
        problems.extend(
            codes.filter(|code| !known.contains(code)).map(|code| format!("{}: no SQLSTATE {code}", entry.name)),
        );
    }
    let mut text = String::new();
    for (file, title) in SECTIONS {
        let source = fs::read_to_string(root().join(file)).unwrap();
        let is_declared = |entry: &Entry| {
            let kinds = ["FUNCTION", "PROCEDURE", "VIEW"];
            kinds.iter().any(|kind| {
                ["(", " IS", " WITH"].iter().any(|end| source.contains(&format!("{kind} {}{end}", entry.name)))
            })
        };
        let (here, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_declared);
        entries = others;
        let here: Vec<_> = here.into_iter().map(|entry| entry.text).collect();
        write!(text, "## {title}\n\n{}\n", here.join("\n")).unwrap();
    }
    problems.extend(entries.iter().map(|entry| format!("{} is in none of the files that have sections", entry.name)));
    report(problems);
    hold("functions", text.trim_end_matches('\n').to_owned().as_str());
}

/// Whether a word of a comment is an SQLSTATE: five digits and capitals, with a digit at its beginning or behind HV, XX.
fn is_sqlstate(word: &str) -> bool {
    let rest = word.strip_prefix("HV").or(word.strip_prefix("XX")).unwrap_or(word);
    word.len() == 5
        && word.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        && rest.starts_with(|c: char| c.is_ascii_digit())
        && word != "10000"
}

/// All functions and procedures of the extension that people call, in the order in which they are declared.
fn routines(world: &World, problems: &mut Vec<String>) -> Vec<Entry> {
    let rows = world.rows(
        "SELECT CASE n.nspname WHEN 'public' THEN p.proname ELSE n.nspname || '.' || p.proname END::text AS name,
                p.prokind::text AS kind, coalesce(p.proargnames, '{}')::text[] AS arguments,
                coalesce(p.proargmodes::text[], array_fill('i'::text, ARRAY[p.pronargs])) AS modes,
                ARRAY(SELECT format_type(t, NULL) FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) t) AS types,
                ARRAY(SELECT coalesce(pg_get_function_arg_default(p.oid, i), '') FROM generate_series(1, p.pronargs) i) AS defaults,
                coalesce(pg_get_function_result(p.oid), '') AS result, coalesce(obj_description(p.oid, 'pg_proc'), '') AS comment
           FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
          WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
            AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'clerk_fdw') AND n.nspname <> 'clerk_fdw_internal'
          ORDER BY p.oid",
    );
    rows.iter().map(|row| routine(row, problems)).collect()
}

fn routine(row: &Row, problems: &mut Vec<String>) -> Entry {
    let name: String = row.get("name");
    let is_procedure = row.get::<_, String>("kind") == "p";
    let (names, types): (Vec<String>, Vec<String>) = (row.get("arguments"), row.get("types"));
    let (modes, defaults): (Vec<String>, Vec<String>) = (row.get("modes"), row.get("defaults"));
    let (summary, mut meanings) = comment(&row.get::<_, String>("comment"));
    if summary.is_empty() {
        problems.push(format!("{name} has no comment"));
    }
    let mut signature = Vec::new();
    let (mut arguments, mut columns) = (String::new(), String::new());
    for (index, type_) in types.iter().enumerate() {
        let argument = names.get(index).map_or("", String::as_str);
        let is_column = modes[index] == "t";
        let meaning = meanings.remove(argument).unwrap_or_default();
        if meaning.is_empty() && !argument.is_empty() {
            problems.push(format!("{name}: the comment does not say what {argument} is"));
        }
        if is_column {
            writeln!(columns, "| `{argument}` | `{type_}` | {} |", cell(&meaning)).unwrap();
            continue;
        }
        let default = defaults.get(index).map_or("", String::as_str).split("::").next().unwrap_or_default();
        let declared = if argument.is_empty() { type_.clone() } else { format!("{argument} {type_}") };
        signature.push(if default.is_empty() { declared } else { format!("{declared} DEFAULT {default}") });
        if !argument.is_empty() {
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            writeln!(arguments, "| `{argument}` | `{type_}` | {default} | {} |", cell(&meaning)).unwrap();
        }
    }
    problems.extend(meanings.keys().map(|other| format!("{name}: the comment explains {other}, which is no argument")));
    let result: String = row.get("result");
    let result = if result.starts_with("TABLE(") { "TABLE" } else { &result };
    let call = match (is_procedure, result) {
        (true, _) => format!("CALL {}", call(&name, &signature)),
        (false, result) => format!("{} → {result}", call(&name, &signature)),
    };
    let (summary, errors) = match summary.find("\n\nErrors") {
        Some(index) => summary.split_at(index),
        None => (&*summary, ""),
    };
    let mut text = format!("### {name}\n\n```text\n{call}\n```\n\n{summary}\n");
    if !arguments.is_empty() {
        write!(text, "\n| argument | type | default | meaning |\n| --- | --- | --- | --- |\n{arguments}").unwrap();
    }
    if !columns.is_empty() {
        write!(text, "\n| column | type | meaning |\n| --- | --- | --- |\n{columns}").unwrap();
    }
    if !errors.is_empty() {
        write!(text, "\n{}\n", errors.trim_start()).unwrap();
    }
    Entry { name, text }
}

/// A call in one line, or with each argument in a line of its own if that is too long.
fn call(name: &str, arguments: &[String]) -> String {
    let line = format!("{name}({})", arguments.join(", "));
    if line.chars().count() <= 90 { line } else { format!("{name}(\n  {}\n)", arguments.join(",\n  ")) }
}

/// The paragraphs of a comment, and what it says of each argument or column in a line `name: meaning`.
fn comment(comment: &str) -> (String, BTreeMap<String, String>) {
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let mut meanings = BTreeMap::new();
    let mut paragraphs = Vec::new();
    for line in comment.lines() {
        match line.split_once(": ").filter(|(name, _)| is_name(name)) {
            Some((name, meaning)) => {
                meanings.insert(name.to_owned(), meaning.to_owned());
            }
            None => paragraphs.push(line),
        }
    }
    // Where the lines of the arguments stood, a blank line is left.
    let summary = paragraphs.join("\n").replace("\n\n\n", "\n\n");
    (summary.trim().to_owned(), meanings)
}

/// All views of the extension, in the order in which they are declared.
fn views(world: &World, problems: &mut Vec<String>) -> Vec<Entry> {
    let columns = world.rows(
        "SELECT 'clerk_fdw.' || c.relname AS name, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment, a.attname::text AS column,
                format_type(a.atttypid, a.atttypmod) AS type, coalesce(col_description(c.oid, a.attnum), '') AS meaning
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relnamespace = 'clerk_fdw'::regnamespace AND c.relkind IN ('v', 'm', 'r')
          ORDER BY c.oid, a.attnum",
    );
    let mut entries: Vec<Entry> = Vec::new();
    for row in &columns {
        let (name, column): (String, String) = (row.get("name"), row.get("column"));
        let (comment, meaning): (String, String) = (row.get("comment"), row.get("meaning"));
        if entries.last().is_none_or(|entry| entry.name != name) {
            if comment.is_empty() {
                problems.push(format!("{name} has no comment"));
            }
            let text = format!("### {name}\n\nA view. {comment}\n\n| column | type | meaning |\n| --- | --- | --- |\n");
            entries.push(Entry { name: name.clone(), text });
        }
        if meaning.is_empty() {
            problems.push(format!("{name}: column {column} has no comment"));
        }
        if let Some(entry) = entries.last_mut() {
            let type_: String = row.get("type");
            writeln!(entry.text, "| `{column}` | `{type_}` | {} |", cell(&meaning)).unwrap();
        }
    }
    entries
}

/// What code compares SQLSTATEs with that it does not raise.
const ONLY_COMPARED: &[&str] = &["src/pg/subtransaction.rs", "src/fdw/exec/rows.rs", "src/mirror/sync/log.rs"];

/// `docs/reference/errors.md` has every SQLSTATE that the extension raises, and no other.
#[test]
fn errors() {
    let raised = raised_conditions("src");
    let listed: BTreeSet<_> = RAISED.iter().map(|state| state.condition.to_owned()).collect();
    let mut problems: Vec<_> =
        raised.difference(&listed).map(|name| format!("{name} is raised and not listed")).collect();
    problems.extend(listed.difference(&raised).map(|name| format!("{name} is listed and not raised")));
    // PL/pgSQL knows which SQLSTATE a condition has.
    let world = World::new(small());
    for state in RAISED {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}'; END $$", state.condition);
        let code = world.error(&raise).code().code().to_owned();
        if code != state.code {
            problems.push(format!("{} is {code}, not {}", state.condition, state.code));
        }
    }
    report(problems);
    let text = format!(
        "{}\n## Errors of Postgres\n\nThese are raised by Postgres itself, where the extension has to do with it.\n\n{}",
        table(RAISED),
        table(OF_POSTGRES)
    );
    hold("errors", &text);
}

fn table(states: &[SqlState]) -> String {
    let mut text = "| SQLSTATE | condition | what happened | what to do |\n| --- | --- | --- | --- |\n".to_owned();
    for state in states {
        for (index, (happened, advice)) in state.causes.iter().enumerate() {
            let (code, condition) = if index == 0 { (state.code, state.condition) } else { ("", "") };
            let condition =
                if condition.is_empty() { String::new() } else { format!("`{}`", condition.replace(", ", "`, `")) };
            writeln!(text, "| {code} | {condition} | {} | {} |", cell(happened), cell(advice)).unwrap();
        }
    }
    text
}

/// The conditions that the code below a directory raises: the constants `ERRCODE_…` of pgrx, which are named like the
/// conditions, and the internal error of pgrx's macro.
fn raised_conditions(directory: &str) -> BTreeSet<String> {
    let mut conditions = BTreeSet::new();
    for entry in fs::read_dir(root().join(directory)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            conditions.extend(raised_conditions(&path));
        } else if path.ends_with(".rs") && !ONLY_COMPARED.contains(&&*path) {
            let source = fs::read_to_string(root().join(&path)).unwrap();
            let names = source.split("ERRCODE_").skip(1).filter_map(|rest| {
                rest.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')).next()
            });
            conditions.extend(names.map(str::to_lowercase));
        }
    }
    conditions
}
