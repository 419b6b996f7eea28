//! Plans: prepared statements, cursors, joins, EXPLAIN and the statistics of ANALYZE.

mod analyze;
mod cursor;
mod explain;
mod join;
mod prepared_statement;
mod statement;
