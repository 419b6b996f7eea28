//! Compares the pages of `docs/objects/` with the catalogue, or with `RENEW_DOCS` updates them.
//!
//! Each object has a page. The part between its two marks is generated from the catalogue, and so is the list of all pages
//! in `docs/objects/README.md`; `make docs` writes both. The questions below the generated part are written by hand.

#[path = "support/questions.rs"]
mod questions;
#[path = "support/writes.rs"]
mod writes;

use std::collections::BTreeSet;
use std::fs;

use clerk_api::catalog::{
    Change, Column, Filter, FilterOp, KeyColumn, List, MAX_VALUES, Mirroring, OBJECTS, Object, Paging, SortColumn,
    Source,
};
use questions::{directory, questions};

const BEGIN: &str = "<!-- begin generated -->\n";
const END: &str = "<!-- end generated -->\n";

/// Every object has a page, and the index has every object. With `RENEW_DOCS`, the files are written instead.
#[test]
fn pages_say_what_the_catalogue_says() {
    let pages = OBJECTS.iter().map(|object| (object.name, format!("# {}\n", object.name), page(object)));
    let index = ("README", "# Objects\n".to_owned(), index());
    for (name, title, generated) in pages.chain([index]) {
        let path = directory().join(format!("{name}.md"));
        let questions = if name == "README" { "" } else { "\n## Questions\n" };
        let page = fs::read_to_string(&path).unwrap_or_else(|_| format!("{title}\n{BEGIN}{END}{questions}"));
        let renewed = renewed(&page, &generated).unwrap_or_else(|| panic!("{name}.md has no marks {BEGIN}{END}"));
        if std::env::var_os("RENEW_DOCS").is_some() {
            fs::write(&path, renewed).unwrap();
            continue;
        }
        let stale = renewed.lines().zip(page.lines()).find(|(new, old)| new != old);
        let is_current = renewed == page && path.exists();
        assert!(is_current, "docs/objects/{name}.md is stale; `make docs` renews it: {stale:#?}");
        assert!(page.starts_with(&title), "docs/objects/{name}.md does not begin with its title");
    }
}

/// A page whose object is gone is deleted.
#[test]
fn every_page_has_an_object() {
    let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let expected = OBJECTS.iter().map(|object| format!("{}.md", object.name)).chain(["README.md".to_owned()]);
    let (found, expected): (BTreeSet<_>, BTreeSet<_>) = (entries.collect(), expected.collect());
    let foreign: Vec<_> = found.difference(&expected).collect();
    assert!(foreign.is_empty(), "docs/objects/ has pages of objects that do not exist: {foreign:?}");
}

