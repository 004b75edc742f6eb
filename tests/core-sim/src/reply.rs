//! Answers, whole ones and broken ones.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use tokio::time::Sleep;

use super::document::Document;
use super::line::Line;

/// An answer.
pub(super) type Reply = Response<ReplyBody>;

/// The connection is to be reset instead of answering, or in the middle of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is broken off on purpose")]
pub(super) struct BreakOff;

/// A body in a few pieces; one that is cut announces more than it has.
#[derive(Debug)]
pub(super) struct ReplyBody {
    pieces: VecDeque<Bytes>,
    announced: usize,
    flushed: bool,
    /// Where it comes over a thin line: that one.
    line: Option<ThinLine>,
}

#[derive(Debug)]
struct ThinLine {
    line: Arc<Line>,
    bytes_per_second: u64,
    /// Until the next piece is through.
    wait: Option<Pin<Box<Sleep>>>,
}

/// What is put on a thin line at once.
const PIECE: usize = 16 * 1024;

impl ReplyBody {
    fn of(pieces: impl Into<VecDeque<Bytes>>) -> Self {
        let pieces: VecDeque<Bytes> = pieces.into();
        Self { announced: pieces.iter().map(Bytes::len).sum(), pieces, flushed: false, line: None }
    }

    fn whole(bytes: Bytes) -> Self {
        Self::of([bytes])
    }

    fn into_bytes(self) -> Bytes {
        Vec::from(self.pieces).concat().into()
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BreakOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BreakOff>>> {
        let this = &mut *self;
        if let (Some(thin), Some(piece)) = (&mut this.line, this.pieces.front()) {
            let bytes = piece.len().min(PIECE);
            let wait = thin.wait.get_or_insert_with(|| {
                let through = thin.line.carry(bytes, thin.bytes_per_second);
                Box::pin(tokio::time::sleep_until(through))
            });
            if wait.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            thin.wait = None;
            let piece = this.pieces.front_mut().map(|piece| piece.split_to(bytes));
            if this.pieces.front().is_some_and(Bytes::is_empty) {
                this.pieces.pop_front();
            }
            this.announced -= bytes;
            return Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))));
        }
        Poll::Ready(match self.pieces.pop_front() {
            Some(bytes) => {
                self.announced -= bytes.len();
                Some(Ok(Frame::data(bytes)))
            }
            // An error at once would throw away what hyper has not yet written.
            None if self.announced > 0 && !self.flushed => {
                self.flushed = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            None if self.announced > 0 => Some(Err(BreakOff)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.announced == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced as u64)
    }
}

/// An answer with JSON that is already rendered.
pub(super) fn rendered(status: u16, bytes: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(ReplyBody::whole(bytes.into()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A list of rows that are already rendered, with commas between.
pub(super) fn list(rows: Bytes) -> Reply {
    let (begin, end) = (Bytes::from_static(b"["), Bytes::from_static(b"]"));
    rendered(200, "").map(|_| ReplyBody::of([begin, rows, end]))
}

/// An answer with JSON.
pub(super) fn json(status: u16, value: &impl Serialize) -> Reply {
    rendered(status, serde_json::to_vec(value).unwrap_or_default())
}

/// The core's way of saying no.
pub(super) fn detail(status: u16, detail: &str) -> Reply {
    json(status, &json!({ "detail": detail }))
}

/// A crash of the core, as its server shows one.
pub(super) fn internal_error() -> Reply {
    let mut reply = rendered(500, "Internal Server Error");
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, plain);
    reply
}

/// The 429 of the rate limit; `retry_after` in seconds.
pub(super) fn rate_limited(retry_after: Option<u64>, plain: bool) -> Reply {
    let message = "Rate limit exceeded. Please try again later.";
    let reply = if plain {
        detail(429, message)
    } else {
        let detail = json!({
            "error_code": "RATE_LIMIT_EXCEEDED",
            "message": message,
            "retry_after": retry_after,
        });
        json(429, &json!({ "detail": detail }))
    };
    with_retry_after(reply, retry_after)
}

/// Adds `Retry-After`, in seconds.
pub(super) fn with_retry_after(reply: Reply, retry_after: Option<u64>) -> Reply {
    match retry_after {
        Some(seconds) => with_header(reply, hyper::header::RETRY_AFTER, &seconds.to_string()),
        None => reply,
    }
}

/// Adds a header; one that is no valid header is left out.
pub(super) fn with_header(mut reply: Reply, name: HeaderName, value: &str) -> Reply {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
    reply
}

/// The same answer over a thin line.
pub(super) fn over(reply: Reply, line: &Arc<Line>, bytes_per_second: u64) -> Reply {
    let thin = ThinLine { line: Arc::clone(line), bytes_per_second, wait: None };
    reply.map(|body| ReplyBody { line: Some(thin), ..body })
}

/// The same answer with half of its JSON, as if that were all.
pub(super) fn truncated(reply: Reply) -> Reply {
    reply.map(|body| {
        let bytes = body.into_bytes();
        ReplyBody::whole(bytes.slice(..bytes.len() / 2))
    })
}

/// The same answer, broken off after half of the body that it announces.
pub(super) fn cut(reply: Reply) -> Reply {
    reply.map(|body| {
        let bytes = body.into_bytes();
        let half = bytes.slice(..bytes.len() / 2);
        ReplyBody { announced: bytes.len(), ..ReplyBody::whole(half) }
    })
}

/// A good answer wrapped into a shape that nobody knows.
pub(super) fn reshaped(reply: Reply) -> Reply {
    let mut shape = Document::new();
    let bytes = reply.into_body().into_bytes();
    let content: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    shape.set("result", json!({ "items": content }));
    shape.set("status", "ok");
    rendered(200, shape.to_bytes())
}
