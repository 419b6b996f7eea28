//! What processes hold, all the time, and whether it grows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::scene::{Lasting, Phase, Scene};

use crate::support::*;

/// What a process holds: kilobytes of its own memory, sockets, threads, and kilobytes in the memory contexts of Postgres.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    private: i64,
    sockets: i64,
    threads: i64,
    contexts: i64,
    /// How many operations it has met, if it is a lasting backend.
    operations: u32,
}

impl Held {
    fn by(pid: i32) -> Option<Held> {
        Some(Held {
            private: process_status(pid, "RssAnon")?,
            sockets: sockets(pid)?,
            threads: process_status(pid, "Threads")?,
            contexts: 0,
            operations: 0,
        })
    }

    fn by_backend(lasting: &Lasting) -> Option<Held> {
        let Lasting { pid, contexts, operations } = *lasting;
        Some(Held { contexts: contexts / 1024, operations, ..Held::by(pid)? })
    }
}

/// What the server has at one moment.
struct Server {
    locks: i64,
    advisory_locks: i64,
    sessions: i64,
    temporary_files: i64,
    waiting_requests: i64,
    processes: i64,
    segments: i64,
    log: i64,
}

struct Sample {
    phase: Phase,
    processes: BTreeMap<&'static str, Held>,
    /// None while it is down.
    server: Option<Server>,
}

pub struct Samples<'a> {
    scene: &'a Scene<'a>,
    between: Duration,
    session: Option<Session>,
    samples: Vec<Sample>,
    next: Duration,
}

/// The part of the samples that is warm-up: caches fill, pools grow, malloc finds its sizes.
const WARM_UP: usize = 40;

/// How long, after the warm-up, the samples have to be taken to tell a slope from caches that still fill.
const ENOUGH: Duration = Duration::from_secs(200);

/// How many operations a lasting backend has to meet before its memory is looked at: each kind of statement several times.
const WARM: u32 = 250;

/// By how many the sockets and threads may grow: clients and pools keep some for later.
const POOLS: i64 = 24;

