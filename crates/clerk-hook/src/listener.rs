//! Accepts connections and serves their requests, with bounds on how many connections there are and what each may cost.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::{debug, error};

use crate::slots::{Slot, Slots};

/// The size of a connection's buffer for received data, which is also the limit for a request's headers.
const BUFFER_BYTES: usize = 16 * 1024;

/// How long a connection may be without a request before it can be closed for a new one, if all slots are in use.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long to wait before accepting again, if the machine has no file descriptor or memory left for a connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_secs(1);

/// The limits on connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many connections there may be at once. If all of them have a request, new ones wait in the kernel's backlog.
    /// Otherwise the one that has been without a request for longest is closed.
    pub connections: usize,
    /// How long a connection may take to send the headers of a request, counted from when it was accepted or from the
    /// end of its previous request.
    pub header_timeout: Duration,
}

/// Answers the requests of a listener's connections until `stop` completes, and then finishes those that are in flight.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let slots = Slots::new(limits.connections, PATIENCE);
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(BUFFER_BYTES);
    let mut stop = pin!(stop);
    loop {
        let (stream, slot) = tokio::select! {
            next = next(&listener, &slots) => next,
            () = &mut stop => break,
        };
        let answers = TowerToHyperService::new(router.clone());
        let held_slot = Arc::clone(&slot);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            held_slot.protect();
            let (answer, held_slot) = (answers.call(request), Arc::clone(&held_slot));
            async move {
                let answer = answer.await;
                held_slot.make_evictable();
                answer
            }
        });
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended { debug!("a connection ended: {error}") },
                () = slot.evicted() => debug!("a connection without a request gave way to another"),
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// Accepts the next connection and acquires its slot.
async fn next(listener: &TcpListener, slots: &Arc<Slots>) -> (TcpStream, Arc<Slot>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, Arc::new(slots.acquire().await)),
            // The client closed the connection before it was accepted.
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                error!("no connection can be taken: {error}");
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Whether an error of `accept` concerns only the one connection.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
