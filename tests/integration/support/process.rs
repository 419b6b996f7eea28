//! Processes, without the programs that a minimal system may lack.

/// Sends a signal to one process.
pub fn send_signal(pid: i32, signal: i32) {
    assert!(pid > 0, "{pid} is not one process: 0 and below mean groups of them");
    // SAFETY: `kill` is given two numbers by value and touches no memory of this process.
    let sent = unsafe { libc::kill(pid, signal) };
    assert_eq!(sent, 0, "signal {signal} to {pid}: {}", std::io::Error::last_os_error());
}
