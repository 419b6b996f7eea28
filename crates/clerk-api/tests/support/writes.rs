//! The part "Writes" of the pages in `docs/objects/`: which requests an INSERT, an UPDATE and a DELETE become, and which
//! values they take.

use clerk_api::catalog::{Answer, Column, Field, FieldKind, Kind, Method, Object, Update, Write};

use super::listed;

/// The operations that change rows, for the index.
pub fn operations(object: &Object) -> String {
    let writes = object.writes;
    let all = [
        ("INSERT", writes.insert.is_some()),
        ("UPDATE", !writes.updates.is_empty()),
        ("DELETE", writes.delete.is_some()),
    ];
    let names: Vec<_> = all.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect();
    names.join(", ")
}

/// The whole part below its heading.
pub fn section(object: &Object) -> String {
    let writes = object.writes;
    if operations(object).is_empty() {
        return "It can only be read.\n".to_owned();
    }
    let mut text =
        "Where the option `updatable` allows it; [writes](../guide/writing.md) says what holds for all tables.\n\n"
            .to_owned();
    if let Some(insert) = writes.insert {
        let bulk =
            writes.bulk.map(|bulk| format!("; for several rows, `POST {}` with up to {} each", bulk.path, bulk.max));
        text += &format!("- **INSERT:** {}{}.\n", request(&insert), bulk.unwrap_or_default());
    }
    match writes.updates {
        [] => {}
        [update] => text += &format!("- **UPDATE:** {}.\n", change(object, update)),
        updates => {
            text += "- **UPDATE:** those of these requests that it needs, in this order:\n";
            for (number, update) in updates.iter().enumerate() {
                text += &format!("  {}. {}.\n", number + 1, change(object, update));
            }
        }
    }
    if let Some(delete) = writes.delete {
        text += &format!("- **DELETE:** {} {}.\n", request(&delete), end(&delete));
    }
    let unique = writes.unique.iter().map(|columns| match columns {
        [column] => format!("`{column}`"),
        columns => format!("`({})`", columns.join(", ")),
    });
    let unique = listed(unique, "or");
    if !unique.is_empty() {
        text += &format!("- **ON CONFLICT** can name {unique}.\n");
    }
    let changes = writes.updates.iter().map(|update| (update.write(), "an UPDATE"));
    let all = writes.insert.iter().map(|write| (write, "an INSERT")).chain(changes);
    let showing: Vec<_> = all.filter(|(write, _)| !write.shown_once.is_empty()).collect();
    if let [(write, _), ..] = showing[..] {
        let members = listed(write.shown_once.iter().map(|member| format!("`{member}`")), "and");
        let operations = listed(showing.iter().map(|(_, operation)| (*operation).to_owned()), "or");
        text += &format!("- **Shown only in the answer to {operations}:** {members}.\n");
    }
    text + &tables(object)
}

fn request(write: &Write) -> String {
    format!("`{} {}`", write.method.name(), write.path)
}

/// What one of the requests of an UPDATE does.
fn change(object: &Object, update: &Update) -> String {
    let request = request(update.write());
    match update {
        Update::Fields(_) if object.writes.updates.len() > 1 => format!("{request} for all other columns"),
        Update::Fields(_) => request,
        Update::Merge(write) => {
            let columns = write.fields.iter().map(|field| format!("`{}`", place(object, field)));
            format!("{request} merges the members that have changed of {}", listed(columns, "and"))
        }
        Update::Action { column, value, .. } => format!("{request} where `{column}` becomes {}", literal(value)),
    }
}

/// A value of an action, which is JSON, as it is written in SQL.
fn literal(value: &str) -> String {
    format!("`{}`", value.replace('"', "'"))
}

/// What the request of a DELETE does.
fn end(write: &Write) -> String {
    match (write.method, write.answer) {
        (Method::Delete, Answer::Other) => "deletes the object".to_owned(),
        (Method::Delete, Answer::Object) => "cancels the object, which Clerk keeps".to_owned(),
        _ => {
            let verb = write.path.rsplit('/').next().unwrap_or_default();
            format!("{verb}s the object, which Clerk keeps")
        }
    }
}

/// Where a field's value is given: the name of a column, or its own name, which only `attrs` takes.
fn place(object: &Object, field: &Field) -> &'static str {
    field.column_of(object).map_or(field.name, |column| column.name)
}

/// One line of a table: what can be inserted or updated.
struct Line {
    place: &'static str,
    is_column: bool,
    insert: &'static str,
    update: String,
    /// The values, and whether null is among them, first those of an INSERT.
    values: Vec<(String, bool)>,
}

/// The tables of the columns and of the fields that only `attrs` takes.
fn tables(object: &Object) -> String {
    let mut lines: Vec<Line> = Vec::new();
    let insert = object.writes.insert.iter();
    for key in insert.clone().flat_map(Write::keys) {
        let column = object.columns.iter().find(|column| column.name == key).expect(key);
        lines.push(Line {
            place: column.name,
            is_column: true,
            insert: "required",
            update: String::new(),
            values: vec![("text".to_owned(), false)],
        });
    }
    for field in insert.flat_map(|write| write.fields) {
        let line = line(object, &mut lines, field);
        line.insert = if field.is_required { "required" } else { "yes" };
    }
    for update in object.writes.updates {
        match update {
            Update::Fields(write) | Update::Merge(write) => {
                for field in write.fields {
                    let line = line(object, &mut lines, field);
                    line.update = if field.is_required { "yes, sent each time" } else { "yes" }.to_owned();
                }
            }
            Update::Action { column, value, .. } => {
                let column = object.columns.iter().find(|other| other.name == *column).expect(column);
                let known = lines.iter().position(|line| line.is_column && line.place == column.name);
                let index = known.unwrap_or_else(|| {
                    let values = vec![(column.kind.sql_type().to_owned(), false)];
                    lines.push(Line { place: column.name, is_column: true, insert: "", update: String::new(), values });
                    lines.len() - 1
                });
                let update = &mut lines[index].update;
                let or = if update.is_empty() { "to " } else { " or " };
                *update = format!("{update}{or}{}", literal(value));
            }
        }
    }
    let (columns, fields): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.is_column);
    table("column", &columns) + &table("field that only `attrs` takes", &fields)
}

