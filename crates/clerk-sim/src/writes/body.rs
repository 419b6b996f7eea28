//! Reads the body of a request by a form, and does what the form says.

use indexmap::IndexMap;

use super::form::{Act, Call, Field, FieldKind, Write};
use super::given::Given;
use super::time;
use crate::endpoint::Endpoint;
use crate::error::ClerkError;
use crate::fault::Distortions;
use crate::object::Fields;
use crate::query::Query;
use crate::state::State;

impl Write {
    /// Makes the change, and answers with a status and JSON.
    pub(crate) fn answer(
        &self,
        state: &mut State,
        ids: &[&str],
        query: &[(String, String)],
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), ClerkError> {
        let answer = self.done(state, ids, query, body).map_err(|mut error| {
            if error.status == 422 {
                error.status = self.refusal;
            }
            error
        });
        answer.map(|json| (self.success, json.into_bytes()))
    }

    fn done(
        &self,
        state: &mut State,
        ids: &[&str],
        query: &[(String, String)],
        body: &[u8],
    ) -> Result<String, ClerkError> {
        let endpoint = Endpoint { path: self.path, parameters: self.parameters };
        let query = &Query::read(&endpoint, query, Distortions::default())?;
        match self.act {
            Act::One(act) => act(state, &Call { ids, query, given: self.one(body)? }),
            Act::Many(act) => {
                let calls = self.many(body)?.into_iter().map(|given| Call { ids, query, given });
                act(state, &calls.collect::<Vec<Call>>())
            }
        }
    }

    fn one(&self, body: &[u8]) -> Result<Given, ClerkError> {
        // What comes with a request that has no body is ignored.
        if self.fields.is_empty() || body.is_empty() && !self.needs_body {
            return self.check(Fields::new());
        }
        self.check(serde_json::from_slice(body)?)
    }

    fn many(&self, body: &[u8]) -> Result<Vec<Given>, ClerkError> {
        let objects: Vec<Fields> = serde_json::from_slice(body)?;
        let max = self.max_objects.unwrap_or(usize::MAX);
        if objects.is_empty() {
            return Err(ClerkError::bad_body("The body has to have at least one item."));
        }
        if objects.len() > max {
            return Err(ClerkError::bad_body(format!("The body can't have more than {max} items.")));
        }
        objects.into_iter().map(|fields| self.check(fields)).collect()
    }

    fn check(&self, fields: Fields) -> Result<Given, ClerkError> {
        checked(fields, self.fields, self.is_closed, "").map(Given)
    }
}

/// The known fields of an object. `path` is where the object is within the body, such as `saml.`, for errors.
fn checked(mut fields: Fields, form: &[&[Field]], is_closed: bool, path: &str) -> Result<Fields, ClerkError> {
    let known = || form.iter().copied().flatten();
    let is_known = |name: &str| known().any(|field| field.name == name);
    if let Some(name) = fields.keys().find(|name| is_closed && !is_known(name)) {
        return Err(ClerkError::unknown(&format!("{path}{name}")));
    }
    fields.retain(|name, _| is_known(name));
    for field in known() {
        let name = format!("{path}{}", field.name);
        match fields.get(field.name).map(|value| value.get()) {
            None if field.is_required => return Err(ClerkError::required(&name)),
            None => {}
            Some("null") if field.is_nullable => {}
            Some("null") => return Err(ClerkError::null(&name)),
            Some(value) => field.check(&name, value)?,
        }
    }
    Ok(fields)
}

impl Field {
    /// Refuses a value of another kind. `name` is what errors call the field.
    fn check(&self, name: &str, value: &str) -> Result<(), ClerkError> {
        let wrong = |expected| ClerkError::wrong_type(name, expected);
        let text = || serde_json::from_str::<String>(value).map_err(|_| wrong("string"));
        let texts = || serde_json::from_str::<Vec<String>>(value).map_err(|_| wrong("array of strings"));
        match self.kind {
            FieldKind::Text => {
                text()?;
            }
            FieldKind::Length(min, max) => {
                let length = text()?.chars().count();
                if length < min {
                    return Err(ClerkError::too_short(name, min));
                }
                if length > max {
                    return Err(ClerkError::too_long(name, max));
                }
            }
            FieldKind::Choice(choices) => {
                let text = text()?;
                if !choices.contains(&text.as_str()) {
                    let why = format!("it has to be one of {}", choices.join(", "));
                    return Err(ClerkError::invalid_value(name, &why));
                }
            }
            FieldKind::Time => {
                if time::milliseconds(&text()?).is_none() {
                    return Err(ClerkError::wrong_format(name, "a time as in RFC 3339"));
                }
            }
            FieldKind::Integer(min, max) => {
                let number: i64 = serde_json::from_str(value).map_err(|_| wrong("integer"))?;
                if number < min {
                    return Err(ClerkError::too_small(name, min));
                }
                if number > max {
                    return Err(ClerkError::too_large(name, max));
                }
            }
            FieldKind::Boolean => {
                serde_json::from_str::<bool>(value).map_err(|_| wrong("boolean"))?;
            }
            FieldKind::True => {
                if !serde_json::from_str::<bool>(value).map_err(|_| wrong("boolean"))? {
                    return Err(ClerkError::invalid_value(name, "it has to be true"));
                }
            }
            FieldKind::Object => {
                serde_json::from_str::<Fields>(value).map_err(|_| wrong("object"))?;
            }
            FieldKind::Mapping => {
                serde_json::from_str::<IndexMap<String, Option<String>>>(value)
                    .map_err(|_| wrong("object of strings"))?;
            }
            FieldKind::Form(form) => {
                checked(serde_json::from_str(value).map_err(|_| wrong("object"))?, form, true, &format!("{name}."))?;
            }
            FieldKind::Forms(form) | FieldKind::OpenForms(form) => {
                let objects: Vec<Fields> = serde_json::from_str(value).map_err(|_| wrong("array of objects"))?;
                let is_closed = matches!(self.kind, FieldKind::Forms(_));
                for object in objects {
                    checked(object, form, is_closed, &format!("{name}."))?;
                }
            }
            FieldKind::Any => {}
            FieldKind::Texts => {
                texts()?;
            }
            FieldKind::TextCount(min, max) => {
                let count = texts()?.len();
                if count < min {
                    return Err(ClerkError::invalid_value(name, "it has too few items"));
                }
                if count > max {
                    return Err(ClerkError::too_many_values(name, max));
                }
            }
        }
        Ok(())
    }
}
