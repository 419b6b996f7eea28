//! Plans: prepared statements, cursors, joins, lookup joins, EXPLAIN and the statistics of ANALYZE.

mod analyze;
mod cursor;
mod explain;
mod join;
mod lookup_join;
mod prepared_statement;
mod statement;
