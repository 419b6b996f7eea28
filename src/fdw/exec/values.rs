//! Binds the conditions of a plan to the values that their expressions have when the query runs.

use clerk_api::pushdown::{BoundCondition, Operator, TimeValue, compare};
use pgrx::{Array, FromDatum, pg_sys};

use crate::fdw::plan::clause::ValueKind;
use crate::fdw::plan::private::{PlannedCondition, PlannedValue};
use crate::pg::encoding::from_server;

/// The days from 1970-01-01, the epoch of Clerk's times, to 2000-01-01, the epoch of Postgres'.
const EPOCH_DAYS: i64 = 10_957;
const DAY_MS: i64 = 86_400_000;

/// Binds a condition to its values. `evaluate` returns the value of one of the plan's expressions; `None` for NULL.
///
/// # Safety
/// The value of each expression must be of the kind that the condition says.
pub unsafe fn bind(
    condition: &PlannedCondition,
    mut evaluate: impl FnMut(usize) -> Option<pg_sys::Datum>,
) -> BoundCondition {
    if let Operator::Is(value) = condition.operator {
        return BoundCondition::Flag(value);
    }
    let mut texts = Vec::new();
    for PlannedValue { expression, kind } in &condition.values {
        // A comparison with NULL is never true.
        let Some(datum) = evaluate(*expression) else { continue };
        match kind {
            // SAFETY: the caller guarantees a value of this kind, which is a text, and text_to_cstring returns a C
            // string.
            ValueKind::Text => texts.push(unsafe { from_server(pg_sys::text_to_cstring(datum.cast_mut_ptr())) }),
            ValueKind::TextArray => {
                // SAFETY: the caller guarantees a value of this kind, which is a text[].
                let array = unsafe { Array::<pg_sys::Datum>::from_polymorphic_datum(datum, false, pg_sys::TEXTOID) };
                for element in array.iter().flat_map(|array| array.iter()).flatten() {
                    // SAFETY: an element of a text[] is a text, and text_to_cstring returns a C string.
                    texts.push(unsafe { from_server(pg_sys::text_to_cstring(element.cast_mut_ptr())) });
                }
            }
            ValueKind::Boolean => return BoundCondition::Flag(datum.value() & 1 != 0),
            _ => return compare(condition.operator, time_value(*kind, datum)),
        }
    }
    if texts.is_empty() { BoundCondition::Never } else { BoundCondition::Texts(texts) }
}

/// The time, in Unix milliseconds, that a value of a kind stands for.
fn time_value(kind: ValueKind, datum: pg_sys::Datum) -> TimeValue {
    let exact = |milliseconds| TimeValue::At { milliseconds, is_exact: true };
    let postgres_time = |microseconds: i64| match microseconds {
        i64::MIN => TimeValue::BeforeAll,
        i64::MAX => TimeValue::AfterAll,
        finite => TimeValue::At {
            milliseconds: finite.div_euclid(1000) + EPOCH_DAYS * DAY_MS,
            is_exact: finite.rem_euclid(1000) == 0,
        },
    };
    let days = datum.value() as i32;
    let midnight = match days {
        i32::MIN => TimeValue::BeforeAll,
        i32::MAX => TimeValue::AfterAll,
        days => exact((i64::from(days) + EPOCH_DAYS) * DAY_MS),
    };
    // A date or timestamp that is too late or too early for a timestamptz can still be compared with one.
    let in_zone = |time: i64, overflow: i32| match overflow {
        0 => postgres_time(time),
        1.. => TimeValue::AfterAll,
        _ => TimeValue::BeforeAll,
    };
    let mut overflow = 0;
    match kind {
        ValueKind::Integer(2) => exact((datum.value() as i16).into()),
        ValueKind::Integer(4) => exact((datum.value() as i32).into()),
        ValueKind::Timestamp | ValueKind::Timestamptz => postgres_time(datum.value() as i64),
        // SAFETY: timestamp2timestamptz_opt_overflow reads only its value and the session's time zone, and writes to
        // `overflow`.
        ValueKind::TimestampInZone => unsafe {
            let time = pg_sys::timestamp2timestamptz_opt_overflow(datum.value() as i64, &mut overflow);
            in_zone(time, overflow)
        },
        // SAFETY: date2timestamptz_opt_overflow reads only its value and the session's time zone, and writes to
        // `overflow`.
        ValueKind::DateInZone => unsafe {
            let time = pg_sys::date2timestamptz_opt_overflow(days, &mut overflow);
            in_zone(time, overflow)
        },
        ValueKind::DateAtMidnight => midnight,
        ValueKind::Date => match midnight {
            TimeValue::At { milliseconds, .. } => TimeValue::Day { begins: milliseconds },
            infinite => infinite,
        },
        _ => exact(datum.value() as i64),
    }
}
