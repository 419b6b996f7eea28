//! The program `clerk-hook` in front of a mirror.

use std::io::BufRead;
use std::process::{Child, Command, ExitStatus};

use super::*;

/// The program while it runs.
pub struct Hook {
    child: Child,
    url: String,
}

impl Hook {
    pub fn start(host: &str, database: &str, mirror: &str) -> Hook {
        // Cargo builds the workspace's programs beside the directory of its tests.
        let tests = std::env::current_exe().unwrap();
        let program = tests.parent().unwrap().with_file_name("clerk-hook");
        let database = format!("host={host} port={} user={} dbname={database}", variable("PGPORT"), variable("PGUSER"));
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "off", "--mirror", mirror]);
        command.args(["--database-url", &database]);
        let (child, log, [address]) = start_program(&mut command);
        let url = format!("http://{address}/webhooks/clerk");
        // Nobody looks at the rest, but it has to go somewhere.
        std::thread::spawn(move || log.lines().for_each(drop));
        Hook { child, url }
    }

    /// Where deliveries go.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Ends it as an administrator does.
    pub fn stop(mut self) -> ExitStatus {
        send_signal(self.pid(), libc::SIGTERM);
        self.child.wait().unwrap()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
