//! The program `clerk-hook` while it runs.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

/// Starts it, and waits until it has said on which addresses it listens; gives its log from there on as well.
pub fn start_program<const LISTENERS: usize>(
    command: &mut Command,
) -> (Child, BufReader<ChildStderr>, [String; LISTENERS]) {
    let mut child = command.stderr(Stdio::piped()).spawn().expect("clerk-hook, which the workspace's tests build");
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let addresses = [(); LISTENERS].map(|()| {
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        line.trim_end().rsplit(' ').next().unwrap().to_owned()
    });
    (child, log, addresses)
}
