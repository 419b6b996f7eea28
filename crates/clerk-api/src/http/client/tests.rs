use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;

use super::*;

#[test]
fn only_https_or_this_machine() {
    for good in ["https://api.clerk.com/v1", "http://127.0.0.1:8080/v1", "http://localhost/v1/", "http://[::1]:1"] {
        assert!(check_api_url(good).is_ok(), "{good}");
    }
    for (bad, problem) in [
        ("http://api.clerk.com/v1", "unencrypted"),
        ("ftp://localhost", "not https"),
        ("https://me:secret@api.clerk.com", "user name"),
        ("https://api.clerk.com/v1?x=1", "end with its path"),
        ("api.clerk.com", "does not begin with https://"),
        ("http://127.0.0.1.example.com/", "unencrypted"),
    ] {
        let reason = check_api_url(bad).expect_err(bad);
        assert!(reason.contains(problem), "{bad}: {reason}");
    }
}

#[test]
fn the_key_is_in_no_debug_output() {
    let client = Client::new(Settings::default(), "sk_test_never_shown".into()).unwrap();
    assert!(!format!("{client:?} {:?}", client.settings()).contains("never_shown"));
    assert_eq!(client.redact("a sk_test_never_shown b", &Request::new("/users")), "a [secret key] b");
}

#[test]
fn a_key_that_no_header_can_carry_is_refused_unseen() {
    let error = Client::new(Settings::default(), "sk_test_\n".into()).unwrap_err();
    assert!(!error.to_string().contains("sk_test_"), "{error}");
}

/// A server on this machine that handles each connection with `answer`.
fn clerk(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                // A request without a body is so small that it arrives at once.
                let _ = stream.read(&mut [0; 4096]);
                answer(stream);
            });
        }
    });
    format!("http://{address}")
}

async fn get(url: &str) -> Result<Vec<u8>, Error> {
    client(url).get(&Request::new("/users"), &Stats::default()).await
}

fn client(url: &str) -> Client {
    let settings = Settings { api_url: url.to_owned(), max_retries: 1, ..Settings::default() };
    Client::new(settings, "sk_test_key".into()).unwrap()
}

/// Sends a head and then a body, of up to so many MiB, for as long as the client reads it. Returns how many bytes of
/// the body were sent.
fn send(mut stream: &TcpStream, status: &str, mebibytes: usize) -> usize {
    let piece = vec![b' '; 64 * 1024];
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n");
    let mut sent = 0;
    if stream.write_all(head.as_bytes()).is_ok() {
        while sent < mebibytes * MEBIBYTE && stream.write_all(&piece).is_ok() {
            sent += piece.len();
        }
    }
    sent
}

const MEBIBYTE: usize = 1024 * 1024;

/// More than the sockets of this machine buffer of a body that nobody reads.
const IN_SOCKETS: usize = 16 * MEBIBYTE;

#[tokio::test]
async fn a_body_is_read_up_to_64_mebibytes() {
    let of = |mebibytes| {
        clerk(move |stream| {
            send(&stream, "200 OK", mebibytes);
        })
    };
    assert_eq!(get(&of(64)).await.unwrap().len(), 64 * MEBIBYTE);
    let error = get(&of(65)).await.unwrap_err();
    assert!(error.to_string().contains("more than 67108864 bytes; a smaller page_size"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_does_not_end_is_read_no_further_than_64_kibibytes() {
    let (sent, received) = mpsc::channel();
    let url = clerk(move |stream| sent.send(send(&stream, "400 Bad Request", 1024)).unwrap());
    let error = get(&url).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 400, .. }), "{error}");
    let sent = received.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(sent < IN_SOCKETS, "{sent} bytes were taken");
}

