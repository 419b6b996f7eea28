//! The front door: a listener, and the connections that come in.

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

use crate::places::{Place, Places};

/// How much of what a sender sent may lie in a connection's buffer, which is also the most that headers may have.
const BUFFER: usize = 16 * 1024;

/// How long a connection that sends no request may keep a new one waiting where there is no room for both.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long to wait where the machine has no file descriptor or memory left for a connection.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many there are at once. Where that many are busy, new ones wait in the kernel's backlog; where one of them
    /// is without a request, it is closed instead.
    pub connections: usize,
    /// How long a connection may take to send all of a request's headers, counted from its beginning or the end of the
    /// request before.
    pub header_timeout: Duration,
}

/// Answers the requests that come to a listener until `stop`, then those that are in flight.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let places = Places::new(limits.connections, PATIENCE);
    let open = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(BUFFER);
    let mut stop = pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            next = next(&listener, &places) => next,
            () = &mut stop => break,
        };
        let answers = TowerToHyperService::new(router.clone());
        let guest = Arc::clone(&place);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            guest.served();
            let (answer, guest) = (answers.call(request), Arc::clone(&guest));
            async move {
                let answer = answer.await;
                guest.awaited();
                answer
            }
        });
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended { debug!("a connection ended: {error}") },
                () = place.sent_away() => debug!("a connection without a request gave way to another"),
            }
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// The next connection and its place.
async fn next(listener: &TcpListener, places: &Arc<Places>) -> (TcpStream, Arc<Place>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, Arc::new(places.take().await)),
            // It was closed before it was here.
            Err(error) if is_of_one(&error) => {}
            Err(error) => {
                error!("no connection can be taken: {error}");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Whether an error is one connection's alone.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
