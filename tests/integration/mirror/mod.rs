//! Mirrors: syncs, deletes, resumption, schedules and the tables that they fill.

mod background;
mod deletes;
mod dump_restore;
mod import;
mod objects;
mod refresh;
mod resume;
mod row_counts;
mod schedule;
mod sync;
mod tables;
