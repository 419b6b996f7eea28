//! Whether a value is one that Clerk takes for a field, as the OpenAPI file says.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat};

use super::error::WriteError;
use super::members::{members, string};
use crate::catalog::{Field, FieldKind, Kind, Object};
use crate::decode::json;

/// The value of a field as it is sent, from the JSON text of a column. The forms differ in places: Clerk takes times as
/// texts and addresses as lists.
pub(super) fn from_column(
    object: &Object,
    field: &'static Field,
    column: Kind,
    value: &str,
) -> Result<String, WriteError> {
    let value = from_old_column(object, field, column, value)?;
    // It may have been the text of a string.
    check_depth(object, field.name, &value)?;
    Ok(value)
}

/// The value that a field had, in the form in which it is sent: as [`from_column`], however deep it is nested at Clerk.
pub(super) fn from_old_column(
    object: &Object,
    field: &'static Field,
    column: Kind,
    value: &str,
) -> Result<String, WriteError> {
    // The type json keeps white space.
    let value = value.trim();
    let value = match (field.kind, json::kind(value)) {
        (_, "null") => value.into(),
        (FieldKind::Time, "number") => match time(value) {
            Some(time) => string(&time).into(),
            None => return Err(range(object, field.name, "is a time that cannot be written".to_owned())),
        },
        // A table may declare a column with an array as text.
        (FieldKind::List { .. }, "string") if is_array(column) && holds_array(value) => {
            json::string(value).unwrap_or(value.into())
        }
        (FieldKind::List { of, .. }, kind) if kind != "array" => {
            let element = element(of, column, value);
            Cow::Owned(format!("[{element}]"))
        }
        // A table may declare a column with a number or a boolean as text.
        (FieldKind::Integer { .. } | FieldKind::Number { .. } | FieldKind::Boolean, "string") => {
            match json::string(value) {
                Some(text) if is_number_or_boolean(&text) => text,
                _ => value.into(),
            }
        }
        // A table may declare a column with JSON as text.
        (FieldKind::Object | FieldKind::Members(_) | FieldKind::Any, "string") => match json::string(value) {
            Some(text) if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() => text,
            _ => value.into(),
        },
        (kind, _) => element(&kind, column, value),
    };
    check(object, field, field.name, value.trim())?;
    Ok(value.trim().to_owned())
}

fn is_array(column: Kind) -> bool {
    matches!(column, Kind::Json | Kind::TextArray)
}

/// Whether a text is a JSON number or boolean and nothing else, so that it can stand in a body as it is.
fn is_number_or_boolean(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(serde_json::Value::Number(_) | serde_json::Value::Bool(_)))
}

/// Whether a JSON string is itself the text of an array.
fn holds_array(value: &str) -> bool {
    json::string(value).is_some_and(|text| serde_json::from_str::<Vec<serde::de::IgnoredAny>>(&text).is_ok())
}

/// A single value. A phone number may come from a column with its digits.
fn element<'v>(kind: &FieldKind, column: Kind, value: &'v str) -> Cow<'v, str> {
    match (kind, column, json::kind(value)) {
        (FieldKind::Text { .. }, Kind::Phone, "number") => string(&format!("+{value}")).into(),
        _ => value.into(),
    }
}

