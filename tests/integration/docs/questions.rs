//! The questions of the pages in `docs/objects/`: each query is one that Postgres and Clerk accept, and that asks Clerk
//! for no more than it needs.

#[path = "../../../crates/clerk-api/tests/support/questions.rs"]
mod pages;

use clerk_sim::Config;
use pages::{directory, questions};

use crate::support::*;

/// How many requests a query may make. Where there are many objects, a whole table takes more than that.
const MOST_REQUESTS: usize = 40;

/// With these words, a page says that an answer cannot be had for less.
const WHOLE_TABLE: &str = "reads the whole table";

/// Every query of every page runs. One that reads a whole table needlessly would be a bad example.
#[test]
fn every_question_is_answered() {
    let config = Config { users: 1000, organizations: 900, memberships: 2000, others: 900, ..small() };
    let world = World::with(config, "page_size '20'");
    create_people(&world);
    let mut wrong = String::new();
    let mut files: Vec<_> = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let page = file.file_stem().unwrap().to_string_lossy().into_owned();
        for question in questions(&std::fs::read_to_string(&file).unwrap()) {
            for query in question.queries() {
                world.requests();
                let error = world.client().simple_query(query).err();
                world.wait_until_idle();
                let requests = world.targets();
                if let Some(error) = error {
                    let error = error.as_db_error().map_or_else(|| error.to_string(), error_text);
                    wrong += &format!("\n{page}: {}\n{error}\n", question.heading);
                } else if requests.len() > MOST_REQUESTS && !question.text.contains(WHOLE_TABLE) {
                    let (count, first) = (requests.len(), &requests[..5]);
                    wrong += &format!("\n{page}: {}\n{count} requests, such as {first:#?}\n", question.heading);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
