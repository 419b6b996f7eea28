//! The query string of a request, read by the parameters of its endpoint. Other parameters are ignored, as Clerk does.

use crate::endpoint::{Condition, Endpoint, Parameter, ParameterKind};
use crate::error::ClerkError;
use crate::fault::Distortions;

/// How many values an array parameter may have.
const MAX_VALUES: usize = 100;
/// How many objects a page has unless the request says so, where it may say so.
const DEFAULT_LIMIT: usize = 10;

/// Values to include and values to exclude.
#[derive(Debug, Default)]
pub(crate) struct IncludeExclude {
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) field: &'static str,
    pub(crate) descending: bool,
}

#[derive(Debug)]
enum Value {
    List(Vec<String>),
    IncludeExclude(IncludeExclude),
    Text(String),
    Integer(i64),
    Boolean(bool),
    Order(Order),
}

/// The parameters of one request, which were checked against those of the endpoint.
#[derive(Debug)]
pub(crate) struct Query {
    values: Vec<(&'static str, Value)>,
    conditions: Vec<(&'static str, Condition)>,
    /// How many objects a page has unless the request says so.
    default_limit: usize,
    distortions: Distortions,
}

impl Query {
    /// Reads decoded pairs of names and values.
    ///
    /// # Errors
    /// Clerk's error with status 422 if a value is not acceptable.
    pub(crate) fn read(
        endpoint: &Endpoint,
        pairs: &[(String, String)],
        distortions: Distortions,
    ) -> Result<Query, ClerkError> {
        let mut values = Vec::new();
        let mut conditions = Vec::new();
        let mut default_limit = usize::MAX;
        for parameter in endpoint.parameters() {
            if let ParameterKind::Limit(_) = parameter.kind {
                default_limit = DEFAULT_LIMIT;
            }
            let given: Vec<&str> =
                pairs.iter().filter(|(name, _)| name == parameter.name).map(|(_, value)| value.as_str()).collect();
            // If a parameter that takes one value is repeated, Clerk uses the first value. An empty one counts as
            // missing, unless the parameter refuses blank values.
            let takes_empty = parameter.kind.is_array() || matches!(parameter.kind, ParameterKind::Phrase);
            if let Some(first) = given.first()
                && (takes_empty || !first.is_empty())
            {
                values.push((parameter.name, read_value(parameter, first, &given)?));
                conditions.extend(parameter.condition.map(|condition| (parameter.name, condition)));
                continue;
            }
            let is_given = |name: &str| pairs.iter().any(|(other, value)| other == name && !value.is_empty());
            match parameter.kind {
                ParameterKind::OldestFirst(_) => {
                    values.push((parameter.name, Value::Order(Order { field: "created_at", descending: false })));
                }
                ParameterKind::Required => return Err(ClerkError::required(parameter.name)),
                ParameterKind::RequiredWithout(other) if !is_given(other) => {
                    return Err(ClerkError::required(parameter.name));
                }
                _ => {}
            }
        }
        Ok(Query { values, conditions, default_limit, distortions })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut values = self.values.iter();
        values.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The values of an array without prefixes; `None` if it was not given.
    pub(crate) fn list(&self, name: &str) -> Option<&[String]> {
        match self.get(name)? {
            Value::List(values) => Some(values),
            _ => None,
        }
    }

    /// The values of an array with prefixes.
    pub(crate) fn include_exclude(&self, name: &str) -> IncludeExclude {
        match self.get(name) {
            Some(Value::IncludeExclude(values)) => {
                IncludeExclude { include: values.include.clone(), exclude: values.exclude.clone() }
            }
            _ => IncludeExclude::default(),
        }
    }

    /// The conditions of the parameters that were given, each with its parameter.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (&'static str, Condition)> {
        self.conditions.iter().copied()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The requested order; without one, the newest objects come first.
    pub(crate) fn order(&self) -> Order {
        match self.get("order_by") {
            Some(Value::Order(order)) => *order,
            _ => Order { field: "created_at", descending: true },
        }
    }

    pub(crate) fn limit(&self) -> usize {
        let limit = self.integer("limit").and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(self.default_limit);
        self.distortions.max_objects.map_or(limit, |max| limit.min(max))
    }

    /// The seed for the order of equal rows, if ties are unstable.
    pub(crate) fn tie_seed(&self) -> Option<u64> {
        self.distortions.tie_seed
    }

    pub(crate) fn offset(&self) -> usize {
        let offset = self.integer("offset").unwrap_or_default();
        usize::try_from(offset).unwrap_or_default()
    }
}

fn read_value(parameter: &Parameter, first: &str, given: &[&str]) -> Result<Value, ClerkError> {
    let name = parameter.name;
    let list = || -> Result<Vec<String>, ClerkError> {
        if given.len() > MAX_VALUES {
            return Err(ClerkError::too_many_values(name, MAX_VALUES));
        }
        Ok(given.iter().map(|value| (*value).to_owned()).collect())
    };
    let integer = || first.parse::<i64>().map_err(|_| ClerkError::wrong_type(name, "integer"));

    Ok(match parameter.kind {
        ParameterKind::List => Value::List(list()?),
        ParameterKind::Phones => Value::List(list()?.iter().map(|value| restore_plus(value)).collect()),
        ParameterKind::IncludeExclude => Value::IncludeExclude(read_prefixes(list()?)),
        ParameterKind::Choices(choices) => {
            let values = list()?;
            let unknown = |value: &String| {
                let value = restore_plus(value);
                !choices.contains(&value.trim_start_matches(['+', '-']))
            };
            if values.iter().any(unknown) {
                return Err(not_one_of(name, choices));
            }
            Value::IncludeExclude(read_prefixes(values))
        }
        ParameterKind::Text | ParameterKind::Required | ParameterKind::RequiredWithout(_) => {
            Value::Text(first.to_owned())
        }
        ParameterKind::Phrase if first.trim().is_empty() => {
            return Err(ClerkError::invalid_value(name, "it is blank"));
        }
        ParameterKind::Phrase => Value::Text(first.to_owned()),
        ParameterKind::Choice(choices) if choices.contains(&first) => Value::Text(first.to_owned()),
        ParameterKind::Choice(choices) => return Err(not_one_of(name, choices)),
        ParameterKind::Integer => Value::Integer(integer()?),
        ParameterKind::Boolean => match first {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(ClerkError::wrong_type(name, "boolean")),
        },
        ParameterKind::Limit(max) => match integer()? {
            limit if limit < 1 => {
                return Err(ClerkError::invalid_value(name, "it has to be 1 or more"));
            }
            limit if limit > max => {
                return Err(ClerkError::too_large(name, max));
            }
            limit => Value::Integer(limit),
        },
        ParameterKind::Offset => match integer()? {
            offset if offset < 0 => {
                return Err(ClerkError::invalid_value(name, "it has to be 0 or more"));
            }
            offset => Value::Integer(offset),
        },
        ParameterKind::OrderBy(fields) | ParameterKind::OldestFirst(fields) => {
            Value::Order(read_order(name, &restore_plus(first), fields)?)
        }
    })
}

/// Values to include, with or without a plus sign, and values to exclude, with a minus sign.
fn read_prefixes(given: Vec<String>) -> IncludeExclude {
    let mut values = IncludeExclude::default();
    for value in given {
        let value = restore_plus(&value);
        match value.strip_prefix('-') {
            Some(excluded) => values.exclude.push(excluded.to_owned()),
            None => values.include.push(value.strip_prefix('+').unwrap_or(&value).to_owned()),
        }
    }
    values
}

fn not_one_of(name: &str, choices: &[&str]) -> ClerkError {
    ClerkError::invalid_value(name, &format!("it is not one of {}", choices.join(", ")))
}

/// Replaces a leading space, which was a plus sign that the client did not encode.
fn restore_plus(value: &str) -> String {
    match value.strip_prefix(' ') {
        Some(rest) => format!("+{rest}"),
        None => value.to_owned(),
    }
}

fn read_order(name: &str, value: &str, fields: &[&'static str]) -> Result<Order, ClerkError> {
    let (descending, wanted) = match value.strip_prefix('-') {
        Some(field) => (true, field),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    let mut known = fields.iter();
    let field = known.find(|field| **field == wanted).ok_or_else(|| not_one_of(name, fields))?;
    Ok(Order { field, descending })
}
