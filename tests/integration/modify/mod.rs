//! INSERT, UPDATE, DELETE and COPY: what is sent to Clerk, what is refused, what is told, and what is where afterwards.

mod allowed;
mod batches;
mod cases;
mod conflicts;
mod faults;
mod functions;
mod mirror;
mod passwords;
mod policies;
mod random_writes;
mod requests;
mod rollback;
