//! The HTTP answers of the simulator, and bodies that can be cut short.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Response;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};

use crate::error::ClerkError;

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Answer {
        Answer { status, content_type: "application/json", body: body.into(), headers: Vec::new() }
    }

    pub(crate) fn error(error: &ClerkError, trace_id: &str) -> Answer {
        let mut answer = Answer::json(error.status, error.body(trace_id));
        if let Some(seconds) = error.retry_after {
            answer.headers.push((RETRY_AFTER, seconds.into()));
        }
        if let Some(methods) = error.allow.as_deref().and_then(|methods| HeaderValue::from_str(methods).ok()) {
            answer.headers.push((ALLOW, methods));
        }
        answer
    }

    pub(crate) fn send(self) -> Response<SimBody> {
        self.response(|body| SimBody { rest: Some(body), cut: None })
    }

    /// Sends the head and half of the body, and then closes the connection.
    pub(crate) fn send_half(self) -> Response<SimBody> {
        let length = self.body.len();
        let mut response =
            self.response(|body| SimBody { rest: Some(body.slice(..length / 2)), cut: Some(Cut::Flush) });
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        response
    }

    fn response(self, body: impl FnOnce(Bytes) -> SimBody) -> Response<SimBody> {
        let mut response = Response::new(body(self.body));
        // A fault can ask for a status that HTTP does not have.
        *response.status_mut() =
            hyper::StatusCode::from_u16(self.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        // What is not there has no type.
        if self.status != 204 {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        headers.extend(self.headers);
        response
    }
}

/// A body in memory, which may end before its announced length.
pub(crate) struct SimBody {
    rest: Option<Bytes>,
    cut: Option<Cut>,
}

enum Cut {
    /// The connection first sends what it has.
    Flush,
    End,
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(bytes) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.cut {
            Some(Cut::Flush) => {
                self.cut = Some(Cut::End);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Cut::End) => Poll::Ready(Some(Err(io::Error::other("cut")))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.rest, &self.cut) {
            (Some(bytes), None) => SizeHint::with_exact(bytes.len() as u64),
            (None, None) => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
