//! Reads the body of a request by a form, and does what the form says.

use super::form::{Act, Call, Field, FieldKind, Write};
use super::given::Given;
use super::time;
use crate::error::ClerkError;
use crate::object::Fields;
use crate::state::State;

impl Write {
    /// Makes the change, and answers with JSON.
    pub(crate) fn answer(&self, state: &mut State, ids: &[&str], body: &[u8]) -> Result<Vec<u8>, ClerkError> {
        let answer = self.done(state, ids, body).map_err(|mut error| {
            if error.status == 422 {
                error.status = self.refusal;
            }
            error
        });
        answer.map(String::into_bytes)
    }

    fn done(&self, state: &mut State, ids: &[&str], body: &[u8]) -> Result<String, ClerkError> {
        match self.act {
            Act::One(act) => act(state, &Call { ids, given: self.one(body)? }),
            Act::Many(act) => {
                let calls = self.many(body)?.into_iter().map(|given| Call { ids, given });
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

    fn check(&self, mut fields: Fields) -> Result<Given, ClerkError> {
        let is_known = |name: &str| self.fields().any(|field| field.name == name);
        if let Some(name) = fields.keys().find(|name| self.is_closed && !is_known(name)) {
            return Err(ClerkError::unknown(name));
        }
        fields.retain(|name, _| is_known(name));
        for field in self.fields() {
            match fields.get(field.name).map(|value| value.get()) {
                None if field.is_required => return Err(ClerkError::required(field.name)),
                None => {}
                Some("null") if field.is_nullable => {}
                Some("null") => return Err(ClerkError::null(field.name)),
                Some(value) => field.check(value)?,
            }
        }
        Ok(Given(fields))
    }
}

impl Field {
    fn check(&self, value: &str) -> Result<(), ClerkError> {
        let wrong = |expected| ClerkError::wrong_type(self.name, expected);
        let text = || serde_json::from_str::<String>(value).map_err(|_| wrong("string"));
        let texts = || serde_json::from_str::<Vec<String>>(value).map_err(|_| wrong("array of strings"));
        match self.kind {
            FieldKind::Text => {
                text()?;
            }
            FieldKind::Length(min, max) => {
                let length = text()?.chars().count();
                if length < min {
                    return Err(ClerkError::too_short(self.name, min));
                }
                if length > max {
                    return Err(ClerkError::too_long(self.name, max));
                }
            }
            FieldKind::Choice(choices) => {
                let text = text()?;
                if !choices.contains(&text.as_str()) {
                    let why = format!("it has to be one of {}", choices.join(", "));
                    return Err(ClerkError::invalid_value(self.name, &why));
                }
            }
            FieldKind::Time => {
                if time::milliseconds(&text()?).is_none() {
                    return Err(ClerkError::wrong_format(self.name, "a time as in RFC 3339"));
                }
            }
            FieldKind::Integer(min, max) => {
                let number: i64 = serde_json::from_str(value).map_err(|_| wrong("integer"))?;
                if number < min {
                    return Err(ClerkError::too_small(self.name, min));
                }
                if number > max {
                    return Err(ClerkError::too_large(self.name, max));
                }
            }
            FieldKind::Boolean => {
                serde_json::from_str::<bool>(value).map_err(|_| wrong("boolean"))?;
            }
            FieldKind::True => {
                if !serde_json::from_str::<bool>(value).map_err(|_| wrong("boolean"))? {
                    return Err(ClerkError::invalid_value(self.name, "it has to be true"));
                }
            }
            FieldKind::Object => {
                serde_json::from_str::<Fields>(value).map_err(|_| wrong("object"))?;
            }
            FieldKind::Any => {}
            FieldKind::Texts => {
                texts()?;
            }
            FieldKind::TextCount(min, max) => {
                let count = texts()?.len();
                if count < min {
                    return Err(ClerkError::invalid_value(self.name, "it has too few items"));
                }
                if count > max {
                    return Err(ClerkError::too_many_values(self.name, max));
                }
            }
        }
        Ok(())
    }
}
