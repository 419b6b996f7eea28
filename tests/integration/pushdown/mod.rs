//! What Clerk is asked for a condition, an order, a limit, a count or a join, and that the rows are those that the query means.
//! Most tests are tables for `Oracle::check`: a query and the requests that it may make.

mod column_type;
mod count;
mod equality;
mod in_list;
mod join;
mod like;
mod limit;
mod object;
mod order_by;
