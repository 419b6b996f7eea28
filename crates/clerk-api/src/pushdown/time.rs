//! From a comparison with a time to the range of milliseconds that satisfies it.

use super::Operator;
use super::bind::BoundCondition;
use crate::time_range::TimeRange;

const DAY: i64 = 86_400_000;

/// Later than anything that happened at Clerk: the end of the year 9999, as 1970 is its beginning of time.
const END_OF_9999: i64 = 253_402_300_799_999;

/// What a time is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeValue {
    /// A moment, in Unix milliseconds: exactly that many, or between that many and one more.
    At { milliseconds: i64, is_exact: bool },
    /// The day that begins at that many Unix milliseconds.
    Day { begins: i64 },
    /// Earlier than every time.
    BeforeAll,
    /// Later than every time.
    AfterAll,
}

/// The times, in whole milliseconds as Clerk has them, that satisfy a comparison.
pub fn compare(operator: Operator, value: TimeValue) -> BoundCondition {
    // The first time that is not before the value, and the first one after it.
    let (not_before, after) = match value {
        TimeValue::At { milliseconds, is_exact: true } => (milliseconds, milliseconds.saturating_add(1)),
        TimeValue::At { milliseconds, is_exact: false } => {
            (milliseconds.saturating_add(1), milliseconds.saturating_add(1))
        }
        TimeValue::Day { begins } => (begins, begins.saturating_add(DAY)),
        TimeValue::BeforeAll => {
            return match operator {
                Operator::AtLeast | Operator::Above => BoundCondition::Times(TimeRange { first: Some(0), last: None }),
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
            (Operator::Above, TimeValue::BeforeAll, range(Some(0), None)),
            (Operator::Below, TimeValue::BeforeAll, BoundCondition::Never),
            (Operator::AtMost, TimeValue::AfterAll, range(None, Some(END_OF_9999))),
            (Operator::Equal, TimeValue::AfterAll, BoundCondition::Never),
        ] {
            assert_eq!(compare(operator, value), expected, "{operator:?} {value:?}");
        }
    }
}
