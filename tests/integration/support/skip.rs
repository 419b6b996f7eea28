//! Tests that cannot run here say so: `make test` counts them as skipped, and prints why.

use std::io::Write;

/// Says that the running test is skipped, and why. The line goes into the file that `CLERK_FDW_SKIPPED` names as well,
/// because what a test that passes prints is not shown.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let line = format!("SKIPPED: {}: {why}\n", thread.name().unwrap_or("a test"));
    eprint!("{line}");
    if let Some(file) = std::env::var_os("CLERK_FDW_SKIPPED") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of CLERK_FDW_SKIPPED");
    }
}
