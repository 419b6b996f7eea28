//! Requests and their answers: faults, retries, pacing, what a request says, and how many are on their way at once.

mod budget;
mod concurrency;
mod faults;
mod inconsistent_answers;
mod rate_limit;
mod request;
