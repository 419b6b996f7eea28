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

use crate::catalog::{Column, Filter, FilterOp, KeyColumn, Lookup, Object};

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
    /// Its values become part of an endpoint's path.
    Key(&'static KeyColumn),
    /// Its values become a parameter of the object's list.
    Filter(&'static Filter),
    /// Its values become a parameter of the key column's list. If they do not fit into one request, the condition is
    /// left to Postgres.
    KeyFilter { parameter: &'static str, has_one_value: bool },
}

impl Pushdown {
    /// Whether Clerk finds exactly the objects that satisfy the condition.
    pub fn is_exact(&self) -> bool {
        match self {
            Pushdown::Key(_) => true,
            Pushdown::KeyFilter { has_one_value, .. } => *has_one_value,
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
        self.pushdowns.iter().all(|pushdown| pushdown.is_some_and(|pushdown| pushdown.is_exact()))
    }

    /// Whether there is a list or an endpoint to ask: the object has a list, or a condition names a parent.
    fn is_readable(&self) -> bool {
        self.object.list.is_some() || self.pushdowns().any(|pushdown| matches!(pushdown, Pushdown::Key(_)))
    }

    /// Whether the query reads exactly one list, and Clerk can sort it.
    pub fn is_one_sorted_list(&self) -> bool {
        self.is_readable()
            && self.iter().all(|(condition, pushdown)| match pushdown {
                Some(Pushdown::Key(key)) => {
                    condition.has_one_value && matches!(key.lookup, Lookup::List { is_sortable: true, .. })
                }
                Some(Pushdown::Filter(_)) if condition.operator == Operator::Equal => condition.has_one_value,
                _ => true,
            })
    }

    /// Whether Clerk can count the objects with one request, in the instance's list or below one parent.
    pub fn is_countable(&self) -> bool {
        let gets_one = |pushdown| matches!(pushdown, Pushdown::Key(key) if key.lookup == Lookup::Get);
        self.is_readable()
            && self.conditions.iter().all(|condition| condition.has_one_value)
            && !self.pushdowns().any(gets_one)
    }

    /// The columns of which the query must compare one with a value, because the object can only be listed below a
    /// parent. Empty if the query does so, or if the object has a list of its own.
    pub fn missing_keys(&self) -> Vec<&'static str> {
        match self.is_readable() {
            true => Vec::new(),
            false => self.object.key_columns.iter().map(|key| key.column).collect(),
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
            filter.op == FilterOp::Contains && pushdowns.iter().flatten().any(is_same)
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
    let (_, parameter) = key.filters.iter().find(|(column, _)| *column == condition.column.name)?;
    let has_one_value = condition.has_one_value;
    (condition.operator == Operator::Equal).then_some(Pushdown::KeyFilter { parameter, has_one_value })
}

fn is_key(condition: &Condition, key: &KeyColumn) -> bool {
    condition.operator == Operator::Equal && condition.column.name == key.column
}

/// The filter of the object's list that can evaluate an operator on a column.
fn filter(column: &'static Column, operator: Operator) -> Option<&'static Filter> {
    column.filter(|op| match op {
        FilterOp::Equal { .. } => operator == Operator::Equal,
        // `=` on a time sends both bounds. It is classified by the lower one.
        FilterOp::After => matches!(operator, Operator::AtLeast | Operator::Above | Operator::Equal),
        FilterOp::Before { .. } => matches!(operator, Operator::AtMost | Operator::Below),
        FilterOp::Contains => matches!(operator, Operator::Like | Operator::ILike),
        FilterOp::Is => matches!(operator, Operator::Is(_) | Operator::Equal),
    })
}

#[cfg(test)]
mod tests;
