//! The server's log: nothing in it may tell of a bug.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use super::scene::Scene;

use crate::support::*;

pub struct ServerLog {
    path: PathBuf,
    read: u64,
    last: VecDeque<String>,
}

/// What no line may have. The prefix of each line ends with its SQLSTATE: XX is for internal errors, 40P01 for deadlocks.
const WRONG: &[&str] = &[
    "] XX",
    "] 40P01 ",
    "PANIC:",
    "TRAP:",
    "panicked at",
    "cache lookup failed",
    // "File leak", "buffer refcount leak", "resource was not closed".
    " leak",
    "was not closed",
    "stuck spinlock",
    "recalcitrant children",
];

impl ServerLog {
    pub fn new(cluster: &Cluster) -> ServerLog {
        ServerLog { path: cluster.log(), read: 0, last: VecDeque::new() }
    }

    /// Reads what came since, whole lines only.
    pub fn read(&mut self, scene: &Scene) {
        let mut file = BufReader::new(File::open(&self.path).expect("the server's log"));
        file.seek(SeekFrom::Start(self.read)).expect("the server's log");
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line).expect("the server's log") > 0 && line.ends_with(b"\n") {
            self.read += line.len() as u64;
            let text = String::from_utf8_lossy(&line);
            let is_wrong = WRONG.iter().any(|part| text.contains(part)) || ended_by_signal(&text, scene);
            if is_wrong {
                scene.journal.wrong(format!("the server's log: {}", text.trim_end()));
            }
            self.last.push_back(text.into_owned());
            if self.last.len() > 80 {
                self.last.pop_front();
            }
            line.clear();
        }
    }

    /// The last lines, for whoever looks for the reason of a failure.
    pub fn end(&self) -> String {
        self.last.iter().map(String::as_str).collect()
    }
}

/// Whether a process ended by a signal that nobody here has sent.
fn ended_by_signal(line: &str, scene: &Scene) -> bool {
    let Some((before, _)) = line.split_once("was terminated by signal") else { return false };
    let pid = before.rsplit_once("(PID ").and_then(|(_, rest)| rest.split(')').next()?.parse().ok());
    pid.is_none_or(|pid: i32| !scene.killed.lock().unwrap().contains(&pid))
}