/// Every page has three to five questions, and every question has one query, which reads the page's table.
#[test]
fn every_page_has_questions() {
    let mut wrong = Vec::new();
    for object in OBJECTS {
        let page = fs::read_to_string(directory().join(format!("{}.md", object.name))).unwrap_or_default();
        let questions = questions(&page);
        if !(3..=5).contains(&questions.len()) {
            wrong.push(format!("{}: {} questions instead of three to five", object.name, questions.len()));
        }
        for question in questions {
            let table = format!("clerk.{}", object.name);
            let is_table = |word: &str| word == table;
            match &question.queries()[..] {
                [query] if query.split(|c: char| !(c.is_alphanumeric() || "._".contains(c))).any(is_table) => {}
                [_] => wrong.push(format!("{}: the query does not read {table}: {}", object.name, question.heading)),
                others => wrong.push(format!("{}: {} queries: {}", object.name, others.len(), question.heading)),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The page with a newly generated part between its marks, if it has them.
fn renewed(page: &str, generated: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{generated}{END}{after}"))
}

/// The generated part of the index.
fn index() -> String {
    let mut text =
        "| table | what it contains | needs a condition on | writes |\n| --- | --- | --- | --- |\n".to_owned();
    for object in OBJECTS {
        let needed = if object.list.is_none() { key_names(object) } else { String::new() };
        let (name, description, operations) = (object.name, object.description, writes::operations(object));
        text += &format!("| [{name}]({name}.md) | {description} | {needed} | {operations} |\n");
    }
    text
}

/// The generated part of an object's page.
fn page(object: &'static Object) -> String {
    let mut text = format!("{}\n", object.description);
    if let Some(elements) = object.elements {
        let of = elements.of;
        text += &format!(
            "\nClerk has no list of them. They are the elements of `{}` in the [{of}]({of}.md), so a query reads {of}.\n",
            elements.member
        );
    }
    if object.list.is_none() {
        text += &format!(
            "\nClerk has no list of all of them. A query needs a condition on {}, with `=`, `IN`, `= ANY` or a join; \
             without one, it is an error.\n",
            key_names(object)
        );
    }
    text += "\n## Columns\n\n| column | type | what it is | conditions pushed down |\n| --- | --- | --- | --- |\n";
    for column in object.columns {
        let (names, kind, description) = (names(column), column.kind.sql_type(), description(object, column));
        text += &format!("| {names} | `{kind}` | {description} | {} |\n", conditions(object, column));
    }
    text += "\n[What is pushed down](../reference/pushdown.md#conditions) says what *exact* and *narrows* mean.\n";
    text += "\n## Requests\n\n";
    if let Some(list) = object.list {
        text += &format!("- **The whole table:** {}.\n", request(list, ""));
    }
    for key in object.key_columns {
        text += &format!("- **By `{}`:** {}.\n", key.column, by_value(object, key));
    }
    if object.list.is_none_or(|list| list.paging != Paging::Single) {
        text += &format!("- **Orders:** {}.\n", orders(object));
        text += &format!("- **Counts:** {}.\n", counts(object));
    }
    let on_demand = object.columns.iter().filter_map(|column| {
        let (parameter, value) = column.extra_param?;
        Some(format!("`{}` with `{parameter}={value}`", column.name))
    });
    let on_demand = listed(on_demand, "and");
    if !on_demand.is_empty() {
        text += &format!("- **Only where a query uses it:** {on_demand}.\n");
    }
    text += &format!("\n## Writes\n\n{}", writes::section(object));
    text += "\n## Mirrors and webhooks\n\n";
    text += &format!("- **Mirrors:** {}.\n", mirrors(object));
    text += &format!("- **Webhooks:** {}.\n", webhooks(object));
    if !object.aliases.is_empty() {
        let aliases = listed(object.aliases.iter().map(|alias| format!("`{alias}`")), "and");
        text += &format!("- **Other values of the option `object`:** {aliases}.\n");
    }
    text
}

/// The columns on one of which a query needs a condition where there is no list of all objects.
fn key_names(object: &Object) -> String {
    listed(object.key_columns.iter().map(|key| format!("`{}`", key.column)), "or")
}

fn names(column: &Column) -> String {
    let others: Vec<_> = column.aliases.iter().chain(column.scalar_aliases).map(|name| format!("`{name}`")).collect();
    match &others[..] {
        [] => format!("`{}`", column.name),
        others => format!("`{}` (or {})", column.name, others.join(", ")),
    }
}

fn description(object: &Object, column: &Column) -> String {
    let note = match (column.is_secret, column.source) {
        (true, _) => " A secret: not imported by default, but a table of your own can declare it.",
        (false, Source::Whole) if object.has_secret() => " It contains the secrets: not imported by default either.",
        _ => "",
    };
    format!("{}{note}", column.description)
}

/// The conditions on a column that Clerk evaluates.
fn conditions(object: &Object, column: &Column) -> String {
    let key = object.key_column(column.name).map(|_| "`=`, `IN`: exact, see below".to_owned());
    // If the column is a key column, its values go into the path, and the parameter for it is not listed.
    let is_hidden = |filter: &Filter| key.is_some() && matches!(filter.op, FilterOp::Equal { .. });
    let filters = column.filters.iter().filter(|filter| !is_hidden(filter));
    let filters =
        filters.map(|filter| format!("{} → `{}`: {}", operators(column, filter), filter.parameter, strength(filter)));
    // Several key columns may have the same filter.
    let mut of_keys: Vec<(&Filter, Vec<String>)> = Vec::new();
    for key in object.key_columns {
        for (_, filter) in key.filters.iter().filter(|(name, _)| *name == column.name) {
            let key = format!("`{}`", key.column);
            match of_keys.iter_mut().find(|(other, _)| *other == filter) {
                Some((_, keys)) => keys.push(key),
                None => of_keys.push((filter, vec![key])),
            }
        }
    }
    let of_keys = of_keys.into_iter().map(|(filter, keys)| {
        let keys = listed(keys.into_iter(), "or");
        format!("{} with a condition on {keys}: {}", operators(column, filter), strength(filter))
    });
    key.clone().into_iter().chain(filters).chain(of_keys).collect::<Vec<_>>().join("; ")
}

fn operators(column: &Column, filter: &Filter) -> String {
    match filter.op {
        FilterOp::Equal { .. } => "`=`, `IN`".to_owned(),
        FilterOp::After => "`>`, `>=`, `=`".to_owned(),
        FilterOp::Before { .. } => "`<`, `<=`, `=`".to_owned(),
        FilterOp::Contains => "`LIKE`, `ILIKE`".to_owned(),
        FilterOp::One { values: [] } => "`=` one value".to_owned(),
        FilterOp::One { values } => format!("`=` {}", listed(values.iter().map(|value| format!("`{value}`")), "or")),
        FilterOp::Is => format!("`{0}`, `NOT {0}`", column.name),
    }
}

fn strength(filter: &Filter) -> &'static str {
    if filter.is_exact { "exact" } else { "narrows" }
}

/// The requests that read a list from its beginning to its end. `note` follows the endpoint.
fn request(list: List, note: &str) -> String {
    let size = list.max_page_size;
    let mut text = format!("`GET {}`{note}", list.path);
    text += &match list.paging {
        Paging::Cursor { .. } => format!(", up to {size} in a request, several ranges of creation times side by side"),
        Paging::Offset { .. } => format!(", up to {size} in a request"),
        Paging::Whole => ", all in one request".to_owned(),
        Paging::Single => ", one request for one row".to_owned(),
    };
    if !list.params.is_empty() {
        let parameters = list.params.iter().map(|(name, value)| format!("`{name}={value}`"));
        text += &format!(", always with {}", listed(parameters, "and"));
    }
    if let Some((parameter, value)) = list.apart {
        text += &format!(
            "; Clerk lists those with `{parameter}={value}` apart, so there are two lists to read, unless \
             a condition on `{parameter}` needs only one of them"
        );
    }
    text
}

/// The requests that a condition on a key column leads to.
fn by_value(object: &Object, key: &KeyColumn) -> String {
    let column = object.column(key.column, true).unwrap();
    if key.is_single() {
        let path = format!("`GET {}`", key.list.path);
        return match column.filter(|test| matches!(test, FilterOp::Equal { .. })) {
            Some(filter) => {
                let list = object.list.expect("a filter is one of the object's list").path;
                format!(
                    "{path}; for several values, `GET {list}?{}=…` with {MAX_VALUES} in a request",
                    filter.parameter
                )
            }
            None => format!("{path}, a request for each value"),
        };
    }
    let mut note = " for each value".to_owned();
    if let Some(form) = key.id_form {
        let prefixes = form.prefixes.iter().map(|prefix| format!("`{prefix}_`"));
        note += &format!(" that is an id with the prefix {}", listed(prefixes, "or"));
    }
    let mut text = request(key.list, &note);
    if !key.filters.is_empty() {
        let parameters = key.filters.iter().map(|(_, filter)| format!("`{}`", filter.parameter));
        text += &format!("; {} can narrow it", listed(parameters, "or"));
    }
    text
}

/// The orders in which Clerk lists the objects.
fn orders(object: &Object) -> String {
    if object.sort_columns.is_empty() || object.elements.is_some() {
        return "none, so Postgres sorts the rows".to_owned();
    }
    let (stable, unstable): (Vec<_>, Vec<_>) = object.sort_columns.iter().partition(|order| order.is_stable);
    let names = |orders: &[&SortColumn]| listed(orders.iter().map(|order| format!("`{}`", order.column)), "and");
    let mut text = format!("{}, ascending and descending", names(&stable));
    if !unstable.is_empty() {
        text += &format!("; {} only where a `LIMIT` asks for one page and every condition is exact", names(&unstable));
    }
    if let Some((parameter, _)) = object.list.and_then(|list| list.apart) {
        text += &format!("; only with a condition on `{parameter}`, which names one of the two lists");
    }
    let unsorted = object.key_columns.iter().filter(|key| !key.is_single() && !key.is_sortable);
    let unsorted = listed(unsorted.map(|key| format!("`{}`", key.column)), "or");
    if !unsorted.is_empty() {
        text += &format!("; none with a condition on {unsorted}");
    }
    text
}

/// The requests that count objects.
fn counts(object: &Object) -> String {
    let lists = object.list.into_iter().chain(object.key_columns.iter().map(|key| key.list));
    let counts = lists.filter(|list| object.elements.is_none() && list.is_countable()).map(|list| {
        let separator = if list.path.contains('?') { '&' } else { '?' };
        match list.paging {
            Paging::Cursor { count, .. } => format!("`GET {count}`"),
            Paging::Whole => format!("`GET {}`", list.path),
            _ => format!("`GET {}{separator}limit=1`", list.path),
        }
    });
    match listed(counts, "and") {
        counts if counts.is_empty() => "none, so Postgres counts the rows".to_owned(),
        counts => counts,
    }
}

fn mirrors(object: &Object) -> String {
    match object.mirroring {
        Mirroring::ByDefault => {
            "[mirrors](../guide/mirror.md) contain the object unless they are created without it".to_owned()
        }
        Mirroring::OnRequest => {
            format!(
                "[mirrors](../guide/mirror.md) contain the object if they are created with `{}` in `objects`",
                object.name
            )
        }
        Mirroring::Never => "no mirror can contain the object, because Clerk cannot list all of it".to_owned(),
    }
}

fn webhooks(object: &Object) -> String {
    let events = listed(object.events.iter().map(|event| format!("`{}`", event.type_)), "and");
    match (object.elements, object.mirroring) {
        (Some(elements), _) => format!("those of [{0}]({0}.md), which contain the elements", elements.of),
        (_, Mirroring::Never) if events.is_empty() => "none".to_owned(),
        _ if events.is_empty() => "none, so a mirror sees changes with its next sync".to_owned(),
        (_, Mirroring::Never) => format!("{events}, which are ignored, because no mirror contains the object"),
        _ if object.events.iter().any(|event| event.change == Change::Partial) => {
            format!("{events}, which contain a part of the object: the other columns wait for the next sync")
        }
        _ => events,
    }
}

/// The items as a list in a sentence: `a, b or c`.
fn listed(items: impl Iterator<Item = String>, conjunction: &str) -> String {
    let items: Vec<_> = items.collect();
    match &items[..] {
        [items @ .., last] if !items.is_empty() => format!("{} {conjunction} {last}", items.join(", ")),
        items => items.concat(),
    }
}