/// The line of a field's column, or of the field itself, with the values that the field takes.
fn line<'l>(object: &Object, lines: &'l mut Vec<Line>, field: &Field) -> &'l mut Line {
    let column = field.column_of(object);
    let place = place(object, field);
    let words = (values(field, column), field.is_nullable);
    let index = lines.iter().position(|line| line.place == place).unwrap_or_else(|| {
        let is_column = column.is_some();
        lines.push(Line { place, is_column, insert: "", update: String::new(), values: Vec::new() });
        lines.len() - 1
    });
    let line = &mut lines[index];
    line.values.push(words);
    line
}

fn table(title: &str, lines: &[&Line]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = format!("\n| {title} | INSERT | UPDATE | values |\n| --- | --- | --- | --- |\n");
    for Line { place, insert, update, values, .. } in lines {
        // An UPDATE may take others than an INSERT.
        let values = match &values[..] {
            [(insert, true), (update, true)] if insert == update => or_null(insert),
            [(insert, false), (update, false)] if insert == update => insert.clone(),
            [(insert, is_nullable), (update, _)] if insert == update => {
                format!("{insert}, or null in an {}", if *is_nullable { "INSERT" } else { "UPDATE" })
            }
            values => {
                let all =
                    values.iter().map(|(words, is_nullable)| if *is_nullable { or_null(words) } else { words.clone() });
                all.collect::<Vec<_>>().join("; in an UPDATE ")
            }
        };
        text += &format!("| `{place}` | {insert} | {update} | {values} |\n");
    }
    text
}

fn or_null(words: &str) -> String {
    let comma = if words.contains(", ") || words.contains(" or ") { "," } else { "" };
    format!("{words}{comma} or null")
}

/// The values that a field takes besides null, in words.
fn values(field: &Field, column: Option<&Column>) -> String {
    match (field.kind, column.map(|column| column.kind)) {
        // A single value is sent as the only element.
        (FieldKind::List { of, .. }, Some(Kind::Text | Kind::Phone)) => words(*of),
        (FieldKind::Time, None) => "time as text, in RFC 3339".to_owned(),
        (kind, _) => words(kind),
    }
}

fn words(kind: FieldKind) -> String {
    match kind {
        FieldKind::Text { min, max } => match range(min as i128, max as i128, 0) {
            Some(range) => format!("text of {range} characters"),
            None => "text".to_owned(),
        },
        FieldKind::Choice(values) => {
            let literal = |value: &&str| if value.is_empty() { "`''`".to_owned() } else { format!("`{value}`") };
            listed(values.iter().map(literal), "or")
        }
        FieldKind::Id(form) => {
            let prefixes = form.prefixes.iter().map(|prefix| format!("`{prefix}_`"));
            format!("id with the prefix {}", listed(prefixes, "or"))
        }
        FieldKind::Time => "time".to_owned(),
        FieldKind::Integer { min, max } => match range(min.into(), max.into(), i64::MIN.into()) {
            Some(range) => format!("whole number, {range}"),
            None => "whole number".to_owned(),
        },
        FieldKind::Number { min } => format!("number, {min} or more"),
        FieldKind::Boolean => "boolean".to_owned(),
        FieldKind::Object => "JSON object".to_owned(),
        FieldKind::Members(fields) => format!("JSON object with {}", listed(fields.iter().map(nested), "and")),
        FieldKind::List { of, min, max } => {
            let elements = match *of {
                FieldKind::Text { min: 0, max: usize::MAX } => "texts".to_owned(),
                FieldKind::Choice(_) => format!("texts, each {}", words(*of)),
                of => format!("elements, each a {}", words(of)),
            };
            match range(min as i128, max as i128, 0) {
                Some(range) => format!("array of {range} {elements}"),
                None => format!("array of {elements}"),
            }
        }
        FieldKind::Any => "any JSON".to_owned(),
    }
}

/// A member of an object, with what is special about it.
fn nested(field: &Field) -> String {
    let kind = match field.kind {
        FieldKind::Text { min: 0, max: usize::MAX } | FieldKind::Boolean => None,
        kind => Some(words(kind)),
    };
    let required = field.is_required.then(|| "required".to_owned());
    match required.into_iter().chain(kind).collect::<Vec<_>>().join(": ") {
        notes if notes.is_empty() => format!("`{}`", field.name),
        notes => format!("`{}` ({notes})", field.name),
    }
}

/// The bounds of a length or a number, if there are any. No value is below the lowest one.
fn range(min: i128, max: i128, lowest: i128) -> Option<String> {
    let is_highest = max == i64::MAX.into() || max == usize::MAX as i128;
    match (min == lowest, is_highest) {
        (true, true) => None,
        (true, false) => Some(format!("up to {max}")),
        (false, true) => Some(format!("{min} or more")),
        (false, false) => Some(format!("{min} to {max}")),
    }
}
