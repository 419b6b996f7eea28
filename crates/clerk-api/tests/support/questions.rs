//! The questions of the pages in `docs/objects/`: below `## Questions`, each is a heading of the third level with the
//! query that answers it.

use std::path::{Path, PathBuf};

/// A question of a page.
pub struct Question {
    pub heading: String,
    /// What is written below the heading, the code blocks included.
    pub text: String,
}

impl Question {
    /// The SQL code blocks.
    pub fn queries(&self) -> Vec<&str> {
        let blocks = self.text.split("```sql\n").skip(1);
        blocks.map(|block| block.split_once("\n```").map_or(block, |(query, _)| query)).collect()
    }
}

/// The directory of the pages.
pub fn directory() -> PathBuf {
    let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    ancestors.map(|above| above.join("docs/objects")).find(|directory| directory.is_dir()).expect("docs/objects")
}

/// The questions of a page, in its order.
pub fn questions(page: &str) -> Vec<Question> {
    let below = page.split_once("\n## Questions\n").map_or("", |(_, below)| below);
    let sections = below.split("\n### ").skip(1);
    let questions = sections.map(|section| {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        Question { heading: heading.to_owned(), text: text.to_owned() }
    });
    questions.collect()
}
