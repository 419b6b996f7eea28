//! What the values of a plan's conditions are when the query runs.

use pgrx::{Array, FromDatum, pg_sys};

use crate::condition::{Condition, Operator, Value, ValueKind};
use crate::encoding::from_server;
use crate::shippable::Known;

/// Between 1970-01-01, from which Clerk counts, and 2000-01-01, from which Postgres does.
const EPOCH_DAYS: i64 = 10_957;
const DAY: i64 = 86_400_000;

/// Later than anything that happened at Clerk, as its beginning of time is earlier.
const END_OF_9999: i64 = 253_402_300_799_999;

/// Finds out what a condition says now. `evaluate` gives the value of an expression of the plan; `None` for NULL.
///
/// # Safety
/// The expressions give values of the kinds that the condition names.
pub unsafe fn known(condition: &Condition, mut evaluate: impl FnMut(usize) -> Option<pg_sys::Datum>) -> Known {
    if let Operator::Is(value) = condition.operator {
        return Known::Flag(value);
    }
    let mut texts = Vec::new();
    for Value { expression, kind } in &condition.values {
        // A comparison with NULL is never true.
        let Some(datum) = evaluate(*expression) else { continue };
        // SAFETY: the caller's.
        unsafe {
            match kind {
                ValueKind::Text => texts.push(from_server(pg_sys::text_to_cstring(datum.cast_mut_ptr()))),
                ValueKind::TextArray => {
                    let array = Array::<pg_sys::Datum>::from_polymorphic_datum(datum, false, pg_sys::TEXTOID);
                    for element in array.iter().flat_map(|array| array.iter()).flatten() {
                        texts.push(from_server(pg_sys::text_to_cstring(element.cast_mut_ptr())));
                    }
                }
                ValueKind::Boolean => return Known::Flag(datum.value() & 1 != 0),
                _ => return moments(condition.operator, scaled(*kind, datum)),
            }
        }
    }
    if texts.is_empty() { Known::Never } else { Known::Texts(texts) }
}

/// A moment in Unix milliseconds.
enum Moment {
    /// Between this many and the next, exactly at it or not.
    At {
        milliseconds: i64,
        is_exact: bool,
    },
    /// The day that begins there.
    Day {
        begins: i64,
    },
    BeforeAll,
    AfterAll,
}

fn scaled(kind: ValueKind, datum: pg_sys::Datum) -> Moment {
    let whole = |milliseconds| Moment::At { milliseconds, is_exact: true };
    let postgres_time = |microseconds: i64| match microseconds {
        i64::MIN => Moment::BeforeAll,
        i64::MAX => Moment::AfterAll,
        finite => Moment::At {
            milliseconds: finite.div_euclid(1000) + EPOCH_DAYS * DAY,
            is_exact: finite.rem_euclid(1000) == 0,
        },
    };
    let days = datum.value() as i32;
    let midnight = match days {
        i32::MIN => Moment::BeforeAll,
        i32::MAX => Moment::AfterAll,
        days => whole((i64::from(days) + EPOCH_DAYS) * DAY),
    };
    // What is too late or too early for a timestamptz can still be compared with one.
    let in_zone = |(time, overflow): (i64, i32)| match overflow {
        0 => postgres_time(time),
        1.. => Moment::AfterAll,
        _ => Moment::BeforeAll,
    };
    let mut overflow = 0;
    match kind {
        ValueKind::Integer(2) => whole((datum.value() as i16).into()),
        ValueKind::Integer(4) => whole((datum.value() as i32).into()),
        ValueKind::Timestamp | ValueKind::Timestamptz => postgres_time(datum.value() as i64),
        // SAFETY: these functions look at nothing but the value and the session's time zone.
        ValueKind::TimestampInZone => unsafe {
            let time = pg_sys::timestamp2timestamptz_opt_overflow(datum.value() as i64, &mut overflow);
            in_zone((time, overflow))
        },
        // SAFETY: as above.
        ValueKind::DateInZone => unsafe {
            let time = pg_sys::date2timestamptz_opt_overflow(days, &mut overflow);
            in_zone((time, overflow))
        },
        ValueKind::DateAtMidnight => midnight,
        ValueKind::Date => match midnight {
            Moment::At { milliseconds, .. } => Moment::Day { begins: milliseconds },
            infinite => infinite,
        },
        _ => whole(datum.value() as i64),
    }
}

/// The moments, in whole milliseconds as Clerk has them, that a comparison leaves.
fn moments(operator: Operator, moment: Moment) -> Known {
    // The first moment that is not before the value, and the first that is after it.
    let (not_before, after) = match moment {
        Moment::At { milliseconds, is_exact: true } => (milliseconds, milliseconds.saturating_add(1)),
        Moment::At { milliseconds, is_exact: false } => {
            (milliseconds.saturating_add(1), milliseconds.saturating_add(1))
        }
        Moment::Day { begins } => (begins, begins.saturating_add(DAY)),
        Moment::BeforeAll => match operator {
            Operator::AtLeast | Operator::Above => return Known::Moments { first: Some(0), last: None },
            _ => return Known::Never,
        },
        Moment::AfterAll => match operator {
            Operator::AtMost | Operator::Below => return Known::Moments { first: None, last: Some(END_OF_9999) },
            _ => return Known::Never,
        },
    };
    let (first, last) = match operator {
        Operator::AtLeast => (Some(not_before), None),
        Operator::Above => (Some(after), None),
        Operator::AtMost => (None, Some(after.saturating_sub(1))),
        Operator::Below => (None, Some(not_before.saturating_sub(1))),
        _ if after <= not_before => return Known::Never,
        _ => (Some(not_before), Some(after.saturating_sub(1))),
    };
    Known::Moments { first, last }
}
