//! What of a query Clerk can answer: which endpoint, with which parameters, in which order.
//!
//! Postgres checks every condition again, so what is found here only decides how much is read. What Clerk evaluates
//! exactly is worth more: a limit and a count can trust it.

use clerk_api::object::{Answer, Column, Filter, Key, Object, Test};
use clerk_api::{Filters, From, Ordered, fit_one_request, fits};

use crate::condition::{Condition, Operator};

/// The values of a condition when the query runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// Any of these; NULLs are left out.
    Texts(Vec<String>),
    /// The moments from the first to the last, both included, in Unix milliseconds.
    Moments {
        first: Option<i64>,
        last: Option<i64>,
    },
    Flag(bool),
    /// No row can satisfy it.
    Never,
    /// Nothing that another condition does not say.
    Nothing,
}

/// How Clerk serves one condition.
#[derive(Debug, Clone, Copy)]
pub enum Service {
    /// Its values choose the endpoint.
    Key(&'static Key),
    /// A parameter of the object's list.
    Filter(&'static Filter),
    /// A parameter of the key's list; more values than one request can carry are left to Postgres.
    KeyFilter { parameter: &'static str, has_one_value: bool },
}

impl Service {
    /// Whether Clerk finds just what the condition means.
    pub fn is_exact(&self) -> bool {
        match self {
            Service::Key(_) => true,
            Service::KeyFilter { has_one_value, .. } => *has_one_value,
            Service::Filter(filter) => filter.exact,
        }
    }
}

/// Which conditions Clerk serves and how; none of those that stay with Postgres alone.
pub fn services(object: &'static Object, conditions: &[Condition]) -> Vec<Option<Service>> {
    let keyed = |key: &&Key| conditions.iter().any(|condition| is_key(condition, key));
    if let Some(key) = object.keys.iter().find(keyed) {
        return conditions
            .iter()
            .map(|condition| {
                let parameter = || key.filters.iter().find(|(column, _)| *column == condition.column);
                match condition.operator {
                    _ if is_key(condition, key) => Some(Service::Key(key)),
                    Operator::Equal => parameter().map(|(_, parameter)| Service::KeyFilter {
                        parameter,
                        has_one_value: condition.has_one_value(),
                    }),
                    _ => None,
                }
            })
            .collect();
    }
    let mut services: Vec<Option<Service>> = Vec::new();
    for condition in conditions {
        let column = object.column(&condition.column, true);
        let filter = column.and_then(|column| filter(column, condition.operator));
        // A parameter that takes one text cannot serve two conditions.
        let is_taken = |filter: &Filter| {
            filter.test == Test::Contains
                && services
                    .iter()
                    .any(|other| matches!(other, Some(Service::Filter(other)) if other.parameter == filter.parameter))
        };
        services.push(filter.filter(|filter| !is_taken(filter)).map(Service::Filter));
    }
    services
}

fn is_key(condition: &Condition, key: &Key) -> bool {
    condition.operator == Operator::Equal && condition.column == key.column
}

/// The filter of the object's list that serves an operator on a column.
fn filter(column: &'static Column, operator: Operator) -> Option<&'static Filter> {
    column.filter(|test| match test {
        Test::Equal { .. } => operator == Operator::Equal,
        // Both bounds of a moment are given where it is equal.
        Test::After => matches!(operator, Operator::AtLeast | Operator::Above | Operator::Equal),
        Test::Before { .. } => matches!(operator, Operator::AtMost | Operator::Below),
        Test::Contains => matches!(operator, Operator::Like | Operator::ILike),
        Test::Is => matches!(operator, Operator::Is(_) | Operator::Equal),
    })
}

/// What to read, given the values of all conditions; `None` if no row can come of it.
pub fn read(
    object: &'static Object,
    conditions: &[Condition],
    known: &[Known],
    order: Option<Ordered>,
    count: bool,
) -> Option<From> {
    let known = together(conditions, known)?;
    let mut filters = Filters::new();
    let mut keys: Option<(&'static Key, Vec<String>)> = None;
    let mut many: Option<(&'static str, Vec<String>)> = None;
    for ((condition, service), known) in conditions.iter().zip(services(object, conditions)).zip(&known) {
        let Some(service) = service else { continue };
        match (service, known) {
            // No object has an id or a role that no URL can carry.
            (Service::Key(_) | Service::KeyFilter { .. }, Known::Texts(values)) => {
                let is_signed = match service {
                    Service::Key(key) => has_signs(object, key.column),
                    _ => true,
                };
                let is_somebodys = |value: &&String| fits(value) && !(is_signed && is_nobodys(value));
                let values: Vec<_> = values.iter().filter(is_somebodys).cloned().collect();
                match service {
                    _ if values.is_empty() => return None,
                    Service::Key(key) => keys = Some((key, values)),
                    Service::KeyFilter { parameter, .. } if fit_one_request(&values) => {
                        filters.extend(values.into_iter().map(|value| (parameter, value)));
                    }
                    _ => {}
                }
            }
            // Other values may be as long as they like; Clerk cannot be asked for them. An empty one is asked for like
            // any other: Clerk finds nobody by it, or takes it for no condition and finds everybody, whom Postgres
            // leaves out. No count relies on it, since these conditions only narrow.
            (Service::Filter(_), Known::Texts(values)) if !values.iter().all(|value| fits(value)) => {}
            (Service::Filter(filter), Known::Texts(values)) => match filter.test {
                Test::Equal { signed: has_sign } => {
                    let values = values.iter().map(|value| if has_sign { signed(value) } else { value.clone() });
                    let values: Vec<_> = values.collect();
                    if fit_one_request(&values) {
                        filters.extend(values.into_iter().map(|value| (filter.parameter, value)));
                    } else if many.is_none() {
                        many = Some((filter.parameter, values));
                    }
                }
                Test::Contains => {
                    let ignores_case = condition.operator == Operator::ILike;
                    let part = values.first().and_then(|pattern| literal_part(pattern, ignores_case));
                    filters.extend(part.map(|part| (filter.parameter, part)));
                }
                _ => {}
            },
            // Times before 1970 are negative, which Clerk's description allows; users are imported with old times.
            (Service::Filter(_), Known::Moments { first, last }) => {
                let column = object.column(&condition.column, true)?;
                for filter in column.filters {
                    match filter.test {
                        Test::After => {
                            filters.extend(first.map(|first| (filter.parameter, first.saturating_sub(1).to_string())));
                        }
                        Test::Before { within } => {
                            let before = last.map(|last| last.saturating_add(1).saturating_add(within));
                            filters.extend(before.map(|before| (filter.parameter, before.to_string())));
                        }
                        _ => {}
                    }
                }
            }
            (Service::Filter(filter), Known::Flag(value)) => {
                let value = value.to_string();
                match filters.iter().find(|(name, _)| *name == filter.parameter) {
                    Some((_, other)) if *other != value => return None,
                    Some(_) => {}
                    None => filters.push((filter.parameter, value)),
                }
            }
            _ => {}
        }
    }
    if one_bound_each(&mut filters) {
        return None;
    }
    if let Some((key, values)) = keys {
        if let (true, [value]) = (count, &values[..]) {
            return Some(From::Count { below: Some((key, value.clone())), filters });
        }
        if key.answer == Answer::One && values.len() > 1 {
            let column = object.column(key.column, true)?;
            if let Some(Filter { parameter, .. }) = column.filter(|test| matches!(test, Test::Equal { .. })) {
                return Some(From::Batches { parameter, values, filters: Vec::new() });
            }
        }
        return Some(From::Keys { key, values, filters, order });
    }
    if count {
        return Some(From::Count { below: None, filters });
    }
    Some(match many {
        Some((parameter, values)) => From::Batches { parameter, values, filters },
        None => From::List { filters, order },
    })
}

/// Several bounds on one time become the narrower one; true if they leave nothing.
fn one_bound_each(filters: &mut Filters) -> bool {
    let mut kept = Filters::new();
    for (name, value) in filters.drain(..) {
        let Some((_, other)) = kept.iter_mut().find(|(other, _)| *other == name) else {
            kept.push((name, value));
            continue;
        };
        match (name.ends_with("_after"), name.ends_with("_before"), other.parse::<i64>(), value.parse::<i64>()) {
            (true, _, Ok(a), Ok(b)) => *other = a.max(b).to_string(),
            (_, true, Ok(a), Ok(b)) => *other = a.min(b).to_string(),
            _ => kept.push((name, value)),
        }
    }
    let bound = |name: String| kept.iter().find(|(other, _)| **other == name)?.1.parse::<i64>().ok();
    let is_empty = kept.iter().filter_map(|(name, _)| name.strip_suffix("_after")).any(|name| {
        let bounds = bound(format!("{name}_after")).zip(bound(format!("{name}_before")));
        bounds.is_some_and(|(after, before)| after.saturating_add(1) >= before)
    });
    *filters = kept;
    is_empty
}

/// Whether a parameter takes the column's values with signs.
fn has_signs(object: &'static Object, column: &str) -> bool {
    let filter =
        object.column(column, true).and_then(|column| column.filter(|test| test == Test::Equal { signed: true }));
    filter.is_some()
}

/// No id and no role begins with a sign or a space, or is empty. Clerk could take such a value for another id, or for no value.
fn is_nobodys(value: &str) -> bool {
    value.is_empty() || value.starts_with(['+', '-', ' '])
}

/// Clerk takes a `+` or `-` before a value for a sign, and a space for a `+` that was not encoded.
fn signed(value: &str) -> String {
    match value.starts_with(['+', '-', ' ']) {
        true => format!("+{value}"),
        false => value.to_owned(),
    }
}

/// What several conditions on one column say together: its values are those that all of them allow, each once, and
/// stand in the place of the first. `None` if there are none.
fn together(conditions: &[Condition], known: &[Known]) -> Option<Vec<Known>> {
    let mut together: Vec<Known> = Vec::new();
    for (index, known) in known.iter().enumerate() {
        let mut texts = match known {
            Known::Never => return None,
            Known::Texts(texts) if conditions[index].operator == Operator::Equal => texts.clone(),
            other => {
                together.push(other.clone());
                continue;
            }
        };
        let is_same = |other: &usize| {
            conditions[*other].column == conditions[index].column && conditions[*other].operator == Operator::Equal
        };
        if let Some(first) = (0..index).find(is_same)
            && let Known::Texts(others) = &mut together[first]
        {
            others.retain(|other| texts.contains(other));
            texts = others.clone();
        }
        let mut seen = std::collections::HashSet::new();
        texts.retain(|text| seen.insert(text.clone()));
        if texts.is_empty() {
            return None;
        }
        together.push(Known::Texts(texts));
    }
    // What was taken together is said once.
    for index in 1..together.len() {
        let is_same = |other: &usize| {
            conditions[*other].column == conditions[index].column
                && conditions[*other].operator == Operator::Equal
                && matches!(together[*other], Known::Texts(_))
        };
        if conditions[index].operator == Operator::Equal && (0..index).any(|other| is_same(&other)) {
            together[index] = Known::Nothing;
        }
    }
    Some(together)
}

/// The longest text that everything has in it that matches a LIKE pattern. Where case does not matter, only ASCII is
/// sure to be folded alike by Clerk and by the database. What a capital sigma is folded to depends on what follows it.
/// Spaces on either side may not be there at Clerk, which compares with first and last name at once.
fn literal_part(pattern: &str, ignores_case: bool) -> Option<String> {
    let mut parts = vec![String::new()];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '%' | '_' => None,
            // Postgres refuses a pattern that ends so.
            '\\' => Some(characters.next()?),
            other => Some(other),
        };
        let is_sure = |literal: &char| literal.is_ascii() || !ignores_case && *literal != 'Σ';
        match (literal.filter(is_sure), parts.last_mut()) {
            (Some(literal), Some(part)) => part.push(literal),
            _ => parts.push(String::new()),
        }
    }
    let parts = parts.iter().map(|part| part.trim());
    parts.max_by_key(|part| part.len()).filter(|part| !part.is_empty()).map(str::to_owned)
}
