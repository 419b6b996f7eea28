//! Writes to Clerk: INSERT, UPDATE and DELETE on foreign tables, and the functions that change something.
//!
//! What a statement writes is at Clerk the moment it is sent, and no ROLLBACK takes it back. So everything that can be
//! refused is refused before the first request, a request whose answer was lost is not sent again where that could do
//! it twice, and what has reached Clerk is said whenever a statement or a transaction fails.
//!
//! | file | question |
//! | --- | --- |
//! | [`plan`] | Which tables can be written, and what does the plan of a write say? |
//! | [`exec`] | How does Postgres run a write? |
//! | [`insert`] | How are new rows written, alone or many beside each other? |
//! | [`change`] | How are rows changed and deleted? |
//! | [`show`] | Who gets to see what Clerk has made of a row? |
//! | [`statement`] | What does a statement know while it writes? |
//! | [`view`] | When is a view's WITH CHECK OPTION checked? |
//! | [`arbiter`] | Which columns may ON CONFLICT name? |
//! | [`conflict`] | What does ON CONFLICT do with a row that Clerk has? |
//! | [`copy`] | How is COPY refused where nothing can be written? |
//! | [`explain`] | What does EXPLAIN show? |
//! | [`function`] | How do the functions write? |
//! | [`connection`] | How are requests sent, and which rows have reached Clerk when one fails? |
//! | [`mirror`] | How does a mirror of the server get to see what was written? |
//! | [`ledger`] | What has the transaction written, in case it is rolled back? |
//! | [`row`] | Which values does a row have? |

pub mod arbiter;
mod change;
mod conflict;
mod connection;
pub mod copy;
pub mod exec;
pub mod explain;
pub mod function;
mod insert;
mod ledger;
mod mirror;
pub mod plan;
mod row;
mod show;
mod statement;
mod view;
