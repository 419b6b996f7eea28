//! The program while senders nobody knows do their worst: its memory and file descriptors stay bounded, and deliveries
//! are served. Like the tests of deliveries they need the Postgres that PGHOST names.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use support::program::start_program;
use support::{HEADERS, VALUES, begin, database, wait_until};

const MEBIBYTE: usize = 1024 * 1024;

const SIXTEEN: (&str, &str) = ("CLERK_HOOK_MAX_DELIVERIES", "16");

/// The machine may have other things to do besides.
const PATIENT: (&str, &str) = ("CLERK_HOOK_TIMEOUT_MS", "30000");

/// The program over a database with the stand-in.
struct Program {
    child: Child,
    address: SocketAddr,
    /// What it has without any connection.
    memory: usize,
    descriptors: usize,
}

impl Program {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let (_, config) = database().await;
        let variable = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let url = format!(
            "host={} port={} user={} dbname={}",
            variable("PGHOST", ""),
            variable("PGPORT", "5432"),
            variable("PGUSER", "postgres"),
            config.get_dbname().unwrap()
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_clerk-hook"));
        command.args(["--listen", "127.0.0.1:0", "--mirror", "clerk"]).env("CLERK_HOOK_ADMIN_LISTEN", "off");
        command.env("DATABASE_URL", url).envs(settings.iter().copied());
        let (child, log, [address]) = start_program(&mut command);
        let address = address.parse().unwrap();
        thread::spawn(move || log.lines().for_each(drop));
        let mut program = Program { child, address, memory: 0, descriptors: 0 };
        program.memory = program.memory();
        program.descriptors = program.descriptors();
        program
    }

    /// Bytes of memory that are its own.
    fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Delivers for a while, one after another, and gives the longest that one took and the most that the program had
    /// meanwhile beyond what it began with.
    async fn deliver(&self, times: usize) -> Cost {
        let mut cost = Cost::default();
        for _ in 0..times {
            let start = Instant::now();
            assert_eq!(deliver(self.address, r#"{"answer":"applied"}"#.into()).await.unwrap(), StatusCode::OK);
            cost.longest = cost.longest.max(start.elapsed());
            cost.memory = cost.memory.max(self.memory().saturating_sub(self.memory));
            cost.descriptors = cost.descriptors.max(self.descriptors().saturating_sub(self.descriptors));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!("{cost:?}");
        cost
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug, Default)]
struct Cost {
    longest: Duration,
    memory: usize,
    descriptors: usize,
}

/// A delivery with a connection of its own.
async fn deliver(address: SocketAddr, body: Vec<u8>) -> reqwest::Result<StatusCode> {
    let request = reqwest::Client::new().post(format!("http://{address}/webhooks/clerk")).body(body);
    let request = HEADERS.iter().zip(VALUES).fold(request, |request, (name, value)| request.header(*name, value));
    Ok(request.send().await?.status())
}

/// Connections that say little or nothing keep nobody out.
#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_keep_nobody_out() {
    let limits = [("CLERK_HOOK_MAX_CONNECTIONS", "100"), ("CLERK_HOOK_HEADER_TIMEOUT_MS", "60000"), PATIENT];
    let program = Program::start(&limits).await;
    let address = program.address;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Half of them say nothing at all, half a byte at a time; who is sent away comes again.
            let connect = || TcpStream::connect(address).unwrap();
            let mut senders: Vec<TcpStream> = (0..400).map(|_| connect()).collect();
            for byte in b"POST /webhooks/clerk HTTP/1.1\r\nhost: x\r\n".iter().cycle() {
                if is_over.load(Relaxed) {
                    break;
                }
                for sender in senders.iter_mut().step_by(2) {
                    if sender.write_all(&[*byte]).is_err() {
                        *sender = connect();
                    }
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        let cost = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(program.deliver(40)));
        is_over.store(true, Relaxed);
        // Nobody waited for the minute after which they would all be closed.
        assert!(cost.longest < Duration::from_secs(20), "{cost:?}");
        assert!(cost.descriptors <= 100 + 8 + 2, "{cost:?}");
        assert!(cost.memory < 32 * MEBIBYTE, "{cost:?}");
    });
}

/// Connections that say nothing are closed.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_closed() {
    let program = Program::start(&[("CLERK_HOOK_HEADER_TIMEOUT_MS", "1000")]).await;
    let silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(program.address).unwrap()).collect();
    for mut connection in silent {
        connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(connection.read(&mut [0]).unwrap(), 0, "it is closed");
    }
    wait_until("all are gone", async || program.descriptors() <= program.descriptors + 2).await;
}

/// Bodies that do not end fill no memory and keep nobody out.
#[tokio::test(flavor = "multi_thread")]
async fn endless_bodies_are_bounded() {
    let limits = [SIXTEEN, PATIENT, ("CLERK_HOOK_POOL_SIZE", "2")];
    let program = Program::start(&limits).await;
    let address = program.address;
    // All but the last byte of each.
    let senders: Vec<_> = (0..112)
        .map(|_| {
            thread::spawn(move || {
                let mut stream = begin(address, MEBIBYTE);
                stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
                let _ = stream.write_all(&vec![b' '; MEBIBYTE - 1]);
                stream
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let cost = program.deliver(20).await;
    for sender in senders {
        drop(sender.join().unwrap());
    }
    assert!(cost.memory < 64 * MEBIBYTE, "{cost:?}");
}

/// Deliveries that are refused fill no memory and keep nobody out.
#[tokio::test(flavor = "multi_thread")]
async fn refused_deliveries_are_bounded() {
    let limits = [SIXTEEN, PATIENT, ("CLERK_HOOK_POOL_SIZE", "2")];
    let program = Program::start(&limits).await;
    let address = program.address;
    let mut forged = br#"{"raise":"28000"}"#.to_vec();
    forged.resize(MEBIBYTE, b' ');
    let senders: Vec<_> = (0..96)
        .map(|_| {
            let forged = forged.clone();
            tokio::spawn(async move {
                let mut unauthorized = 0;
                for _ in 0..2 {
                    // On a busy machine a body may be so slow that it gives way, perhaps before all of it was sent.
                    let Ok(status) = deliver(address, forged.clone()).await else { continue };
                    let gives_way = [StatusCode::REQUEST_TIMEOUT, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
                    assert!(status == StatusCode::UNAUTHORIZED || gives_way, "{status}");
                    unauthorized += usize::from(!gives_way);
                }
                unauthorized
            })
        })
        .collect();
    let cost = program.deliver(20).await;
    let mut unauthorized = 0;
    for sender in senders {
        unauthorized += sender.await.unwrap();
    }
    assert!(unauthorized > 0, "none was refused");
    assert!(cost.memory < 64 * MEBIBYTE, "{cost:?}");
}
