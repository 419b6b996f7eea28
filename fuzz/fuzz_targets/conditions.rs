//! The query that conditions become never leaves out a row that satisfies them, and a count counts exactly these rows.
//!
//! Clerk is played by [`Clerk::returns`], which knows what each parameter means.
#![no_main]

use clerk_api::catalog::{Column, Filter, FilterOp, Kind, OBJECTS, Object};
use clerk_api::pushdown::{BoundCondition, Classified, Condition, Operator, TimeValue, compare};
use clerk_api::{Filters, Query, batches, fits};
use clerk_fuzz::{contains, like, lower};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

const DAY: i64 = 86_400_000;

/// A row's value in one column.
#[derive(Debug, Clone)]
enum Value {
    Text(String),
    /// In Unix milliseconds, between the years 1 and 9999, and by how much the time that Clerk compares is later.
    Time(i64, i64),
    Flag(bool),
}

/// A condition with what it compares.
#[derive(Debug)]
struct Compared {
    condition: Condition,
    texts: Vec<String>,
    time: TimeValue,
    flag: bool,
}

fuzz_target!(|data: &[u8]| {
    let _ = run(&mut Unstructured::new(data));
});

fn run(input: &mut Unstructured) -> Result<()> {
    let object = *input.choose(OBJECTS)?;
    let columns: &'static [Column] = object.columns;
    let row = columns.iter().map(|column| value(object, column, input)).collect::<Result<Vec<_>>>()?;
    let mut compared = Vec::new();
    for _ in 0..input.int_in_range(1..=4)? {
        let index = input.choose_index(columns.len())?;
        compared.extend(condition(&columns[index], row[index].as_ref(), input)?);
    }
    let classified = Classified::new(object, compared.iter().map(|compared| compared.condition).collect());
    let bound: Vec<_> = compared.iter().map(Compared::bound).collect();
    let satisfies = compared.iter().all(|compared| {
        let index = columns.iter().position(|column| column.name == compared.condition.column.name);
        index.and_then(|index| row[index].as_ref()).is_some_and(|value| compared.holds(value))
    });
    let clerk = Clerk { object, row: &row };
    if classified.missing_keys().is_empty() {
        let returns = classified.bind(&bound, None, false).is_some_and(|query| clerk.returns(&query));
        assert!(returns || !satisfies, "{compared:#?} leave {row:?} of {} out", object.name);
        // What no object can have is not sent, because Clerk would refuse it: Postgres finds no such row.
        let is_sent = |compared: &Compared| {
            let takes = |text: &String| compared.condition.column.filters.iter().all(|filter| filter.op.takes(text));
            compared.texts.iter().all(|text| fits(text) && takes(text))
        };
        if classified.is_exact() && compared.iter().all(is_sent) {
            assert_eq!(returns, satisfies, "{compared:#?} find {row:?} of {}", object.name);
        }
        if classified.is_exact() && classified.is_countable() {
            let counts = classified.bind(&bound, None, true).is_some_and(|query| clerk.returns(&query));
            assert_eq!(counts, satisfies, "{compared:#?} count {row:?} of {}", object.name);
        }
    }
    Ok(())
}

fn text(input: &mut Unstructured) -> Result<String> {
    const COMMON: &[&str] =
        &["a", "user_1", "+a", "-a", " a", "++a", "ada@example.com", "é", "org:admin", "A b", "active"];
    if input.ratio(1, 3)? { Ok((*input.choose(COMMON)?).to_owned()) } else { Ok(input.arbitrary::<&str>()?.to_owned()) }
}

/// A value that Clerk can have in a column.
fn value(object: &Object, column: &Column, input: &mut Unstructured) -> Result<Option<Value>> {
    let is_id = matches!(column.role, Some(clerk_api::catalog::Role::Id | clerk_api::catalog::Role::Parent(_)));
    // So are the roles by which the lists below a parent can be filtered.
    let is_role = |filter: &(&str, Filter)| filter.0 == column.name && matches!(filter.1.op, FilterOp::Equal { .. });
    let is_id = is_id || object.key_columns.iter().any(|key| key.filters.iter().any(is_role));
    if !is_id && input.ratio(1, 6)? {
        return Ok(None);
    }
    // What Clerk makes up is never empty and never begins with a sign or a space, and is one of the values that an exact
    // filter takes.
    let is_exact = column.filters.iter().any(|filter| filter.is_exact);
    let one = column.filters.iter().find_map(|filter| match filter.op {
        FilterOp::One { values: values @ [_, ..] } => Some(values),
        _ => None,
    });
    Ok(Some(match column.kind {
        Kind::Time => {
            let within = column.filters.iter().find_map(|filter| match filter.op {
                FilterOp::Before { within } => Some(within),
                _ => None,
            });
            let later = if let Some(within @ 1..) = within { input.int_in_range(0..=within)? } else { 0 };
            Value::Time(input.int_in_range(-62_135_596_800_000..=253_402_300_799_999)?, later)
        }
        Kind::Boolean => Value::Flag(input.arbitrary()?),
        _ if one.is_some() && is_exact => Value::Text((*input.choose(one.unwrap_or_default())?).to_owned()),
        _ if is_id || is_exact => {
            let id = text(input)?;
            let id = id.trim_start_matches(['+', '-', ' ']);
            Value::Text(if id.is_empty() { "x".to_owned() } else { id.chars().take(300).collect() })
        }
        _ => Value::Text(text(input)?),
    }))
}

