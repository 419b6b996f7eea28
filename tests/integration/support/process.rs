//! Processes, without the programs that a minimal system may lack.

/// Sends a signal to one process.
pub fn send_signal(pid: i32, signal: i32) {
    assert!(signal_if_there(pid, signal), "signal {signal} to {pid}: {}", std::io::Error::last_os_error());
}

/// The same; false if there is no such process any more.
pub fn signal_if_there(pid: i32, signal: i32) -> bool {
    assert!(pid > 0, "{pid} is not one process: 0 and below mean groups of them");
    // SAFETY: `kill` is given two numbers by value and touches no memory of this process.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// A number of a process's status: of memory, in kilobytes, or of threads. None if there is no such process.
#[cfg(target_os = "linux")]
pub fn process_status(pid: i32, name: &str) -> Option<i64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next())?.parse().ok()
}

/// How many files a process has open, sockets included. None if there is no such process.
#[cfg(target_os = "linux")]
pub fn open_files(pid: i32) -> Option<i64> {
    Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as i64)
}