#[tokio::test]
async fn an_error_that_breaks_off_is_quoted_as_far_as_it_came() {
    let url = clerk(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 1099511627776\r\n\r\nno");
    });
    let error = get(&url).await.unwrap_err();
    assert!(error.to_string().contains("a body that begins with \"no\""), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unusually_large_bodies_come_two_at_a_time() {
    let taken: Arc<[AtomicUsize; 4]> = Arc::default();
    let connections = AtomicUsize::new(0);
    let may_end = Arc::new(AtomicBool::new(false));
    let url = {
        let (taken, may_end) = (Arc::clone(&taken), Arc::clone(&may_end));
        clerk(move |mut stream| {
            let taken = &taken[connections.fetch_add(1, SeqCst)];
            let piece = vec![b' '; MEBIBYTE];
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").unwrap();
            for _ in 0..40 {
                stream.write_all(&piece).unwrap();
                taken.fetch_add(MEBIBYTE, SeqCst);
            }
            while !may_end.load(SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
        })
    };
    let client = Arc::new(client(&url));
    let reading = [(); 4].map(|()| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.get(&Request::new("/users"), &Stats::default()).await })
    });
    let is_whole = |taken: &&AtomicUsize| taken.load(SeqCst) == 40 * MEBIBYTE;
    while taken.iter().filter(is_whole).count() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // If the other two bodies did not wait, they would arrive in this time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let waiting = taken.iter().filter(|taken| taken.load(SeqCst) < IN_SOCKETS).count();
    may_end.store(true, SeqCst);
    for body in reading {
        assert_eq!(body.await.unwrap().unwrap().len(), 40 * MEBIBYTE);
    }
    assert_eq!(waiting, 2);
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    for (text, seconds) in [
        ("0", Some(0)),
        (" 120 ", Some(120)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", Some(u64::MAX)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
        ("Sun, 06 Nov 1994 08:48:37 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ] {
        assert_eq!(retry_after(&HeaderValue::from_static(text), now), seconds.map(Duration::from_secs), "{text:?}");
    }
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_an_error_that_says_so() {
    let url = |status: &'static str, seconds: &'static str| {
        clerk(move |mut stream| {
            let head = format!("HTTP/1.1 {status}\r\nretry-after: {seconds}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
        })
    };
    for (status, seconds, expected) in [
        (
            "503 Unavailable",
            "301",
            "it asks for a wait of 301 s, and 300 s are the most there is (GET /users; 1 try in",
        ),
        (
            "429 Too Many Requests",
            "61",
            "Clerk asks to wait 61 s, and of rate_limit_timeout_ms (60000) there are 60.0 s left (GET /users; 1 try in",
        ),
        ("429 Too Many Requests", "18446744073709551615", "Clerk asks to wait 18446744073709551615 s, and of"),
    ] {
        let url = url(status, seconds);
        let error = tokio::time::timeout(Duration::from_secs(5), get(&url)).await.unwrap().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// Answers with 429 and `Retry-After: 1` for some seconds, and then with an empty list.
fn busy_for(seconds: u64) -> String {
    let start = Instant::now();
    clerk(move |mut stream| {
        let answer = match start.elapsed() < Duration::from_secs(seconds) {
            true => "429 Too Many Requests\r\nretry-after: 1",
            false => "200 OK",
        };
        let head = format!("HTTP/1.1 {answer}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]");
        stream.write_all(head.as_bytes()).unwrap();
    })
}

#[tokio::test]
async fn a_429_is_waited_out_whatever_max_retries_says() {
    let stats = Stats::default();
    let settings = Settings { api_url: busy_for(5), max_retries: 0, ..Settings::default() };
    let client = Client::new(settings, "sk_test_key".into()).unwrap();
    assert_eq!(client.get(&Request::new("/users"), &stats).await.unwrap(), b"[]");
    // After 1, 2 and 4 seconds.
    assert_eq!(stats.requests(), 4, "the pauses have grown");
    assert!(stats.pacing_time() >= Duration::from_secs(6), "{:?}", stats.pacing_time());
}

#[tokio::test]
async fn a_429_that_does_not_end_is_an_error_in_time() {
    let rate_limit_timeout = Duration::from_millis(2500);
    let settings = Settings { api_url: busy_for(60), rate_limit_timeout, ..Settings::default() };
    let client = Client::new(settings, "sk_test_key".into()).unwrap();
    let start = Instant::now();
    let error = client.get(&Request::new("/users"), &Stats::default()).await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { tries: 3, .. }), "{error}");
    assert!(error.to_string().contains("rate_limit_timeout_ms (2500)"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Clerk may count a request at any moment until it has answered.
#[tokio::test]
async fn a_slot_is_in_use_until_the_answer_comes() {
    let url = clerk(|mut stream| {
        thread::sleep(Duration::from_secs(2));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]");
    });
    let settings = Settings { api_url: url, rate_limit: NonZeroU32::new(1), ..Settings::default() };
    let client = Client::new(settings, "sk_test_key".into()).unwrap();
    let start = Instant::now();
    for _ in 0..2 {
        client.get(&Request::new("/users"), &Stats::default()).await.unwrap();
    }
    assert!(start.elapsed() >= Duration::from_secs(14), "{:?}", start.elapsed());
}

#[test]
fn there_is_one_set_of_root_certificates() {
    // A second set would be the one that is compiled in by webpki-roots.
    let lock = include_str!("../../../../../Cargo.lock");
    assert!(lock.contains("name = \"rustls-native-certs\"") && !lock.contains("name = \"webpki-roots\""));
}

#[test]
fn a_machine_without_root_certificates_is_told_so() {
    const NONE: &str = "/dev/null";
    if std::env::var("SSL_CERT_FILE").as_deref() != Ok(NONE) {
        // The environment belongs to the process, so the test runs in another one.
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "http::client::tests::a_machine_without_root_certificates_is_told_so"]);
        let output = again.env("SSL_CERT_FILE", NONE).env_remove("SSL_CERT_DIR").output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
        return;
    }
    let url = clerk(|_| {}).replace("http:", "https:");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(get(&url)).unwrap_err();
    assert!(error.to_string().contains("install ca-certificates or set SSL_CERT_FILE"), "{error}");
}
