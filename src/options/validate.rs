//! Checks options: which may be set on what kind of object, and to which values.

use clerk_api::catalog::object;
use clerk_api::check_api_url;
use pgrx::pg_sys;

use super::catalogue::{Kind, OPTIONS, Place, Spec};
use super::{nearest, object_hint, parse_bool};
use crate::error::FdwError;
use crate::pg::hidden_statement::HiddenStatement;

/// Checks the options of a CREATE or ALTER command. Postgres passes all options as they will be after the command.
pub fn validate(options: Vec<Option<String>>, catalog: Option<pg_sys::Oid>) -> Result<(), FdwError> {
    let (place, place_name) = match catalog {
        Some(pg_sys::ForeignServerRelationId) => (Some(Place::Server), "a server"),
        Some(pg_sys::UserMappingRelationId) => (Some(Place::UserMapping), "a user mapping"),
        Some(pg_sys::ForeignTableRelationId) => (Some(Place::Table), "a foreign table"),
        Some(pg_sys::AttributeRelationId) => (Some(Place::Column), "a column"),
        _ => (None, "a foreign-data wrapper"),
    };
    let result = check_all(&options, place, place_name);
    if result.is_err() {
        // The statement stays hidden until the framework raises the error, right after this function.
        HiddenStatement::new();
    }
    result
}

fn check_all(options: &[Option<String>], place: Option<Place>, place_name: &'static str) -> Result<(), FdwError> {
    let mut has_object = false;
    for option in options.iter().flatten() {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let allowed = |spec: &&Spec| place.is_some_and(|place| spec.places.contains(&place));
        let Some(spec) = OPTIONS.iter().filter(allowed).find(|spec| spec.name == name) else {
            let names: Vec<_> = OPTIONS.iter().filter(allowed).map(|spec| spec.name).collect();
            let hint = suggestion(name, &names);
            return Err(FdwError::UnknownOption { name: name.to_owned(), place: place_name, hint });
        };
        check(spec.kind, value).map_err(|problem| FdwError::OptionValue {
            name: name.to_owned(),
            // The values of two options may have been swapped. An error that quoted this one would show the key.
            problem: match name != "api_key" && (value.contains("sk_live_") || value.contains("sk_test_")) {
                true => "it looks like a secret key, which belongs into api_key".to_owned(),
                false => problem,
            },
            hint: (name == "object").then(|| object_hint(value)),
        })?;
        has_object |= name == "object";
    }
    if place == Some(Place::Table) && !has_object {
        return Err(FdwError::NoObject { hint: object_hint("") });
    }
    Ok(())
}

/// A hint with the name that was probably meant, if one is similar, and with all valid names.
fn suggestion(name: &str, names: &[&str]) -> String {
    match nearest(name, names) {
        Some(other) => format!("Perhaps you meant \"{other}\". Valid names: {}.", names.join(", ")),
        None if names.is_empty() => "No option is valid here.".to_owned(),
        None => format!("Valid names: {}.", names.join(", ")),
    }
}

/// Checks one value; an error says what is wrong with it.
fn check(kind: Kind, text: &str) -> Result<(), String> {
    match kind {
        Kind::Text => not_empty(text),
        Kind::Key => api_key(text),
        Kind::Url => check_api_url(text).map(drop),
        Kind::Version => api_version(text),
        Kind::Boolean => boolean(text),
        Kind::Integer(least, most) => integer(text, least, most),
        Kind::Cost => cost(text),
        Kind::Object => known_object(text),
        Kind::Path => path(text),
    }
}

fn not_empty(text: &str) -> Result<(), String> {
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(()) }
}

fn api_key(text: &str) -> Result<(), String> {
    not_empty(text)?;
    match text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err("a key has no spaces and no characters beyond ASCII".to_owned()),
    }
}

fn api_version(text: &str) -> Result<(), String> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        true => Ok(()),
        false => Err(format!("\"{text}\" is not a version such as 2026-05-12")),
    }
}

fn integer(text: &str, least: u32, most: u32) -> Result<(), String> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(()),
        _ => Err(format!("\"{text}\" is not a whole number from {least} to {most}")),
    }
}

fn boolean(text: &str) -> Result<(), String> {
    match parse_bool(text) {
        Some(_) => Ok(()),
        None => Err(format!("\"{text}\" is neither true nor false")),
    }
}

fn cost(text: &str) -> Result<(), String> {
    match text.trim().parse::<f64>() {
        Ok(cost) if cost.is_finite() && cost >= 0.0 => Ok(()),
        _ => Err(format!("\"{text}\" is not a cost")),
    }
}

fn known_object(text: &str) -> Result<(), String> {
    object(text).map(drop).ok_or_else(|| format!("Clerk has no object \"{text}\""))
}

fn path(text: &str) -> Result<(), String> {
    match text.split('.').any(str::is_empty) {
        true => Err(format!("\"{text}\" is not a path such as public_metadata.plan")),
        false => Ok(()),
    }
}
