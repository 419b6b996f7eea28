//! Builds the query for Clerk from conditions whose values are known.

use std::collections::HashSet;

use super::{Classified, Condition, Operator, Pushdown};
use crate::catalog::{Column, Filter, FilterOp, KeyColumn, Object};
use crate::pushdown::like::literal_part;
use crate::query::{Filters, OrderBy, Query, fit_one_request, fits};
use crate::time_range::TimeRange;

/// A condition's values at run time.
#[derive(Debug, Clone, PartialEq)]
pub enum BoundCondition {
    /// The column must equal one of these texts. NULLs are left out.
    Texts(Vec<String>),
    /// The time must be in this range.
    Times(TimeRange),
    /// The boolean must have this value.
    Flag(bool),
    /// No row can satisfy it.
    Never,
    /// The values are not known yet. In the description of a request, this text is shown in their place.
    Placeholder(String),
    /// Another condition already includes this one.
    Redundant,
}

impl Classified {
    /// Builds the query; `None` if no row can satisfy the conditions. `bound` has one entry for each condition.
    ///
    /// With `is_count`, the query only counts the objects, for which [`Self::is_countable`] must hold.
    pub fn bind(&self, bound: &[BoundCondition], order: Option<OrderBy>, is_count: bool) -> Option<Query> {
        let bound = intersect_equalities(&self.conditions, bound)?;
        let mut parts = Parts::default();
        for ((condition, pushdown), bound) in self.iter().zip(&bound) {
            let Some(pushdown) = pushdown else { continue };
            let is_possible = match pushdown {
                Pushdown::Key(key) => parts.add_key(self.object, key, self.has_one_value(key.column), bound),
                Pushdown::KeyFilter { filter, .. } if matches!(filter.op, FilterOp::Equal { .. }) => {
                    parts.add_key_filter(filter.parameter, bound)
                }
                Pushdown::KeyFilter { filter, .. } | Pushdown::Filter(filter) => {
                    parts.add_filter(condition, filter, bound, is_count)
                }
            };
            if !is_possible {
                return None;
            }
        }
        parts.add_times()?;
        Some(parts.query(self.object, order, is_count))
    }

    /// Whether the conditions leave one value of a column at most.
    fn has_one_value(&self, column: &str) -> bool {
        let is_single = |condition: &Condition| {
            condition.column.name == column && condition.operator == Operator::Equal && condition.has_one_value
        };
        self.conditions.iter().any(is_single)
    }
}

