//! Compares `docs/pushdown.md` with the catalogue, or with `RENEW_DOCS` updates it.
//!
//! For each object, the part of the page between two marks is generated from the catalogue; `make docs` writes it. The
//! rest of the page is written by hand.

use std::path::Path;

use clerk_api::catalog::{Column, Filter, FilterOp, KeyColumn, List, MAX_VALUES, OBJECTS, Object, Paging};

const PAGE: &str = "../../docs/pushdown.md";

#[test]
fn the_page_says_what_the_catalogue_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let renewed = OBJECTS.iter().fold(page.clone(), |page, object| renewed(&page, object));
    assert_eq!(
        renewed.matches("<!-- begin ").count(),
        OBJECTS.len(),
        "the page has marks of an object that is no more"
    );
    if std::env::var_os("RENEW_DOCS").is_some() {
        std::fs::write(&path, renewed).unwrap();
    } else {
        let stale = renewed.lines().zip(page.lines()).find(|(new, old)| new != old);
        assert!(renewed == page, "docs/pushdown.md is stale, renew it with `make docs`: {stale:#?}");
    }
}

/// The page with a newly generated part between the marks of an object.
fn renewed(page: &str, object: &Object) -> String {
    let (begin, end) = (format!("<!-- begin {} -->\n", object.name), format!("<!-- end {} -->\n", object.name));
    let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let Some((before, after)) = parts else {
        return format!("{page}\n## {}\n\n{begin}{}{end}", object.name, form(object));
    };
    format!("{before}{begin}{}{end}{after}", form(object))
}

/// The generated part for an object.
fn form(object: &Object) -> String {
    let listed_by = object.list.map(|list| format!(" Listed by `GET {}`.", list.path)).unwrap_or_default();
    let mut text = format!("{}{listed_by}\n\n", object.description);
    text += "| column | type | what it is | conditions pushed down |\n| --- | --- | --- | --- |\n";
    for column in object.columns {
        let (names, conditions) = (names(column), conditions(object, column));
        text += &format!("| {names} | `{}` | {} | {conditions} |\n", column.kind.sql_type(), column.description);
    }
    text += "\n";
    for key in object.key_columns {
        text += &format!("- **By `{}`:** {}.\n", key.column, by_value(object, key));
    }
    let orders = object.sort_columns.iter().map(|order| match order.is_stable {
        true => format!("`{}` (any number of rows)", order.column),
        false => format!("`{}` (one page: with a `LIMIT`, and every condition exact)", order.column),
    });
    let unordered = object.key_columns.iter().filter(|key| !key.is_single() && !key.is_sortable);
    let unordered = unordered.map(|key| format!("; none by `{}`", key.column));
    text += &format!("- **Orders,** either way: {}{}.\n", listed(orders), unordered.collect::<String>());
    let lists = object.list.into_iter().chain(object.key_columns.iter().map(|key| key.list));
    let counts = lists.filter(|_| object.elements.is_none()).filter_map(count);
    text + &format!("- **Counts:** {}.\n", listed(counts))
}

/// The request that counts the objects of a list, if there is one.
fn count(list: List) -> Option<String> {
    let separator = if list.path.contains('?') { '&' } else { '?' };
    list.is_countable().then(|| match list.paging {
        Paging::Cursor { count, .. } => format!("`GET {count}`"),
        Paging::Whole => format!("`GET {}`", list.path),
        _ => format!("`GET {}{separator}limit=1`", list.path),
    })
}

fn names(column: &Column) -> String {
    let others = column.aliases.iter().chain(column.scalar_aliases);
    let others: Vec<_> = others.map(|name| format!("`{name}`")).collect();
    match &others[..] {
        [] => format!("`{}`", column.name),
        others => format!("`{}` (or {})", column.name, others.join(", ")),
    }
}

fn conditions(object: &Object, column: &Column) -> String {
    let key = object.key_column(column.name).map(|_| "`=`, `IN`: exact, see below".to_owned());
    // If the column is a key column, its values go into the path, and the parameter for it is not listed.
    let is_hidden = |filter: &Filter| key.is_some() && matches!(filter.op, FilterOp::Equal { .. });
    let filters = column.filters.iter().filter(|filter| !is_hidden(filter)).map(|filter| {
        let operators = match filter.op {
            FilterOp::Equal { .. } => "`=`, `IN`".to_owned(),
            FilterOp::After => "`>`, `>=`, `=`".to_owned(),
            FilterOp::Before { .. } => "`<`, `<=`, `=`".to_owned(),
            FilterOp::Contains => "`LIKE`, `ILIKE`".to_owned(),
            FilterOp::One { values: [] } => "`=`".to_owned(),
            FilterOp::One { values } => format!("`=` {}", values.join(", ")),
            FilterOp::Is => format!("`{0}`, `NOT {0}`", column.name),
        };
        let strength = if filter.is_exact { "exact" } else { "narrows" };
        format!("{operators} → `{}`: {strength}", filter.parameter)
    });
    let owned = object.key_columns.iter().flat_map(|key| key.filters.iter().map(move |filter| (key, filter)));
    let owned = owned.filter(|(_, (name, _))| *name == column.name).map(|(key, (_, filter))| {
        let strength = if filter.is_exact { "exact" } else { "narrows" };
        format!("`=`, `IN` beside one on `{}`: {strength}", key.column)
    });
    key.clone().into_iter().chain(filters).chain(owned).collect::<Vec<_>>().join("; ")
}

/// Which requests a condition on a key column leads to.
fn by_value(object: &Object, key: &KeyColumn) -> String {
    let column = object.column(key.column, true).unwrap();
    let path = format!("`GET {}`", key.list.path);
    match key.is_single() {
        true => match column.filter(|test| matches!(test, FilterOp::Equal { .. })) {
            Some(filter) => {
                let list = object.list.expect("a filter is one of the object's list").path;
                let many = format!("`GET {list}?{}=…`", filter.parameter);
                format!("{path}; several values by {many}, {MAX_VALUES} in a request")
            }
            None => format!("{path}, a request for each value"),
        },
        false => {
            let with = match key.filters {
                [] => String::new(),
                filters => {
                    let parameters = filters.iter().map(|(_, filter)| format!("`{}`", filter.parameter));
                    format!(", with {}", listed(parameters))
                }
            };
            format!("{path}, a list for each value{with}")
        }
    }
}

fn listed(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
