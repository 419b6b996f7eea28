//! Generates times between January 2023 and October 2026. There are more of them every month, and fewer at night and at
//! weekends.

use fake::rand::Rng;

pub(crate) const DAY: i64 = 86_400_000;

/// 1 January 2023, 00:00 UTC, in Unix milliseconds.
pub(crate) const START: i64 = 1_672_531_200_000;

/// 1 November 2026, 00:00 UTC, in Unix milliseconds.
pub(crate) const END: i64 = 1_793_491_200_000;

/// How the sign-ups of a day are distributed over its hours, in UTC.
const HOURS: [u32; 24] = [2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 10, 9, 10, 12, 13, 12, 11, 9, 8, 7, 6, 4, 3];

/// `count` times of creation in ascending order. 8 % of them fall on two milliseconds, as if by bulk imports.
pub(crate) fn creations(random: &mut impl Rng, count: usize) -> Vec<i64> {
    let days = (END - START) / DAY;
    let mut total = 0.0;
    let until: Vec<f64> = (0..days)
        .map(|day| {
            // 1 January 2023 was a Sunday.
            let weekday = match day % 7 {
                0 | 6 => 0.4,
                2 | 3 => 1.2,
                _ => 1.0,
            };
            let growth = 1.0 + day as f64 / 400.0;
            total += growth * weekday * random.random_range(0.7..1.3);
            total
        })
        .collect();

    let imports = [moment(random, 290), moment(random, 800)];
    let mut times: Vec<i64> = (0..count)
        .map(|_| match random.random_range(0..100) {
            0..5 => imports[0],
            5..8 => imports[1],
            _ => {
                let point = random.random_range(0.0..total);
                let day = until.partition_point(|end| *end <= point);
                moment(random, i64::try_from(day).unwrap_or_default())
            }
        })
        .collect();
    times.sort_unstable();
    times
}

/// A random millisecond of a day.
fn moment(random: &mut impl Rng, day: i64) -> i64 {
    let mut share = random.random_range(0..HOURS.iter().sum::<u32>());
    let mut hour = 0;
    for weight in HOURS {
        if share < weight {
            break;
        }
        share -= weight;
        hour += 1;
    }
    START + day * DAY + hour * 3_600_000 + random.random_range(0..3_600_000)
}

/// A random time between `earliest` and the end, where recent times are more likely.
pub(crate) fn since(random: &mut impl Rng, earliest: i64) -> i64 {
    let ago: f64 = random.random::<f64>().powi(2);
    END - 1 - ((END - 1 - earliest) as f64 * ago) as i64
}

/// The start of the day that `time` is in.
pub(crate) fn day(time: i64) -> i64 {
    time - time % DAY
}