/// A time in Unix milliseconds as RFC 3339 writes it.
fn time(milliseconds: &str) -> Option<String> {
    let time = DateTime::from_timestamp_millis(milliseconds.parse().ok()?)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Checks a value that is given as JSON. `name` is the field's name with those of the objects that it is in.
pub(super) fn check(object: &Object, field: &Field, name: &str, value: &str) -> Result<(), WriteError> {
    match json::kind(value) {
        "null" if field.is_nullable => Ok(()),
        "null" => Err(WriteError::Null { object: object.name, field: name.to_owned() }),
        _ => check_kind(object, field.kind, name, value),
    }
}

fn check_kind(object: &Object, kind: FieldKind, name: &str, value: &str) -> Result<(), WriteError> {
    let found = json::kind(value);
    let wrong = |expected: &str| {
        let (object, field, expected) = (object.name, name.to_owned(), expected.to_owned());
        Err(WriteError::Kind { object, field, expected, found: with_article(found) })
    };
    let text = || json::string(value);
    match kind {
        FieldKind::Any => Ok(()),
        FieldKind::Boolean if found == "boolean" => Ok(()),
        FieldKind::Boolean => wrong("true or false"),
        FieldKind::Text { min, max } => {
            let Some(text) = text() else { return wrong("a text") };
            let length = text.chars().count();
            match length {
                length if length < min => Err(range(object, name, format!("has fewer than {min} characters"))),
                length if length > max => Err(range(object, name, format!("has more than {max} characters"))),
                _ => Ok(()),
            }
        }
        FieldKind::Choice(choices) => match text() {
            Some(text) if choices.contains(&&*text) => Ok(()),
            _ => Err(range(object, name, format!("must be one of {}", choices.join(", ")))),
        },
        FieldKind::Id(form) => match text() {
            Some(text) if form.fits(&text) => Ok(()),
            _ => Err(range(object, name, format!("must be an id that begins with {}_", form.prefixes.join("_ or ")))),
        },
        FieldKind::Time => match text() {
            Some(text) if DateTime::parse_from_rfc3339(&text).is_ok() => Ok(()),
            _ => Err(range(object, name, "must be a time such as 2012-10-20T07:15:20.902Z".to_owned())),
        },
        FieldKind::Integer { min, max } => {
            if found != "number" {
                return wrong("a whole number");
            }
            match value.parse::<i64>() {
                Ok(number) if number < min => Err(range(object, name, format!("must be at least {min}"))),
                Ok(number) if number > max => Err(range(object, name, format!("must be at most {max}"))),
                Ok(_) => Ok(()),
                Err(_) => wrong("a whole number"),
            }
        }
        FieldKind::Number { min } => match value.parse::<f64>() {
            Ok(number) if number < min => Err(range(object, name, format!("must be at least {min}"))),
            Ok(_) if found == "number" => Ok(()),
            _ => wrong("a number"),
        },
        FieldKind::Object => {
            if found == "object" {
                Ok(())
            } else {
                wrong("an object")
            }
        }
        FieldKind::Members(fields) => match members(value) {
            Some(given) if found == "object" => {
                let below = |member: &str| format!("{name}.{member}");
                for (member, value) in &given {
                    let Some(field) = fields.iter().find(|field| field.name == member) else {
                        return Err(range(object, name, format!("has no member \"{member}\"")));
                    };
                    check(object, field, &below(member), value.get())?;
                }
                let is_missing = |field: &&Field| field.is_required && !given.contains_key(field.name);
                match fields.iter().find(is_missing) {
                    Some(field) => Err(range(object, name, format!("needs a member \"{}\"", field.name))),
                    None => Ok(()),
                }
            }
            _ => wrong("an object"),
        },
        FieldKind::List { of, min, max } => {
            let Ok(elements) = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(value) else {
                return wrong("an array");
            };
            if elements.len() < min || elements.len() > max {
                let limit = if elements.len() < min { format!("fewer than {min}") } else { format!("more than {max}") };
                return Err(range(object, name, format!("has {limit} elements")));
            }
            elements
                .iter()
                .enumerate()
                .try_for_each(|(index, element)| check_kind(object, *of, &format!("{name}[{index}]"), element.get()))
        }
    }
}

/// Refuses a value that is nested deeper than what reads it copes with.
pub(super) fn check_depth(object: &Object, name: &str, value: &str) -> Result<(), WriteError> {
    match json::is_too_deep(value) {
        true => Err(range(object, name, format!("is nested deeper than {} levels", json::MAX_DEPTH))),
        false => Ok(()),
    }
}

fn range(object: &Object, field: &str, problem: String) -> WriteError {
    WriteError::Range { object: object.name, field: field.to_owned(), problem }
}

fn with_article(kind: &'static str) -> &'static str {
    match kind {
        "string" => "a text",
        "object" => "an object",
        "array" => "an array",
        "boolean" => "a boolean",
        "number" => "a number",
        other => other,
    }
}
