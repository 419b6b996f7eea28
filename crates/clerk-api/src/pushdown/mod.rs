//! Which conditions of a query Clerk can evaluate, by which endpoint and with which parameters.
//!
//! Postgres checks every condition again, so pushdown only decides how many objects are read. But a LIMIT or a count
//! can be pushed down only if Clerk evaluates all conditions exactly.
//!
//! [`Classified`] decides how each condition is pushed down, before its values are known. Once they are,
//! [`Classified::bind`] builds the [`crate::Query`].

mod bind;
mod like;
mod time;

pub use bind::BoundCondition;
pub use time::{TimeValue, compare};

use crate::catalog::{Column, Filter, FilterOp, KeyColumn, MAX_VALUES, Object};

/// A condition of a query on one column of an object.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    pub column: &'static Column,
    pub operator: Operator,
    /// Whether the column is compared with one value. Several values, as in `IN`, may need several requests.
    pub has_one_value: bool,
}

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Operator {
    Equal,
    AtLeast,
    Above,
    AtMost,
    Below,
    Like,
    ILike,
    /// A boolean column, used as a condition itself, which must have this value.
    Is(bool),
}

/// How a condition is pushed down.
#[derive(Debug, Clone, Copy)]
pub enum Pushdown {
    /// Its values become part of an endpoint's path or query.
    Key(&'static KeyColumn),
    /// Its values become a parameter of the object's list.
    Filter(&'static Filter),
    /// Its values become a parameter of the key column's list. If they do not fit into one request, the condition is
    /// left to Postgres.
    KeyFilter { filter: &'static Filter, has_one_value: bool },
}

impl Pushdown {
    /// Whether Clerk finds exactly the objects that satisfy the condition.
    pub fn is_exact(&self) -> bool {
        match self {
            Pushdown::Key(_) => true,
            Pushdown::KeyFilter { filter, has_one_value } => filter.is_exact && *has_one_value,
            Pushdown::Filter(filter) => filter.is_exact,
        }
    }
}

/// The conditions of a query on one object, and how each of them is pushed down.
#[derive(Debug, Clone)]
pub struct Classified {
    object: &'static Object,
    conditions: Vec<Condition>,
    pushdowns: Vec<Option<Pushdown>>,
}

impl Classified {
    pub fn new(object: &'static Object, conditions: Vec<Condition>) -> Self {
        let pushdowns = classify(object, &conditions);
        Classified { object, conditions, pushdowns }
    }

    /// Each condition with how it is pushed down; `None` where it is left to Postgres.
    pub fn iter(&self) -> impl Iterator<Item = (&Condition, Option<Pushdown>)> {
        self.conditions.iter().zip(self.pushdowns.iter().copied())
    }

    /// How the conditions are pushed down, without those that are left to Postgres.
    pub fn pushdowns(&self) -> impl Iterator<Item = Pushdown> {
        self.pushdowns.iter().copied().flatten()
    }

    /// Whether Clerk evaluates every condition exactly.
    pub fn is_exact(&self) -> bool {
        self.iter().all(|(condition, pushdown)| match pushdown {
            // Several values are left to Postgres.
            Some(Pushdown::Filter(Filter { op: FilterOp::One { .. }, is_exact, .. })) => {
                *is_exact && condition.has_one_value
            }
            pushdown => pushdown.is_some_and(|pushdown| pushdown.is_exact()),
        })
    }

    /// How many values of the last condition one request can take, if Clerk finds the objects that have one of several
    /// values; else `None`.
    pub fn values_per_request(&self) -> Option<usize> {
        let (condition, pushdown) = self.iter().last()?;
        let takes_many = |op: FilterOp| matches!(op, FilterOp::Equal { .. });
        match pushdown? {
            _ if condition.operator != Operator::Equal => None,
            Pushdown::Key(key) => match key.is_single() && condition.column.filter(takes_many).is_some() {
                true => Some(MAX_VALUES),
                false => Some(1),
            },
            Pushdown::Filter(filter) | Pushdown::KeyFilter { filter, .. } => {
                takes_many(filter.op).then_some(MAX_VALUES)
            }
        }
    }

    /// Whether there is a list or an endpoint to ask: the object has a list, or a condition names a parent.
    fn is_readable(&self) -> bool {
        self.object.list.is_some() || self.pushdowns().any(|pushdown| matches!(pushdown, Pushdown::Key(_)))
    }

    /// Whether the query reads a list in two parts: see [`crate::catalog::List::apart`]. A condition that names one part
    /// reads that part alone.
    pub fn is_in_parts(&self) -> bool {
        let apart = self.object.list.and_then(|list| list.apart);
        let names_part = |pushdown: Pushdown| match pushdown {
            Pushdown::Filter(filter) => apart.is_some_and(|(parameter, _)| filter.parameter == parameter),
            Pushdown::Key(_) => true,
            Pushdown::KeyFilter { .. } => false,
        };
        apart.is_some() && !self.pushdowns().any(names_part)
    }

    /// Whether the query reads exactly one list, and Clerk can sort it.
    pub fn is_one_sorted_list(&self) -> bool {
        self.is_readable()
            && !self.is_in_parts()
            && self.iter().all(|(condition, pushdown)| match pushdown {
                Some(Pushdown::Key(key)) => condition.has_one_value && key.is_sortable,
                Some(Pushdown::Filter(_)) if condition.operator == Operator::Equal => condition.has_one_value,
                _ => true,
            })
    }

    /// Whether Clerk can count the objects with one request, in the instance's list or below one parent.
    pub fn is_countable(&self) -> bool {
        let key = self.pushdowns().find_map(|pushdown| match pushdown {
            Pushdown::Key(key) => Some(key),
            _ => None,
        });
        // Where the rows are elements of the listed objects, the total is that of the listed objects.
        self.object.elements.is_none()
            && key.map(|key| key.list).or(self.object.list).is_some_and(|list| list.is_countable())
            && self.conditions.iter().all(|condition| condition.has_one_value)
    }

    /// The columns of which the query must compare one with a value, because the object can only be listed below a
    /// parent. Empty if the query does so, or if the object has a list of its own.
    pub fn missing_keys(&self) -> Vec<&'static str> {
        match self.is_readable() {
            true => Vec::new(),
            // The columns of lists come first, because who has no id looks for a parent.
            false => {
                let (single, lists): (Vec<&KeyColumn>, Vec<&KeyColumn>) =
                    self.object.key_columns.iter().partition(|key| key.is_single());
                lists.into_iter().chain(single).map(|key| key.column).collect()
            }
        }
    }
}

fn classify(object: &'static Object, conditions: &[Condition]) -> Vec<Option<Pushdown>> {
    let has_condition = |key: &&KeyColumn| conditions.iter().any(|condition| is_key(condition, key));
    if let Some(key) = object.key_columns.iter().find(has_condition) {
        return conditions.iter().map(|condition| beside_key(condition, key)).collect();
    }
    let mut pushdowns: Vec<Option<Pushdown>> = Vec::new();
    for condition in conditions {
        let filter = filter(condition.column, condition.operator);
        // A parameter that takes only one text cannot be used for two conditions.
        let is_used = |filter: &Filter| {
            let is_same =
                |other: &Pushdown| matches!(other, Pushdown::Filter(other) if other.parameter == filter.parameter);
            matches!(filter.op, FilterOp::Contains | FilterOp::One { .. }) && pushdowns.iter().flatten().any(is_same)
        };
        pushdowns.push(filter.filter(|filter| !is_used(filter)).map(Pushdown::Filter));
    }
    pushdowns
}

/// How a condition is pushed down if a condition on `key` determines the endpoint.
fn beside_key(condition: &Condition, key: &'static KeyColumn) -> Option<Pushdown> {
    if is_key(condition, key) {
        return Some(Pushdown::Key(key));
    }
    let filters: &'static [(&str, Filter)] = key.filters;
    let mut filters = filters.iter().filter(|(column, _)| *column == condition.column.name).map(|(_, filter)| filter);
    let filter = filters.find(|filter| evaluates(filter.op, condition.operator))?;
    Some(Pushdown::KeyFilter { filter, has_one_value: condition.has_one_value })
}

fn is_key(condition: &Condition, key: &KeyColumn) -> bool {
    condition.operator == Operator::Equal && condition.column.name == key.column
}

/// The filter of the object's list that can evaluate an operator on a column.
fn filter(column: &'static Column, operator: Operator) -> Option<&'static Filter> {
    column.filter(|op| evaluates(op, operator))
}

fn evaluates(op: FilterOp, operator: Operator) -> bool {
    match op {
        FilterOp::Equal { .. } | FilterOp::One { .. } => operator == Operator::Equal,
        // `=` on a time sends both bounds. It is classified by the lower one.
        FilterOp::After => matches!(operator, Operator::AtLeast | Operator::Above | Operator::Equal),
        FilterOp::Before { .. } => matches!(operator, Operator::AtMost | Operator::Below),
        FilterOp::Contains => matches!(operator, Operator::Like | Operator::ILike),
        FilterOp::Is => matches!(operator, Operator::Is(_) | Operator::Equal),
    }
}

#[cfg(test)]
mod tests;
