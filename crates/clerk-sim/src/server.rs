//! Serves connections, and applies faults, delays and the rate limit to requests.

use std::future::{pending, poll_fn};
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::answer::{Answer, SimBody};
use crate::error::ClerkError;
use crate::fault::{Due, FaultKind};
use crate::lock::{lock, read, write};
use crate::request::{Outcome, Request, body_text};
use crate::shared::Shared;
use crate::{api, control};

const API_VERSION: HeaderName = HeaderName::from_static("clerk-api-version");
const TRACE_ID: HeaderName = HeaderName::from_static("x-clerk-trace-id");

/// Serves connections until `stop` is sent or its sender is dropped.
pub(crate) async fn serve(listener: StdListener, shared: Arc<Shared>, stop: oneshot::Receiver<()>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let accept = async {
        loop {
            // An error means that the connection ended before it was accepted, which is no reason to stop.
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, Arc::clone(&shared)));
            }
        }
    };
    tokio::select! {
        () = accept => {}
        _ = stop => {}
    }
    Ok(())
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Nagle's algorithm would delay the last segment of a page until the client acknowledges the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            respond(&shared, head, body).await
        })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let end = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    if end.is_err_and(|error| is_reset(&error)) {
        // With a linger time of zero, closing the socket sends RST instead of FIN.
        let _ = stream.set_zero_linger();
    }
}

/// Instead of an answer, the connection is to be reset.
#[derive(Debug, thiserror::Error)]
#[error("the connection is to be reset")]
struct Reset;

fn is_reset(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<Reset>())
}

async fn respond(shared: &Arc<Shared>, head: Parts, body: Incoming) -> Result<Response<SimBody>, Reset> {
    if head.uri.path().starts_with("/_sim") {
        return Ok(control::answer(shared, &head, body).await.send());
    }

    let mut request = Request::read(&head.method, &head.uri);
    let key = api::authenticate(&head, &shared.keys);
    request.key = key.as_ref().ok().copied();
    request.api_version = header(&head, &API_VERSION);
    request.user_agent = header(&head, &USER_AGENT);
    request.content_type = header(&head, &CONTENT_TYPE);
    // Only a request that may change something has a body of interest, and a GET need not wait for one.
    let is_read = head.method == Method::GET;
    let body = if is_read { Bytes::new() } else { body.collect().await.map_err(|_| Reset)?.to_bytes() };
    request.body = body_text(&body);
    let mut entry = LogEntry::new(shared, &request);

    let Due { changes, fault, distortions } = lock(&shared.plan).due(&request, entry.number);
    if !changes.is_empty() {
        let mut state = write(&shared.state);
        changes.into_iter().for_each(|change| change(&mut state));
    }

    let mut wait = shared.latency.get();
    if let Some(FaultKind::Slow { ms }) = fault {
        wait += Duration::from_millis(ms);
    }
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }

    let trace_id = trace_id(entry.number);
    let correct_answer = || {
        let result = key.and_then(|key| {
            let limited = shared.limiter.count(key);
            limited.map_err(ClerkError::too_many_requests)?;
            if is_read {
                api::answer(&read(&shared.state), &head, &request, distortions).map(|json| (200, json))
            } else {
                api::change(&mut write(&shared.state), &head, &request, &body)
            }
        });
        match result {
            Ok((status, json)) if is_read => {
                let answer = Answer::json(status, distortions.recount(json));
                lock(&shared.plan).sent(&request.path, &answer.body);
                answer
            }
            Ok((status, json)) => Answer::json(status, json),
            Err(error) => Answer::error(&error, &trace_id),
        }
    };
    let mut sends_half = false;
    let mut answer = match fault {
        None | Some(FaultKind::Slow { .. }) => correct_answer(),
        Some(FaultKind::Status { status, retry_after }) => {
            Answer::error(&ClerkError::with_status(status, retry_after), &trace_id)
        }
        Some(FaultKind::Body { status, body }) => Answer::json(status, body),
        Some(FaultKind::Html) => Answer {
            content_type: "text/html; charset=utf-8",
            ..Answer::json(200, "<!DOCTYPE html>\n<title>Welcome</title>\n<h1>It works</h1>\n")
        },
        Some(FaultKind::CutJson) => {
            let whole = correct_answer();
            let body = whole.body.slice(..whole.body.len() / 2);
            Answer { body, ..whole }
        }
        Some(FaultKind::Cut) => {
            sends_half = true;
            correct_answer()
        }
        Some(FaultKind::RepeatPage) if is_read => {
            let page = lock(&shared.plan).page_before(&request.path);
            page.map_or_else(correct_answer, |page| Answer::json(200, page))
        }
        Some(FaultKind::Reset) => {
            entry.outcome = Outcome::Reset;
            return Err(Reset);
        }
        Some(FaultKind::Silence) => pending().await,
        Some(FaultKind::LoseAnswer) => {
            correct_answer();
            entry.outcome = Outcome::Reset;
            return Err(Reset);
        }
        Some(FaultKind::WithholdAnswer) => {
            correct_answer();
            pending().await
        }
        // These are applied by `distortions`, or are about pages only.
        Some(
            FaultKind::RepeatPage
            | FaultKind::ShortPage { .. }
            | FaultKind::UnstableTies
            | FaultKind::Miscount { .. }
            | FaultKind::NoCount,
        ) => correct_answer(),
    };
    entry.outcome = Outcome::Status(answer.status);
    if let Some(version) = head.headers.get(&API_VERSION) {
        answer.headers.push((API_VERSION, version.clone()));
    }
    if let Ok(trace_id) = HeaderValue::from_str(&trace_id) {
        answer.headers.push((TRACE_ID, trace_id));
    }
    Ok(if sends_half { answer.send_half() } else { answer.send() })
}

fn header(head: &Parts, name: &HeaderName) -> Option<String> {
    let value = head.headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// A trace id of 32 hexadecimal digits, which depends only on the request's number.
fn trace_id(number: usize) -> String {
    let number = number as u64 + 1;
    let high = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let low = (high ^ high >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    format!("{high:016x}{low:016x}")
}

/// A request's entry in the log. When it is dropped, also because the connection ended, the outcome is recorded.
struct LogEntry {
    shared: Arc<Shared>,
    number: usize,
    outcome: Outcome,
}

impl LogEntry {
    fn new(shared: &Arc<Shared>, request: &Request) -> LogEntry {
        LogEntry {
            number: lock(&shared.log).begin(request.clone()),
            shared: Arc::clone(shared),
            outcome: Outcome::Abandoned,
        }
    }
}

impl Drop for LogEntry {
    fn drop(&mut self) {
        lock(&self.shared.log).end(self.number, self.outcome);
    }
}
