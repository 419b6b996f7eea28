//! Turns comparisons of a time into the range of milliseconds that satisfies them.

use super::Operator;
use super::bind::BoundCondition;
use crate::time_range::TimeRange;

/// One day in milliseconds.
const DAY: i64 = 86_400_000;

/// The beginning of the year 1 in Unix milliseconds, which is earlier than every time at Clerk, and the end of the year
/// 9999, which is later. They are the bounds where a time is compared with `-infinity` and `infinity`: a bound is needed,
/// since such a comparison excludes objects that have no time at all.
const BEGIN_OF_1: i64 = -62_135_596_800_000;
const END_OF_9999: i64 = 253_402_300_799_999;

/// The value that a time is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeValue {
    /// A point in time, in Unix milliseconds. If it is not exact, it is between that millisecond and the next.
    At { milliseconds: i64, is_exact: bool },
    /// The day that begins at this time, in Unix milliseconds.
    Day { begins: i64 },
    /// A value before every time, such as `-infinity`.
    BeforeAll,
    /// A value after every time, such as `infinity`.
    AfterAll,
}

/// The range of times, in Clerk's whole milliseconds, that satisfies a comparison.
pub fn compare(operator: Operator, value: TimeValue) -> BoundCondition {
    // The first millisecond that is not before the value, and the first one that is after it.
    let (not_before, after) = match value {
        TimeValue::At { milliseconds, is_exact: true } => (milliseconds, milliseconds.saturating_add(1)),
        TimeValue::At { milliseconds, is_exact: false } => {
            (milliseconds.saturating_add(1), milliseconds.saturating_add(1))
        }
        TimeValue::Day { begins } => (begins, begins.saturating_add(DAY)),
        TimeValue::BeforeAll => {
            return match operator {
                Operator::AtLeast | Operator::Above => {
                    BoundCondition::Times(TimeRange { first: Some(BEGIN_OF_1), last: None })
                }
                _ => BoundCondition::Never,
            };
        }
        TimeValue::AfterAll => {
            return match operator {
                Operator::AtMost | Operator::Below => {
                    BoundCondition::Times(TimeRange { first: None, last: Some(END_OF_9999) })
                }
                _ => BoundCondition::Never,
            };
        }
    };
    let (first, last) = match operator {
        Operator::AtLeast => (Some(not_before), None),
        Operator::Above => (Some(after), None),
        Operator::AtMost => (None, Some(after.saturating_sub(1))),
        Operator::Below => (None, Some(not_before.saturating_sub(1))),
        _ if after <= not_before => return BoundCondition::Never,
        _ => (Some(not_before), Some(after.saturating_sub(1))),
    };
    BoundCondition::Times(TimeRange { first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_become_ranges_of_whole_milliseconds() {
        let exact = TimeValue::At { milliseconds: 10, is_exact: true };
        let between = TimeValue::At { milliseconds: 10, is_exact: false };
        let day = TimeValue::Day { begins: 0 };
        let range = |first, last| BoundCondition::Times(TimeRange { first, last });
        for (operator, value, expected) in [
            (Operator::AtLeast, exact, range(Some(10), None)),
            (Operator::Above, exact, range(Some(11), None)),
            (Operator::AtMost, exact, range(None, Some(10))),
            (Operator::Below, exact, range(None, Some(9))),
            (Operator::Equal, exact, range(Some(10), Some(10))),
            (Operator::AtLeast, between, range(Some(11), None)),
            (Operator::Above, between, range(Some(11), None)),
            (Operator::AtMost, between, range(None, Some(10))),
            (Operator::Below, between, range(None, Some(10))),
            (Operator::Equal, between, BoundCondition::Never),
            (Operator::Equal, day, range(Some(0), Some(DAY - 1))),
            (Operator::Above, day, range(Some(DAY), None)),
            (Operator::Below, day, range(None, Some(-1))),
            (Operator::Above, TimeValue::BeforeAll, range(Some(BEGIN_OF_1), None)),
            (Operator::Below, TimeValue::BeforeAll, BoundCondition::Never),
            (Operator::AtMost, TimeValue::AfterAll, range(None, Some(END_OF_9999))),
            (Operator::Equal, TimeValue::AfterAll, BoundCondition::Never),
        ] {
            assert_eq!(compare(operator, value), expected, "{operator:?} {value:?}");
        }
    }
}
