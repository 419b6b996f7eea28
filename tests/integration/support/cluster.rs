//! Servers of a test's own, for tests that crash, restart or configure one.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

/// A server of the same Postgres as the one that all tests share, run by the same user.
pub struct Cluster {
    home: PathBuf,
    programs: PathBuf,
    user: u32,
    /// Variables of the server process's environment.
    environment: Vec<(&'static str, String)>,
}

impl Cluster {
    pub fn start() -> Cluster {
        Cluster::with("")
    }

    /// With more lines in postgresql.conf.
    pub fn with(lines: &str) -> Cluster {
        Cluster::in_environment(lines, Vec::new())
    }

    /// And with more variables in the server process's environment.
    pub fn in_environment(lines: &str, environment: Vec<(&'static str, String)>) -> Cluster {
        let (socket, config) = (PathBuf::from(variable("PGHOST")), PathBuf::from(variable("PG_CONFIG")));
        // bin/with-postgres keeps the programs beside the socket, at their own paths.
        let programs = config.parent().unwrap().strip_prefix("/").unwrap();
        let programs = socket.parent().unwrap().join("root").join(programs);
        let user = fs::metadata(&socket).unwrap().uid();
        let home = std::env::temp_dir().join(unique_name());
        fs::create_dir(&home).unwrap();
        chown(&home, Some(user), None).unwrap();
        let cluster = Cluster { home, programs, user, environment };
        let initdb = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"];
        assert!(cluster.run("initdb", &initdb), "initdb failed");
        let mut settings = fs::read_to_string(cluster.data().join("postgresql.conf")).unwrap();
        // What a killed process has written is there all the same.
        settings += "listen_addresses = ''\nfsync = off\ntimezone = 'UTC'\n";
        settings += &format!("port = {}\nunix_socket_directories = '{}'\n", variable("PGPORT"), cluster.host());
        settings += lines;
        fs::write(cluster.data().join("postgresql.conf"), settings).unwrap();
        assert!(cluster.starts(), "the server did not start");
        cluster
    }

    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// What the server has written since it was first started.
    pub fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    pub fn host(&self) -> &str {
        self.home.to_str().unwrap()
    }

    pub fn starts(&self) -> bool {
        self.run("pg_ctl", &["start", "-s", "-w", "-l", self.log().to_str().unwrap()])
    }

    /// Stops it whoever is connected; `mode` is one of pg_ctl's, `fast` or `immediate`.
    pub fn stops(&self, mode: &str) -> bool {
        self.run("pg_ctl", &["stop", "-s", "-w", "-m", mode])
    }

    /// As an administrator does it, whoever is connected.
    pub fn restart(&self) {
        assert!(self.stops("fast") && self.starts(), "no restart");
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new(self.programs.join(program));
        command.envs(self.environment.iter().cloned());
        command.arg("-D").arg(self.data()).args(arguments).current_dir(&self.home).uid(self.user);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    pub fn postmaster(&self) -> i32 {
        self.try_postmaster().expect("the server runs")
    }

    /// None while the server is down.
    pub fn try_postmaster(&self) -> Option<i32> {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        file.lines().next()?.parse().ok()
    }

    /// A world in this server, with a mirror that has not been synced yet.
    pub fn mirror_of_many(&self) -> World {
        let world = World::at(self.host(), many_users(), "page_size '20'", "");
        world.run("SELECT clerk_fdw.create_mirror('clerk', schema => 'm')");
        world
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stops("immediate");
        let _ = fs::remove_dir_all(Path::new(&self.home));
    }
}

/// A client program of the Postgres that is tested, or else one on PATH.
pub fn client_program(name: &str) -> Option<PathBuf> {
    let own = PathBuf::from(variable("PG_CONFIG")).with_file_name(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).map(|directory| directory.join(name));
    std::iter::once(own).chain(others).find(|program| program.is_file())
}