impl<'a> Samples<'a> {
    pub fn new(scene: &'a Scene<'a>, length: Duration) -> Samples<'a> {
        let between = (length / 60).clamp(Duration::from_secs(1), Duration::from_secs(10));
        Samples { scene, between, session: None, samples: Vec::new(), next: between }
    }

    pub fn take_if_due(&mut self, at: Duration) {
        if at >= self.next {
            self.next = at + self.between;
            self.take();
        }
    }

    fn take(&mut self) {
        let scene = self.scene;
        let phase = scene.phase();
        let mut processes = BTreeMap::new();
        if phase == Phase::Calm {
            for (name, lasting) in scene.lasting.lock().unwrap().iter() {
                processes.extend(Held::by_backend(lasting).map(|held| (*name, held)));
            }
        }
        processes.extend(Held::by(scene.hook_pid).map(|held| ("clerk-hook", held)));
        processes.extend(Held::by(std::process::id() as i32).map(|held| ("simulators and clients", held)));
        // A server that is just restarted has none.
        if let Some(postmaster) = scene.cluster.try_postmaster() {
            processes.extend(Held::by(postmaster).map(|held| ("postmaster", held)));
        }
        let server = self.server();
        self.samples.push(Sample { phase, processes, server });
    }

    fn server(&mut self) -> Option<Server> {
        const QUERY: &str = "
            SELECT count(*), count(*) FILTER (WHERE locktype = 'advisory'),
                   (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL), (SELECT count(*) FROM pg_ls_tmpdir()),
                   (SELECT coalesce(sum(waiting), 0)::bigint FROM clerk_fdw.budget)
              FROM pg_locks";
        if self.session.is_none() {
            let session = self.scene.moving.try_connect().ok()?;
            session.client().batch_execute("SET application_name = 'observer'").ok()?;
            self.session = Some(session);
        }
        let rows = self.session.as_ref()?.client().query(QUERY, &[]);
        let Ok(rows) = rows else {
            self.session = None;
            return None;
        };
        let [row] = &rows[..] else { return None };
        let processes = processes_in(&self.scene.cluster.data());
        let segments: BTreeSet<_> = processes.iter().flat_map(|pid| segments_of(*pid)).collect();
        let sample = Server {
            locks: row.get(0),
            advisory_locks: row.get(1),
            sessions: row.get(2),
            temporary_files: row.get(3),
            waiting_requests: row.get(4),
            processes: processes.len() as i64,
            segments: segments.len() as i64,
            log: fs::metadata(self.scene.cluster.log()).map_or(0, |log| log.len() as i64 / 1024),
        };
        self.scene.segments.lock().unwrap().extend(segments);
        Some(sample)
    }

    /// Nothing has leaked.
    ///
    /// The series of a process are those while it was calm, without the warm-up. It is cut into four windows. The least
    /// of a window is what the process needs at rest: what a query needs for a while comes and goes between. A leak raises
    /// this floor all the time. So there is one if
    ///
    /// - the floor rises evenly, by at least three quarters of an even share from each window to the next, and by more than
    ///   `steady` in all: 1 MiB of private memory, or 256 KiB of memory contexts. In ten minutes a lasting backend runs about two
    ///   thousand statements, so this finds some hundred bytes for each. Growth that is not a leak comes to an end, as of
    ///   caches, or in one leap, as where a query is larger than all before it.
    /// - or if it rises by more than `most`, however: 24 MiB, or 8 MiB of contexts. That is above what the statements take
    ///   that a backend keeps prepared for the mirrors of [`super::definitions`].
    ///
    /// Of sockets and threads, the floor of the last window may be [`POOLS`] above the most in the warm-up.
    pub fn check(&self) {
        let calm: Vec<_> = self.samples.iter().filter(|sample| sample.phase == Phase::Calm).collect();
        let names: BTreeSet<_> = calm.iter().flat_map(|sample| sample.processes.keys().copied()).collect();
        for name in names.into_iter().filter(|name| *name != "simulators and clients") {
            let series: Vec<_> = calm.iter().filter_map(|sample| sample.processes.get(name).copied()).collect();
            let (warm_up, series) = series.split_at(series.len() * WARM_UP / 100);
            if warm_up.is_empty() {
                continue;
            }
            let last = &series[series.len() - series.len().div_ceil(4)..];
            let grow = |of: fn(&Held) -> i64| {
                last.iter().map(of).min() > warm_up.iter().map(of).max().map(|most| most + POOLS)
            };
            for (what, is_leak) in [("sockets", grow(|held| held.sockets)), ("threads", grow(|held| held.threads))] {
                if is_leak {
                    self.scene.journal.wrong(format!("{name} has ever more {what}: {series:?}"));
                }
            }
            let series: Vec<_> = series.iter().filter(|held| held.operations == 0 || held.operations >= WARM).collect();
            if self.between * (series.len() as u32) < ENOUGH {
                println!("{name} was watched for too short a time to tell whether it leaks");
                continue;
            }
            let private: Vec<_> = series.iter().map(|held| held.private).collect();
            let contexts: Vec<_> = series.iter().map(|held| held.contexts).collect();
            for (what, series, steady, most) in
                [("private memory", private, 1024, 24 * 1024), ("memory contexts", contexts, 256, 8 * 1024)]
            {
                if is_leak(&series, steady, most) {
                    self.scene.journal.wrong(format!("the {what} of {name} leaks, in kB: {series:?}"));
                }
            }
        }
    }
}

/// See [`Samples::check`].
fn is_leak(series: &[i64], steady: i64, most: i64) -> bool {
    let floors: Vec<_> = series.chunks(series.len().div_ceil(4)).map(|window| window.iter().min().unwrap()).collect();
    let growth = floors[floors.len() - 1] - floors[0];
    // From four floors there are three steps, each a third of the growth where it is quite even.
    let is_even = floors.windows(2).all(|pair| (pair[1] - pair[0]) * 4 >= growth);
    (is_even && growth > steady) || growth > most
}

#[test]
fn leak_rule() {
    let noise = |index: i64| index * 7919 % 300;
    let series = |value: fn(i64) -> i64| (0..28).map(|index| value(index) + noise(index)).collect::<Vec<_>>();
    assert!(is_leak(&series(|index| 9000 + index * 60), 1024, 24 * 1024), "60 kB with each sample");
    assert!(is_leak(&series(|index| if index < 20 { 9000 } else { 40_000 }), 1024, 24 * 1024), "one jump");
    assert!(!is_leak(&series(|_| 9000), 1024, 24 * 1024), "noise");
    assert!(!is_leak(&series(|index| 9000 + index.min(8) * 200), 1024, 24 * 1024), "growth that comes to an end");
    assert!(!is_leak(&series(|index| 9000 + index % 5 * 4000), 1024, 24 * 1024), "peaks");
}

