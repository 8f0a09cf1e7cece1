//! Subscriptions over server-sent events: the mode “distinct connections” of the protocol of graphql-sse
//! (github.com/enisdenjo/graphql-sse, PROTOCOL.md).
//!
//! For proxies that break sockets, and clients that have no other way. One request is one subscription; a client that takes
//! nothing else gets queries so, too. What the reader has not taken is not asked for.

use std::convert::Infallible;
use std::time::Duration;

use async_graphql::{Executor, Response};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response as HttpResponse};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use tokio::time::timeout;

use super::answer::with_codes;
use super::http::Prepared;
use super::size;
use crate::access::session::SessionAnswer;
use crate::app::App;
use crate::loader::{self, Spawned};
use crate::sockets::Seat;

/// How often a silent stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
/// What readers pass over.
const COMMENT: &str = ":\n\n";
/// Proxies such as nginx else hold events back.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A subscription that runs.
struct Running {
    responses: BoxStream<'static, Response>,
    spawned: Spawned,
    /// Given back when the stream ends or its reader goes.
    _seat: Seat,
}

/// Answers with a subscription's items.
pub fn subscribe(
    app: &App,
    schema: &impl Executor,
    prepared: Prepared,
    seat: Seat,
) -> HttpResponse {
    let Prepared { request, actor, .. } = prepared;
    let spawned = Spawned::default();
    let request = request.data(actor).data(SessionAnswer::default());
    let request = request.data(spawned.loaders(size::within(app)));
    let responses = schema.execute_stream(request, None);
    let running = Running { responses: responses.boxed(), spawned, _seat: seat };
    let items = stream::unfold(Some(running), async |running| {
        let mut running = running?;
        let item = loader::run(running.responses.next(), running.spawned.clone()).await;
        let Some(response) = item else { return Some((complete(), None)) };
        // What ends with an error has one more event to say so.
        let is_over = response.is_err();
        let rest = if is_over { ended(running) } else { running };
        Some((next(response), Some(rest)))
    });
    let stopping = app.clone();
    // A server that stops says nothing: clients come back.
    let items = items.take_until(async move { stopping.sockets.stopping().await });
    events(items)
}

fn ended(running: Running) -> Running {
    Running { responses: stream::empty().boxed(), ..running }
}

/// Answers with what an operation gave that was run.
pub fn once(response: Response) -> HttpResponse {
    events(stream::iter([next(response), complete()]))
}

fn next(response: Response) -> String {
    // JSON is one line.
    let json = serde_json::to_string(&with_codes(response)).unwrap_or_default();
    format!("event: next\ndata: {json}\n\n")
}

/// `EventSource` drops events without data.
fn complete() -> String {
    "event: complete\ndata:\n\n".to_owned()
}

fn events(events: impl Stream<Item = String> + Send + 'static) -> HttpResponse {
    let events = stream::unfold(events.boxed(), async |mut events| {
        match timeout(KEEP_ALIVE, events.next()).await {
            Ok(event) => event.map(|event| (event, events)),
            Err(_) => Some((COMMENT.to_owned(), events)),
        }
    });
    // At once, so that the client knows that it is heard.
    let hello = stream::iter([COMMENT.to_owned()]);
    let body = Body::from_stream(hello.chain(events).map(Ok::<_, Infallible>).fuse());
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}
