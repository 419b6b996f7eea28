//! The program: its options, its log and its end. None of it needs a database.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use support::process::send_signal;
use support::program::start_program;

const PASSWORD: &str = "a-password-of-mine";

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_clerk-hook"));
    program.env_remove("DATABASE_URL").args([
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--mirror",
        "clerk",
    ]);
    program
}

/// The program while it runs.
struct Running {
    child: Child,
    /// Nobody reads it any more where there is none.
    log: Option<BufReader<ChildStderr>>,
    /// Where it listens for administration.
    admin: String,
}

impl Running {
    fn over(url: &str) -> Self {
        let (child, log, [_, admin]) = start_program(program().env("DATABASE_URL", url));
        Running { child, log: Some(log), admin }
    }

    fn get(&self, path: &str) -> String {
        get(&self.admin, path)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the program says before it gives up.
fn complaint(program: &mut Command) -> String {
    let output = program.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// A database that nobody can reach.
fn nowhere() -> String {
    format!("postgres://me:{PASSWORD}@127.0.0.1:1/app")
}

/// The program serves until SIGTERM or SIGINT, and logs no password.
#[test]
fn sigterm_and_sigint_stop_it() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut program = Running::over(&nowhere());
        assert!(program.get("/healthz").starts_with("HTTP/1.1 200 "));
        assert!(program.get("/readyz").starts_with("HTTP/1.1 503 "));
        send_signal(program.child.id().try_into().unwrap(), signal);
        assert!(program.child.wait().unwrap().success(), "signal {signal}");

        let mut rest = String::new();
        program.log.take().unwrap().read_to_string(&mut rest).unwrap();
        assert!(rest.contains("not ready"), "{rest}");
        assert!(!rest.contains(PASSWORD), "{rest}");
    }
}

/// An address that is taken is named in the error.
#[test]
fn taken_address_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for option in ["--listen", "--admin-listen"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_clerk-hook"));
        program
            .env("DATABASE_URL", nowhere())
            .envs([("CLERK_HOOK_LISTEN", "127.0.0.1:0"), ("CLERK_HOOK_ADMIN_LISTEN", "off")]);
        let said = complaint(program.args(["--mirror", "clerk", option, &address]));
        assert!(said.contains(&format!("cannot listen on {address}: ")), "{said}");
    }
}

/// Administration can be switched off.
#[test]
fn admin_listen_off() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_clerk-hook"));
    program.args(["--listen", "127.0.0.1:0", "--admin-listen", "off", "--mirror", "clerk"]);
    let mut child = program.env("DATABASE_URL", nowhere()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.next().unwrap().contains("listening on 127.0.0.1:"));
    send_signal(child.id().try_into().unwrap(), libc::SIGTERM);
    assert!(log.next().unwrap().ends_with("stopping"));
    assert!(child.wait().unwrap().success());
}

/// The program serves when nobody reads its log any more.
#[test]
fn closed_stderr() {
    let mut program = Running::over(&nowhere());
    program.log = None;
    assert!(program.get("/readyz").starts_with("HTTP/1.1 503 "));
}

/// A database URL that cannot be read is not quoted, as it may hold a password.
#[test]
fn unreadable_database_url_is_not_quoted() {
    for url in [
        format!("postgres://me:{PASSWORD}@host:port/app"),
        format!("postgres://me:{PASSWORD}@host/app?sslmode=verify-full"),
        format!("me:pass={PASSWORD}@host"),
        format!("{PASSWORD}=x"),
    ] {
        let said = complaint(program().env("DATABASE_URL", &url));
        assert!(said.contains("the database's URL cannot be read"), "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
        let said = complaint(program().args(["--database-url", &url]));
        assert!(!said.contains(PASSWORD), "{said}");
    }
    let help = program().env("DATABASE_URL", PASSWORD).arg("--help").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains(PASSWORD));
}