/// How many open files of a process have no name: sockets and pipes. Those with one are mostly tables, which a backend
/// keeps open as long as it can.
fn sockets(pid: i32) -> Option<i64> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    Some(files.filter(|file| fs::read_link(file.path()).is_ok_and(|path| path.is_relative())).count() as i64)
}

/// The processes that run in a directory.
pub fn processes_in(directory: &Path) -> Vec<i32> {
    let directory = fs::canonicalize(directory).expect("the directory");
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == directory)).collect()
}

/// A process's title, and of each of its threads the state, the signals that wait or are blocked, and the system call that
/// it is in, as the kernel writes them: for whoever looks for the reason why it does not end.
pub fn what_it_does(pid: i32) -> String {
    let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&title).replace('\0', " ");
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|thread| {
        let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        let status = read("status");
        let wanted = |line: &&str| ["State", "SigPnd", "ShdPnd", "SigBlk"].iter().any(|name| line.starts_with(name));
        let status: Vec<_> = status.lines().filter(wanted).collect();
        format!("[{}; in {}; {}]", status.join("; "), read("wchan"), read("syscall").trim_end())
    });
    format!("{pid} {} {}", title.trim_end(), threads.collect::<Vec<_>>().join(" "))
}

/// It says of every thread what it does.
#[test]
fn what_this_process_does() {
    let said = what_it_does(std::process::id() as i32);
    let threads = process_status(std::process::id() as i32, "Threads").expect("this process") as usize;
    assert!(said.matches("[State:\t").count() >= threads.min(2) && said.contains("SigBlk:"), "{said}");
}

/// The shared memory that a process has mapped: files in /dev/shm, and numbers of System V segments.
fn segments_of(pid: i32) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let mut segments = Vec::new();
    for line in maps.lines() {
        // An address, permissions, an offset, a device, an inode, and a path.
        let fields: Vec<_> = line.split_whitespace().collect();
        match fields.get(5) {
            Some(path) if path.starts_with("/dev/shm/") && fields.len() == 6 => segments.push(path.to_string()),
            Some(path) if path.starts_with("/SYSV") => segments.push(fields[4].to_owned()),
            _ => {}
        }
    }
    segments
}

/// Whether such a segment is there.
pub fn is_there(segment: &str) -> bool {
    if segment.starts_with('/') {
        return Path::new(segment).exists();
    }
    let all = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    all.lines().any(|line| line.split_whitespace().nth(1) == Some(segment))
}

impl fmt::Display for Samples<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calm: Vec<_> = self.samples.iter().filter(|sample| sample.phase == Phase::Calm).collect();
        let Some(last) = self.samples.last() else { return Ok(()) };
        let moments = [
            ("at the start", calm.first().copied()),
            ("after the warm-up", calm.get(calm.len() * WARM_UP / 100).copied()),
            ("before the storm", calm.last().copied()),
            ("at the end", Some(last)),
        ];
        writeln!(to, "private memory in kB / in memory contexts / sockets / threads")?;
        write!(to, "{:<24}", "")?;
        moments.iter().try_for_each(|(moment, _)| write!(to, "{moment:>26}"))?;
        writeln!(to)?;
        let names: BTreeSet<_> = self.samples.iter().flat_map(|sample| sample.processes.keys()).collect();
        for name in names {
            write!(to, "{name:<24}")?;
            for (_, sample) in &moments {
                let held = sample.and_then(|sample| sample.processes.get(*name)).map_or(String::new(), |held| {
                    format!("{} / {} / {} / {}", held.private, held.contexts, held.sockets, held.threads)
                });
                write!(to, "{held:>26}")?;
            }
            writeln!(to)?;
        }
        for (moment, sample) in moments {
            let Some(Sample { server: Some(server), .. }) = sample else { continue };
            let Server { locks, advisory_locks, sessions, temporary_files, waiting_requests, processes, segments, log } =
                server;
            writeln!(
                to,
                "{moment}: {locks} locks ({advisory_locks} advisory), {sessions} sessions, {processes} processes, \
                 {waiting_requests} requests waiting, {temporary_files} temporary files, {segments} shared memory segments, \
                 {log} kB of log"
            )?;
        }
        Ok(())
    }
}