/// The parts of a query, to which one condition after the other is added.
#[derive(Default)]
struct Parts {
    filters: Filters,
    key: Option<(&'static KeyColumn, Vec<String>)>,
    /// A parameter with more values than fit into one request.
    batches: Option<(&'static str, Vec<String>)>,
    times: Vec<(&'static Column, TimeRange)>,
}

impl Parts {
    /// Adds a condition on a key column. Returns false if no object can have any of its values.
    fn add_key(
        &mut self,
        object: &Object,
        key: &'static KeyColumn,
        has_one_value: bool,
        bound: &BoundCondition,
    ) -> bool {
        let has_prefix = object
            .column(key.column, true)
            .is_some_and(|column| column.filter(|op| op == FilterOp::Equal { has_prefix: true }).is_some());
        let values = match bound {
            BoundCondition::Texts(values) => values,
            // Two values where there may be several, because several values can lead to another request than one value.
            BoundCondition::Placeholder(text) => &vec![text.clone(); if has_one_value { 1 } else { 2 }],
            _ => return true,
        };
        let can_exist = |value: &&String| fits(value) && !(has_prefix && cannot_be_clerk_id(value));
        let values: Vec<_> = values.iter().filter(can_exist).cloned().collect();
        let is_possible = !values.is_empty();
        if is_possible {
            self.key = Some((key, values));
        }
        is_possible
    }

    fn add_key_filter(&mut self, parameter: &'static str, bound: &BoundCondition) -> bool {
        let values = match bound {
            BoundCondition::Texts(values) => values,
            BoundCondition::Placeholder(text) => &vec![text.clone()],
            _ => return true,
        };
        // Values that are too long for a URL are left out, because no object has such an id or role.
        let can_exist = |value: &&String| fits(value) && !cannot_be_clerk_id(value);
        let values: Vec<_> = values.iter().filter(can_exist).cloned().collect();
        if values.is_empty() {
            return false;
        }
        if fit_one_request(&values) {
            self.filters.extend(values.into_iter().map(|value| (parameter, value)));
        }
        true
    }

    /// Adds a condition that a parameter can evaluate. Returns false if no object can satisfy it together with the
    /// others.
    fn add_filter(
        &mut self,
        condition: &Condition,
        filter: &'static Filter,
        bound: &BoundCondition,
        is_count: bool,
    ) -> bool {
        match bound {
            BoundCondition::Texts(values) => {
                // A count has no objects that Postgres could check. It has exact filters only, of ids and of Clerk's own
                // values, and no object has one that is empty, too long for a URL or not taken.
                let can_exist = |value: &String| !value.is_empty() && fits(value) && filter.op.takes(value);
                if is_count && !values.iter().all(can_exist) {
                    return false;
                }
                self.add_texts(condition, filter, values);
            }
            BoundCondition::Times(range) => self.times.push((condition.column, *range)),
            BoundCondition::Flag(value) => {
                let value = value.to_string();
                match self.filters.iter().find(|(name, _)| *name == filter.parameter) {
                    Some((_, other)) if *other != value => return false,
                    Some(_) => {}
                    None => self.filters.push((filter.parameter, value)),
                }
            }
            BoundCondition::Placeholder(text) => {
                // `=` on a time uses the parameters for both bounds.
                let serving = condition.column.filters.iter().filter(|other| {
                    let is_bound = matches!(other.op, FilterOp::After | FilterOp::Before { .. });
                    other.parameter == filter.parameter || (condition.operator == Operator::Equal && is_bound)
                });
                self.filters.extend(serving.map(|filter| (filter.parameter, text.clone())));
            }
            BoundCondition::Never | BoundCondition::Redundant => {}
        }
        true
    }

    fn add_texts(&mut self, condition: &Condition, filter: &'static Filter, values: &[String]) {
        // If a value is too long for a URL, the condition is left to Postgres. An empty value is sent like any other:
        // Clerk may find no user, or ignore the filter and return all users, whom Postgres then filters out. No count
        // depends on this, because such filters are not exact.
        if !values.iter().all(|value| fits(value)) {
            return;
        }
        match filter.op {
            FilterOp::Equal { has_prefix } => {
                let escaped = |value: &String| if has_prefix { escape_include_prefix(value) } else { value.clone() };
                let values: Vec<_> = values.iter().map(escaped).collect();
                if fit_one_request(&values) {
                    self.filters.extend(values.into_iter().map(|value| (filter.parameter, value)));
                } else if self.batches.is_none() {
                    self.batches = Some((filter.parameter, values));
                }
            }
            // Clerk refuses a value that the filter does not take. Postgres finds the objects that have it, if any do.
            FilterOp::One { .. } => {
                if let [value] = values
                    && filter.op.takes(value)
                {
                    self.filters.push((filter.parameter, value.clone()));
                }
            }
            FilterOp::Contains => {
                let ignores_case = condition.operator == Operator::ILike;
                let part = values.first().and_then(|pattern| literal_part(pattern, ignores_case));
                self.filters.extend(part.map(|part| (filter.parameter, part)));
            }
            _ => {}
        }
    }

    /// Adds the parameters for each time column, with the intersection of all of its ranges. `None` if one is empty.
    fn add_times(&mut self) -> Option<()> {
        let mut ranges: Vec<(&'static Column, TimeRange)> = Vec::new();
        for (column, range) in std::mem::take(&mut self.times) {
            match ranges.iter_mut().find(|(other, _)| other.name == column.name) {
                Some((_, other)) => *other = other.intersect(range),
                None => ranges.push((column, range)),
            }
        }
        for (column, range) in ranges {
            if range.is_empty() {
                return None;
            }
            // The bounds may be negative, for times before 1970. Clerk's description allows that, and users can be
            // imported with such times.
            for filter in column.filters {
                let bound = match filter.op {
                    FilterOp::After => range.first.map(|first| first.saturating_sub(1)),
                    FilterOp::Before { within } => range.last.map(|last| last.saturating_add(1).saturating_add(within)),
                    _ => None,
                };
                self.filters.extend(bound.map(|bound| (filter.parameter, bound.to_string())));
            }
        }
        Some(())
    }

    fn query(self, object: &Object, order: Option<OrderBy>, is_count: bool) -> Query {
        let filters = self.filters;
        if let Some((key, values)) = self.key {
            if let (true, [value]) = (is_count, &values[..]) {
                return Query::Count { parent: Some((key, value.clone())), filters };
            }
            if key.is_single() && values.len() > 1 {
                let column = object.column(key.column, true);
                let by_value = column.and_then(|column| column.filter(|op| matches!(op, FilterOp::Equal { .. })));
                if let Some(Filter { parameter, .. }) = by_value {
                    return Query::Batches { parameter, values, filters: Vec::new() };
                }
            }
            return Query::Lookup { key, values, filters, order };
        }
        match self.batches {
            _ if is_count => Query::Count { parent: None, filters },
            Some((parameter, values)) => Query::Batches { parameter, values, filters },
            None => Query::List { filters, order },
        }
    }
}

/// Whether a value cannot be an id or a role of Clerk's. These are not empty, and do not begin with a sign or a space.
/// Clerk could read such a value as another id or as no value, so it must not be sent.
fn cannot_be_clerk_id(value: &str) -> bool {
    value.is_empty() || value.starts_with(['+', '-', ' '])
}

/// Escapes a value for a parameter in which Clerk reads a `+` or `-` as a prefix that includes or excludes the value,
/// and a space as a `+` that was not encoded. With one more `+` in front, the value is taken literally.
fn escape_include_prefix(value: &str) -> String {
    match value.starts_with(['+', '-', ' ']) {
        true => format!("+{value}"),
        false => value.to_owned(),
    }
}

/// Combines several equalities on one column: the first of them gets the values that all of them allow, without
/// duplicates, and the others become redundant. `None` if no value is left.
fn intersect_equalities(conditions: &[Condition], bound: &[BoundCondition]) -> Option<Vec<BoundCondition>> {
    let mut combined: Vec<BoundCondition> = Vec::new();
    for (index, bound) in bound.iter().enumerate() {
        let condition = &conditions[index];
        let is_same = |other: &usize| {
            conditions[*other].column.name == condition.column.name && conditions[*other].operator == Operator::Equal
        };
        let texts = match bound {
            BoundCondition::Never => return None,
            BoundCondition::Texts(texts) if condition.operator == Operator::Equal => texts,
            BoundCondition::Placeholder(_)
                if condition.operator == Operator::Equal && (0..index).any(|i| is_same(&i)) =>
            {
                combined.push(BoundCondition::Redundant);
                continue;
            }
            other => {
                combined.push(other.clone());
                continue;
            }
        };
        let mut seen = HashSet::new();
        let mut texts: Vec<String> = texts.iter().filter(|text| seen.insert(text.as_str())).cloned().collect();
        match (0..index).find(is_same).map(|first| &mut combined[first]) {
            Some(BoundCondition::Texts(others)) => {
                others.retain(|other| seen.contains(other.as_str()));
                texts.clone_from(others);
                combined.push(BoundCondition::Redundant);
            }
            _ => combined.push(BoundCondition::Texts(texts.clone())),
        }
        if texts.is_empty() {
            return None;
        }
    }
    Some(combined)
}
