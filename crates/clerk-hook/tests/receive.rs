//! Deliveries on their way from HTTP to a function in Postgres.
//!
//! They need the Postgres that PGHOST names, as `make test` starts one. Each test has a database of its own there,
//! with a stand-in for `clerk_fdw.receive_webhook` that does what the body asks for.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use support::{Receiver, wait_until};

/// A delivery reaches the database unchanged, and its answer goes back.
#[tokio::test]
async fn delivery_arrives_unchanged() {
    let receiver = Receiver::start(|_| {}).await;
    for answer in ["applied", "duplicate", "stale", "ignored"] {
        let body = format!(
            "\u{20}{{\"answer\":\"{answer}\",\r\n \"text\": \"é\\ud83d\\ude00\u{1F600}'\\\"\", \"n\":1.0e0 }} \n"
        );
        assert_eq!(receiver.deliver(&body).await, (StatusCode::OK, answer.to_owned()));
        assert_eq!(receiver.received().await, [["clerk", &body, "msg_1", "1649367553", "v1,c2lnbmVk v1,b3RoZXI="]]);
    }
}

/// The headers are read under either of their names.
#[tokio::test]
async fn svix_and_webhook_headers() {
    let receiver = Receiver::start(|_| {}).await;
    let request = receiver.post(r#"{"answer":"applied"}"#, &["webhook-id", "webhook-timestamp", "webhook-signature"]);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(receiver.received().await[0][2..], ["msg_1", "1649367553", "v1,c2lnbmVk v1,b3RoZXI="]);
}

/// What will never verify is answered with 4xx.
#[tokio::test]
async fn status_4xx_for_what_never_verifies() {
    let receiver = Receiver::start(|_| {}).await;
    for (code, status) in [
        ("28000", StatusCode::UNAUTHORIZED),
        ("22023", StatusCode::BAD_REQUEST),
        ("54000", StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let (answered, text) = receiver.deliver(&format!(r#"{{"raise":"{code}"}}"#)).await;
        assert_eq!((answered, text.as_str()), (status, "refused: as you wish"));
    }
}

/// Whatever else is raised is answered with 5xx, so that it is sent again, and says nothing about the server.
#[tokio::test]
async fn status_5xx_for_every_other_error() {
    let receiver = Receiver::start(|_| {}).await;
    for code in ["P0001", "40001", "28P01", "55P03", "08006", "53300", "57014", "42883"] {
        let (status, text) = receiver.deliver(&format!(r#"{{"raise":"{code}"}}"#)).await;
        assert!(status.is_server_error(), "{code}: {status}");
        assert!(!text.contains("as you wish"), "what went wrong in here is nobody's business: {text}");
    }
    let stored = receiver.deliver(r#"{"answer":"failed"}"#).await;
    assert_eq!(stored, (StatusCode::INTERNAL_SERVER_ERROR, "failed".to_owned()), "stored, but not applied");
    let no_text = receiver.deliver("{}").await;
    assert_eq!(no_text.0, StatusCode::INTERNAL_SERVER_ERROR, "an answer of null");
}

/// A delivery is answered with success only once it is committed.
#[tokio::test]
async fn success_only_after_commit() {
    let receiver = Receiver::start(|_| {}).await;
    let (status, _) = receiver.deliver(r#"{"answer":"applied", "fail_at_commit":true}"#).await;
    assert!(status.is_server_error(), "{status}");
    assert!(receiver.received().await.is_empty());
}

/// What is no delivery does not reach the database.
#[tokio::test]
async fn invalid_request_does_not_reach_the_database() {
    let receiver = Receiver::start(|config| config.max_body_bytes = 100).await;
    for missing in 0..3 {
        let mut names = ["svix-id", "svix-timestamp", "svix-signature"];
        names[missing] = "x-other";
        let answer = receiver.post("{}", &names).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let name = ["svix-id", "svix-timestamp", "svix-signature"][missing];
        assert_eq!(answer.text().await.unwrap(), format!("the header {name} is missing"));
    }
    for (body, status) in [
        (b"\xff\xfe".to_vec(), StatusCode::BAD_REQUEST),
        (b"{\"a\":\"\0\"}".to_vec(), StatusCode::BAD_REQUEST),
        (vec![b' '; 101], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(receiver.deliver_bytes(body).await.0, status);
    }
    assert!(read(receiver.begin(101)).await.starts_with("HTTP/1.1 413 "), "it said how much would come");
    let get = reqwest::get(receiver.url("/webhooks/clerk")).await.unwrap();
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reqwest::get(receiver.url("/")).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert!(receiver.received().await.is_empty());
    assert_eq!(receiver.connections().await, 0);
}

/// A statement that takes too long is cancelled and is in nobody's way.
#[tokio::test]
async fn slow_statement_is_cancelled() {
    let receiver = Receiver::start(|config| {
        config.timeout = Duration::from_secs(2);
        config.pool_size = 1.try_into().unwrap();
    })
    .await;
    let start = Instant::now();
    let slow = receiver.deliver(r#"{"sleep":30}"#);
    let waiting = receiver.deliver(r#"{"answer":"applied"}"#);
    let (slow, waiting) = tokio::join!(slow, waiting);
    assert_eq!((slow.0, waiting.0), (StatusCode::GATEWAY_TIMEOUT, StatusCode::GATEWAY_TIMEOUT));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());

    assert_eq!(receiver.deliver(r#"{"answer":"applied"}"#).await.0, StatusCode::OK);
    wait_until("the slow statement is cancelled", async || receiver.connections().await == 1).await;
}

/// A body that does not come is answered with 408.
#[tokio::test]
async fn body_timeout() {
    let receiver = Receiver::start(|config| config.timeout = Duration::from_millis(300)).await;
    let answer = read(receiver.begin(100)).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// All that comes until the end, however that looks.
async fn read(mut stream: TcpStream) -> String {
    let reading = move || {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    };
    tokio::task::spawn_blocking(reading).await.unwrap()
}

/// Connections have a limited time for their headers and between requests.
#[tokio::test]
async fn header_and_idle_timeout() {
    let receiver = Receiver::start(|config| config.header_timeout = Duration::from_millis(300)).await;
    let start = Instant::now();
    let silent = TcpStream::connect(receiver.address()).unwrap();
    let mut idle = TcpStream::connect(receiver.address()).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let dripping = TcpStream::connect(receiver.address()).unwrap();
    let mut drip = dripping.try_clone().unwrap();
    let drips = tokio::task::spawn_blocking(move || {
        // Each byte is sooner than the limit; all of them are not, by far.
        for byte in b"POST /webhooks/clerk HTTP/1.1\r\n".iter().cycle().take(2000) {
            if drip.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    dripping.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (silent, idle, dripping) = tokio::join!(read(silent), read(idle), read(dripping));
    assert_eq!((silent.as_str(), dripping.as_str()), ("", ""));
    assert!(idle.starts_with("HTTP/1.1 404 ") && !idle.contains("connection: close"), "{idle}");
    assert!(start.elapsed() > Duration::from_millis(290) && start.elapsed() < Duration::from_secs(20));
    drips.await.unwrap();
}

/// Too many deliveries at once are answered with 503 and a Retry-After.
#[tokio::test]
async fn max_deliveries_answers_503_with_retry_after() {
    let receiver = Receiver::start(|config| {
        config.timeout = Duration::from_secs(10);
        config.max_deliveries = 1.try_into().ok();
    })
    .await;
    let body = r#"{"answer":"applied", "sleep":7.5}"#;
    let mut first = receiver.begin(body.len());
    first.write_all(body.as_bytes()).unwrap();
    wait_until("the database is at it", async || receiver.connections().await == 1).await;
    let second = receiver.post(r#"{"answer":"applied"}"#, &support::HEADERS).send().await.unwrap();
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(second.headers()["retry-after"], "5");
    assert_eq!(second.text().await.unwrap(), "too many deliveries at once");
    assert!(read(first).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(receiver.deliver(r#"{"answer":"applied"}"#).await.0, StatusCode::OK);
}

/// A sender who hangs up keeps the place until the database is done.
#[tokio::test]
async fn disconnected_sender_keeps_its_place() {
    let receiver = Receiver::start(|config| {
        config.timeout = Duration::from_secs(10);
        config.max_deliveries = 1.try_into().ok();
    })
    .await;
    let body = r#"{"answer":"applied", "sleep":7.5}"#;
    let mut first = receiver.begin(body.len());
    first.write_all(body.as_bytes()).unwrap();
    wait_until("the database is at it", async || receiver.connections().await == 1).await;
    drop(first);
    assert_eq!(receiver.deliver(r#"{"answer":"applied"}"#).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

/// A body that is slow gives way to other deliveries.
#[tokio::test]
async fn slow_body_gives_way() {
    let receiver = Receiver::start(|config| {
        config.timeout = Duration::from_secs(60);
        config.max_deliveries = 1.try_into().ok();
    })
    .await;
    let slow = receiver.begin(100);
    let start = Instant::now();
    assert_eq!(receiver.deliver(r#"{"answer":"applied"}"#).await.0, StatusCode::OK);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(read(slow).await.starts_with("HTTP/1.1 408 "));
}

/// A sender who hangs up is served all the same, and is in nobody's way.
#[tokio::test]
async fn disconnected_sender_is_served() {
    let receiver = Receiver::start(|_| {}).await;
    let body = r#"{"answer":"applied", "sleep":5}"#;
    let mut stream = receiver.begin(body.len());
    stream.write_all(body.as_bytes()).unwrap();
    wait_until("the database is at it", async || receiver.connections().await == 1).await;
    drop(stream);

    let start = Instant::now();
    assert_eq!(receiver.deliver(r#"{"answer":"applied"}"#).await.0, StatusCode::OK);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(receiver.received().await.len(), 1);
    wait_until("the delivery is applied", async || receiver.received().await.len() == 1).await;
}

/// Connections to the database that broke are replaced.
#[tokio::test]
async fn broken_database_connection_is_replaced() {
    let receiver = Receiver::start(|_| {}).await;
    assert_eq!(receiver.deliver(r#"{"answer":"applied"}"#).await.0, StatusCode::OK);
    receiver.terminate_connections().await;
    wait_until("a delivery gets through", async || {
        let (status, _) = receiver.deliver(r#"{"answer":"applied"}"#).await;
        assert!(status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE, "{status}");
        status == StatusCode::OK
    })
    .await;
    let during = receiver.deliver(r#"{"terminate":true}"#).await;
    assert_eq!(during.0, StatusCode::SERVICE_UNAVAILABLE);
}

/// A database that cannot be reached is answered with 503.
#[tokio::test]
async fn unreachable_database_is_503() {
    // Postgres says 28000 to a role that does not exist.
    let receiver = Receiver::start(|config| {
        config.database.user("nobody_of_that_name");
    })
    .await;
    let (status, text) = receiver.deliver(r#"{"answer":"applied"}"#).await;
    assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "the database is not available"));
    assert_eq!(receiver.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(receiver.get("/healthz").await.0, StatusCode::OK);
}

/// The server is ready when the database answers.
#[tokio::test]
async fn readyz() {
    let receiver = Receiver::start(|_| {}).await;
    assert_eq!(receiver.get("/readyz").await, (StatusCode::OK, "ok".to_owned()));
}

/// The public address has neither health nor metrics.
#[tokio::test]
async fn admin_paths_are_not_public() {
    let receiver = Receiver::start(|_| {}).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(receiver.get(path).await.0, StatusCode::OK);
        assert_eq!(reqwest::get(receiver.url(path)).await.unwrap().status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(receiver.get("/webhooks/clerk").await.0, StatusCode::NOT_FOUND);
}

/// Readiness does not wait for a connection that a delivery uses.
#[tokio::test]
async fn readyz_does_not_wait_for_deliveries() {
    let receiver = Receiver::start(|config| config.pool_size = 1.try_into().unwrap()).await;
    let delivery = receiver.post(r#"{"answer":"applied", "sleep":5}"#, &support::HEADERS).send();
    let delivery = tokio::spawn(delivery);
    wait_until("the database is at it", async || receiver.connections().await == 1).await;
    assert_eq!(receiver.get("/readyz").await.0, StatusCode::OK);
    assert_eq!(receiver.connections().await, 2);
    assert!(!delivery.is_finished());
    assert_eq!(delivery.await.unwrap().unwrap().status(), StatusCode::OK);
}

/// Deliveries are counted by outcome, and errors by status.
#[tokio::test]
async fn metrics() {
    let receiver = Receiver::start(|_| {}).await;
    for body in [r#"{"answer":"applied"}"#, r#"{"answer":"applied"}"#, r#"{"answer":"new"}"#, r#"{"raise":"28000"}"#] {
        receiver.deliver(body).await;
    }
    let (status, text) = receiver.get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        r#"clerk_hook_deliveries_total{outcome="applied"} 2"#,
        r#"clerk_hook_deliveries_total{outcome="stale"} 0"#,
        r#"clerk_hook_deliveries_total{outcome="other"} 1"#,
        r#"clerk_hook_errors_total{status="401"} 1"#,
        r#"clerk_hook_errors_total{status="503"} 0"#,
        "clerk_hook_delivery_seconds_count 4",
        r#"clerk_hook_delivery_seconds_bucket{le="+Inf"} 4"#,
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
}

/// Stopping finishes the deliveries that are on their way.
#[tokio::test]
async fn shutdown_finishes_deliveries() {
    let mut receiver = Receiver::start(|_| {}).await;
    let delivery = receiver.post(r#"{"answer":"applied", "sleep":3}"#, &support::HEADERS).send();
    let delivery = tokio::spawn(delivery);
    wait_until("the database is at it", async || receiver.connections().await == 1).await;
    receiver.stop();
    wait_until("nobody is let in any more", async || TcpStream::connect(receiver.address()).is_err()).await;
    assert_eq!(delivery.await.unwrap().unwrap().status(), StatusCode::OK);
    receiver.stopped().await;
}

/// Stopping does not wait for a request that never ends.
#[tokio::test]
async fn shutdown_has_a_time_limit() {
    let mut receiver = Receiver::start(|config| {
        config.timeout = Duration::from_millis(300);
        config.header_timeout = Duration::from_secs(120);
    })
    .await;
    // A request whose headers never end.
    let mut stream = TcpStream::connect(receiver.address()).unwrap();
    stream.write_all(b"POST /webhooks/clerk HTTP/1.1\r\n").unwrap();
    let start = Instant::now();
    receiver.stop();
    receiver.stopped().await;
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
