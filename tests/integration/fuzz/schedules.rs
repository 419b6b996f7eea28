//! Schedules: one that is accepted has a next time, which is soon found and fits it; any other is an error.

use std::time::{Duration, Instant};

use super::{fuzz, user_error};
use crate::support::*;

const SEEDS: &[&str] = &[
    "* * * * *",
    "*/15 * * * *",
    "0 0 1 1 *",
    "59 23 31 12 7",
    "0 0 29 2 *",
    "0 0 30 2 *",
    "1,2,30-40/3 4-6 * * MON-FRI",
    "0 0 L * *",
    "0 12 ? * 5#3",
    "0 0 15W * *",
    "60 * * * *",
    "@hourly",
    "* * * *",
    "0 0 * JAN SUN",
    "*/0 * * * *",
    "5-1 * * * *",
    "0 0 31 2,4 *",
];

const WORDS: &[&str] =
    &[" ", "*", "/", "-", ",", "L", "W", "#", "?", "MON", "FEB", "59", "23", "31", "12", "0", "99999999999"];

#[test]
fn next_time() {
    let cluster = Cluster::with("shared_preload_libraries = 'clerk_fdw'\nclerk_fdw.naptime = 3600\n");
    let world = World::at(cluster.host(), small(), "", "");
    world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')");
    fuzz(SEEDS, WORDS, |_, input| {
        let started = Instant::now();
        world.run("BEGIN");
        let result = world.client().execute("SELECT clerk_fdw.schedule_sync('m', $1)", &[&input]);
        let took = started.elapsed();
        let wrong = match &result {
            Err(error) => {
                let error = user_error(error)?;
                (error.code().code() != "22023").then(|| format!("{}: {}", error.code().code(), error_text(&error)))
            }
            Ok(_) => {
                let query = "SELECT next_run > now() AND next_run = date_trunc('minute', next_run) AND schedule = $1,
                        ARRAY[extract(minute FROM u), extract(hour FROM u), extract(day FROM u), extract(month FROM u), extract(dow FROM u)]::int[]
                   FROM clerk_fdw_internal.mirror, LATERAL (SELECT next_run AT TIME ZONE 'UTC' AS u) t";
                let row = world.client().query_one(query, &[&input]).map_err(|error| error.to_string())?;
                let (is_right, time): (bool, Vec<i32>) = (row.get(0), row.get(1));
                (!is_right || !fits(input, &time)).then(|| format!("its next time is {time:?}"))
            }
        };
        world.run("ROLLBACK");
        match wrong {
            Some(wrong) => Err(wrong),
            None if took > Duration::from_secs(5) => Err(format!("it took {took:?}")),
            None => Ok(()),
        }
    });
}

/// Whether a time fits those fields of a schedule that are a star or one number. Where both days are given, either is
/// enough.
fn fits(schedule: &str, time: &[i32]) -> bool {
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let is_at = |field: usize| match fields[field].parse::<i32>() {
        Ok(7) if field == 4 => time[4] == 0,
        Ok(number) => number == time[field],
        Err(_) => true,
    };
    let has_both_days = fields[2] != "*" && fields[4] != "*";
    fields.len() == 5 && [0, 1, 3].into_iter().all(is_at) && (has_both_days || (is_at(2) && is_at(4)))
}