/// A condition on a column, likely one that its value satisfies.
fn condition(column: &'static Column, value: Option<&Value>, input: &mut Unstructured) -> Result<Option<Compared>> {
    use Operator::{Above, AtLeast, AtMost, Below, Equal, ILike, Is, Like};
    let is_near = input.ratio(2, 3)?;
    let mut compared = Compared {
        condition: Condition { column, operator: Equal, has_one_value: true },
        texts: Vec::new(),
        time: TimeValue::AfterAll,
        flag: input.arbitrary()?,
    };
    match column.kind {
        Kind::Text | Kind::Phone => {
            compared.condition.operator = *input.choose(&[Equal, Equal, Equal, Like, ILike])?;
            let is_list = compared.condition.operator == Equal && input.ratio(1, 2)?;
            compared.condition.has_one_value = !is_list;
            let count = if is_list { *input.choose(&[0, 1, 2, 3, 101, 250])? } else { 1 };
            for number in 0..count {
                // More than fit into one request need not be made up one by one.
                compared.texts.push(if number < 4 { text(input)? } else { format!("value_{number}") });
            }
            if let (true, Some(Value::Text(own)), Some(last)) = (is_near, value, compared.texts.last_mut()) {
                *last = match compared.condition.operator {
                    Equal => own.clone(),
                    _ => pattern(own, input)?,
                };
            }
        }
        Kind::Time => {
            compared.condition.operator = *input.choose(&[Equal, AtLeast, Above, AtMost, Below])?;
            let milliseconds = match (is_near, value) {
                (true, Some(Value::Time(time, _))) => time + input.int_in_range(-2..=2)?,
                _ => input.arbitrary()?,
            };
            compared.time = match input.int_in_range(0..=6)? {
                0 => TimeValue::BeforeAll,
                1 => TimeValue::AfterAll,
                2 => TimeValue::Day { begins: milliseconds.div_euclid(DAY).saturating_mul(DAY) },
                3 => TimeValue::At { milliseconds, is_exact: false },
                _ => TimeValue::At { milliseconds, is_exact: true },
            };
        }
        Kind::Boolean => compared.condition.operator = *input.choose(&[Equal, Is(compared.flag)])?,
        Kind::Integer | Kind::Json | Kind::TextArray => return Ok(None),
    }
    Ok(Some(compared))
}

/// A pattern that a text matches, unless it has characters that mean something in patterns.
fn pattern(text: &str, input: &mut Unstructured) -> Result<String> {
    let mut pattern = String::new();
    for character in text.chars() {
        match input.int_in_range(0..=9)? {
            0 => pattern.push('_'),
            1 => pattern.push('%'),
            2 => pattern.extend(['\\', character]),
            3 => pattern.extend(['%', character, '%']),
            _ => pattern.push(character),
        }
    }
    Ok(pattern)
}

impl Compared {
    /// As the extension binds a condition to its values.
    fn bound(&self) -> BoundCondition {
        match self.condition.column.kind {
            Kind::Time => compare(self.condition.operator, self.time),
            Kind::Boolean => BoundCondition::Flag(self.flag),
            _ if self.texts.is_empty() => BoundCondition::Never,
            _ => BoundCondition::Texts(self.texts.clone()),
        }
    }