/// Options have limits, and the error names the option.
#[test]
fn option_limits() {
    for (option, value) in [
        ("--pool-size", "0"),
        ("--timeout-ms", "0"),
        ("--timeout-ms", "18446744073709551615"),
        ("--header-timeout-ms", "0"),
        ("--max-body-bytes", "0"),
        ("--max-connections", "0"),
        ("--max-deliveries", "0"),
        ("--listen", "x"),
        ("--admin-listen", "x"),
    ] {
        let said = complaint(program().args(["--database-url", "postgres://host/app", option, value]));
        assert!(said.contains(option), "{said}");
    }
}

/// The URL's sslmode decides whether TLS is asked for.
#[test]
fn sslmode() {
    const SSL_REQUEST: i32 = 80_877_103;
    const STARTUP: i32 = 3 << 16;
    for (mode, said) in [
        ("?sslmode=disable", vec![STARTUP]),
        ("?sslmode=prefer", vec![SSL_REQUEST, STARTUP]),
        ("?sslmode=require", vec![SSL_REQUEST]),
        // On this machine; see src/sslmode.rs for others.
        ("", vec![SSL_REQUEST, STARTUP]),
    ] {
        let postgres = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = postgres.local_addr().unwrap();
        let program = Running::over(&format!("postgres://me@{address}/app{mode}"));
        let asking = std::thread::spawn(move || program.get("/readyz"));
        assert_eq!(first_messages(&mut postgres.accept().unwrap().0), said, "{mode}");
        assert!(asking.join().unwrap().starts_with("HTTP/1.1 503 "), "{mode}");
    }
}

/// The password file, without the end of its line, takes the place of the URL's password.
#[test]
fn password_file() {
    const ASK_FOR_PASSWORD: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
    let file = std::env::temp_dir().join(format!("clerk-hook-password-{}", std::process::id()));
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let postgres = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me:another@{}/app?sslmode=disable", postgres.local_addr().unwrap());
    let (mut child, _log, [_, admin]) =
        start_program(program().env("DATABASE_URL", url).env("CLERK_HOOK_PASSWORD_FILE", &file));
    let asking = std::thread::spawn(move || get(&admin, "/readyz"));

    let mut stream = postgres.accept().unwrap().0;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut startup = [0; 1024];
    assert_ne!(stream.read(&mut startup).unwrap(), 0);
    stream.write_all(ASK_FOR_PASSWORD).unwrap();
    let mut answer = vec![0; 5 + PASSWORD.len() + 1];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[0], b'p');
    assert_eq!(answer[5..], format!("{PASSWORD}\0").into_bytes());

    drop(stream);
    asking.join().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&file).unwrap();

    let missing = program().args(["--database-url", "host=x", "--password-file"]).arg(&file).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(said.contains(&format!("cannot read the password file {}", file.display())), "{said}");
}

/// The database is asked at most once a second, however often readiness is.
#[test]
fn readyz_asks_once_a_second() {
    let postgres = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = Running::over(&format!("postgres://me@{}/app?sslmode=disable", postgres.local_addr().unwrap()));
    let connections = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&connections);
    std::thread::spawn(move || {
        for _ in postgres.incoming() {
            counting.fetch_add(1, Relaxed);
        }
    });
    let start = Instant::now();
    for _ in 0..100 {
        assert!(program.get("/readyz").starts_with("HTTP/1.1 503 "));
    }
    let most = start.elapsed().as_secs() + 1;
    assert!(connections.load(Relaxed) <= most, "{connections:?} in {:?}", start.elapsed());
}

/// The codes of the messages that a client begins with, of which those that ask for TLS are answered with no.
fn first_messages(stream: &mut TcpStream) -> Vec<i32> {
    let mut codes = Vec::new();
    let mut head = [0; 8];
    while stream.read_exact(&mut head).is_ok() {
        let code = i32::from_be_bytes(head[4..].try_into().unwrap());
        codes.push(code);
        // A startup message is longer: it is the last one of interest.
        if i32::from_be_bytes(head[..4].try_into().unwrap()) > 8 {
            break;
        }
        stream.write_all(b"N").unwrap();
    }
    codes
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