    /// Whether a value satisfies the condition in Postgres.
    fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.texts.iter().any(|other| match self.condition.operator {
                Operator::Like => like(text, other) == Some(true),
                Operator::ILike => like(&lower(text), &lower(other)) == Some(true),
                _ => text == other,
            }),
            Value::Flag(flag) => *flag == self.flag,
            Value::Time(time, _) => {
                let order = match self.time {
                    TimeValue::BeforeAll => std::cmp::Ordering::Greater,
                    TimeValue::AfterAll => std::cmp::Ordering::Less,
                    TimeValue::Day { begins } => time.div_euclid(DAY).cmp(&begins.div_euclid(DAY)),
                    // Half a millisecond later stands for any fraction.
                    TimeValue::At { milliseconds, is_exact } => {
                        (i128::from(*time) * 2).cmp(&(i128::from(milliseconds) * 2 + i128::from(!is_exact)))
                    }
                };
                match self.condition.operator {
                    Operator::AtLeast => order.is_ge(),
                    Operator::Above => order.is_gt(),
                    Operator::AtMost => order.is_le(),
                    Operator::Below => order.is_lt(),
                    _ => order.is_eq(),
                }
            }
        }
    }
}

/// A Clerk that has one object.
struct Clerk<'r> {
    object: &'static Object,
    row: &'r [Option<Value>],
}

impl Clerk<'_> {
    fn returns(&self, query: &Query) -> bool {
        match query {
            Query::List { filters, .. } | Query::Count { parent: None, filters } => self.passes(filters, None),
            Query::Batches { parameter, values, filters } => batches(values).any(|batch| {
                let batch: Filters = batch.iter().map(|value| (*parameter, value.clone())).collect();
                self.passes(&batch, None) && self.passes(filters, None)
            }),
            Query::Lookup { key, values, filters, .. } => {
                self.has_key(key.column, values) && self.passes(filters, Some(key.filters))
            }
            Query::Count { parent: Some((key, value)), filters } => {
                self.has_key(key.column, std::slice::from_ref(value)) && self.passes(filters, Some(key.filters))
            }
            Query::Sample { .. } => panic!("conditions ask for no sample"),
        }
    }

    fn value(&self, column: &str) -> Option<&Value> {
        let index = self.object.columns.iter().position(|other| other.name == column);
        self.row[index.unwrap_or_else(|| panic!("{} has no {column}", self.object.name))].as_ref()
    }

    fn has_key(&self, column: &str, values: &[String]) -> bool {
        matches!(self.value(column), Some(Value::Text(text)) if values.contains(text))
    }

    /// Whether the object passes the filters of the object's list, or those of a list below a key.
    fn passes(&self, filters: &Filters, of_key: Option<&[(&str, Filter)]>) -> bool {
        filters.iter().all(|(parameter, _)| {
            let values = filters.iter().filter(|(other, _)| other == parameter).map(|(_, value)| value.as_str());
            let values: Vec<&str> = values.collect();
            let mut found = false;
            let mut served: Vec<(&str, FilterOp)> = Vec::new();
            match of_key {
                Some(filters) => served.extend(
                    filters
                        .iter()
                        .filter(|(_, filter)| filter.parameter == *parameter)
                        .map(|(name, filter)| (*name, filter.op)),
                ),
                None => served.extend(self.object.columns.iter().flat_map(|column| {
                    column
                        .filters
                        .iter()
                        .filter(|filter| filter.parameter == *parameter)
                        .map(|filter| (column.name, filter.op))
                })),
            }
            assert!(!served.is_empty(), "{} has no parameter {parameter}", self.object.name);
            for (column, op) in served {
                found |= self.value(column).is_some_and(|value| is_found(value, op, &values));
            }
            found
        })
    }
}

/// Whether Clerk finds a value by the values of one parameter.
fn is_found(value: &Value, op: FilterOp, values: &[&str]) -> bool {
    let number = |text: &str| text.parse::<i64>().expect("a time is a number");
    match (value, op) {
        (Value::Text(text), FilterOp::Equal { has_prefix }) => {
            assert!(values.len() <= 100, "{} values in one request", values.len());
            let is_excluded = has_prefix && values.iter().any(|value| value.starts_with('-'));
            assert!(!is_excluded, "{values:?} excludes objects");
            // A space would arrive as a plus.
            let included = |value: &&str| {
                if has_prefix { value.strip_prefix('+').unwrap_or(value) == text } else { value == text }
            };
            values.iter().any(included)
        }
        // Clerk also finds the text in other members, so that it returns more.
        (Value::Text(text), FilterOp::One { .. }) => values.iter().all(|value| contains(text, value)),
        (Value::Text(text), FilterOp::Contains) => values.iter().all(|value| contains(text.trim(), value)),
        (Value::Time(time, later), FilterOp::After) => values.iter().all(|bound| time + later > number(bound)),
        (Value::Time(time, later), FilterOp::Before { .. }) => values.iter().all(|bound| time + later < number(bound)),
        (Value::Flag(flag), FilterOp::Is) => values.iter().all(|value| *value == flag.to_string()),
        (value, op) => panic!("{op:?} of {value:?}"),
    }
}
