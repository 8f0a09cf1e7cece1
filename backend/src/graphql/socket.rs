//! Subscriptions over WebSocket: the protocol `graphql-transport-ws`, as its specification has it
//! (github.com/enisdenjo/graphql-ws, PROTOCOL.md).
//!
//! Takes subscriptions only: queries and mutations are POSTed. A socket holds at most one message of each
//! subscription that its reader has not taken; while they are slow, nothing is asked for them.

use std::collections::HashMap;
use std::time::Duration;

use async_graphql::Executor;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderValue, request};
use axum::response::Response as HttpResponse;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::answer::{refused, response, with_codes};
use super::http::{Operation, recognise};
use super::{embedded, size};
use crate::access::Actor;
use crate::access::session::SessionAnswer;
use crate::app::App;
use crate::error::{Error, Result};
use crate::limits::{MAX_BODY, check};
use crate::loader::{self, Spawned};
use crate::origin::CrossOrigin;
use crate::sockets::Seat;

const PROTOCOL: &str = "graphql-transport-ws";
/// How long a caller may take to say who they are.
const INIT_TIME: Duration = Duration::from_secs(10);
/// How often a silent reader is asked whether they are there, and after how long they are not.
const PING_EVERY: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);
const MAX_SUBSCRIPTIONS: usize = 10;
const MAX_ID: usize = 128;

/// Answers the request for a socket. Who calls is recognised here, and again where they say so in the first
/// message.
pub fn open<S: Executor>(
    app: App,
    schema: S,
    parts: request::Parts,
    upgrade: WebSocketUpgrade,
) -> impl Future<Output = HttpResponse> {
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_BODY)
        .max_frame_size(MAX_BODY)
        .max_write_buffer_size(16 * MAX_BODY);
    async move {
        if upgrade.selected_protocol().is_none() {
            let reason = format!("must be {PROTOCOL}");
            return refused(Error::invalid("sec-websocket-protocol", reason));
        }
        let connection = match seated(&app, &parts).await {
            Ok(connection) => connection,
            Err(error) => return refused(error),
        };
        let stopping = app.clone();
        upgrade.on_upgrade(async move |socket| {
            let session =
                Session { app, schema, parts, connection, running: HashMap::new(), serial: 0 };
            stopped(session.run(socket), &stopping).await;
        })
    }
}

/// Ends with the server, whatever is being waited for.
async fn stopped(session: impl Future<Output = ()>, app: &App) {
    let patience = Duration::from_secs(1);
    tokio::select! {
        () = session => {}
        () = async { app.sockets.stopping().await; sleep(patience).await } => {}
    }
}

/// Who calls, and their right to a socket.
struct Connection {
    actor: Actor,
    _seat: Seat,
}

async fn seated(app: &App, parts: &request::Parts) -> Result<Connection> {
    let actor = recognise(app, parts).await?;
    let seat = seat_of(app, &actor)?;
    Ok(Connection { actor, _seat: seat })
}

/// The right of a caller to be told of changes.
pub fn seat_of(app: &App, actor: &Actor) -> Result<Seat> {
    // A password is checked once and nothing says later that it was changed.
    if actor.user().is_ok() && actor.credential().is_none() && !app.config.no_auth {
        return Err(Error::Unauthenticated(
            "Subscriptions can't be opened with a password. Send Authorization: Bearer TOKEN.",
        ));
    }
    if let Some(token) = actor.embed() {
        return embedded::seat_of(app, token, actor.address);
    }
    app.sockets.take(actor.counted_as())
}

/// What a client says.
#[derive(serde::Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    ConnectionInit { payload: Option<Value> },
    Subscribe { id: String, payload: Operation },
    Complete { id: String },
    Ping { payload: Option<Value> },
    Pong {},
}

/// A message of a subscription on its way to the client.
struct Outgoing {
    id: String,
    serial: u64,
    text: String,
    over: bool,
}

/// A running subscription; dropped, it ends.
struct Running {
    serial: u64,
    task: tokio::task::AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a socket is closed: a code of the protocol, and words.
struct Closed(u16, String);

fn closed(code: u16, reason: &str) -> Closed {
    // What fits into the frame.
    let end = (0..=reason.len().min(123)).rev().find(|end| reason.is_char_boundary(*end));
    Closed(code, reason[..end.unwrap_or_default()].to_owned())
}

struct Session<S> {
    app: App,
    schema: S,
    /// The request that opened the socket.
    parts: request::Parts,
    connection: Connection,
    running: HashMap<String, Running>,
    /// Tells a subscription from an earlier one of the same id.
    serial: u64,
}

impl<S: Executor> Session<S> {
    async fn run(mut self, mut socket: WebSocket) {
        let Closed(code, reason) = match self.greet(&mut socket).await {
            Ok(()) => self.serve(&mut socket).await,
            Err(closed) => closed,
        };
        // Whoever is gone already needs no farewell.
        let frame = CloseFrame { code, reason: reason.into() };
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(1), async {
                while let Some(Ok(_)) = socket.recv().await {}
            })
            .await;
        }
    }

    /// Waits for the first message, which may say who it is.
    async fn greet(&mut self, socket: &mut WebSocket) -> Result<(), Closed> {
        let first = async {
            loop {
                if let Some(said) = heard(socket.recv().await)? {
                    return Ok(said);
                }
            }
        };
        let first = tokio::select! {
            first = first => first?,
            () = sleep(INIT_TIME) => return Err(closed(4408, "Connection initialisation timeout")),
            () = self.app.sockets.stopping() => return Err(going_away()),
        };
        let Said::ConnectionInit { payload } = first else {
            return Err(closed(4401, "Unauthorized"));
        };
        if let Some(given) = payload.as_ref().and_then(authorization) {
            let from = self.parts.extensions.get::<CrossOrigin>();
            if from.is_some_and(|from| !from.with_token) {
                return Err(closed(4403, "Pages of this site can't send a token."));
            }
            let mut parts = self.parts.clone();
            parts.headers.remove(COOKIE);
            let value = HeaderValue::from_str(given).map_err(|_| closed(4403, "Forbidden"))?;
            parts.headers.insert(AUTHORIZATION, value);
            let connection = seated(&self.app, &parts).await;
            self.connection = connection.map_err(|error| closed(4403, &error.message()))?;
        }
        let acknowledged = json!({ "type": "connection_ack" }).to_string();
        socket.send(Message::text(acknowledged)).await.map_err(|_| gone())
    }

    /// Passes messages on in both directions until one side ends it.
    async fn serve(&mut self, socket: &mut WebSocket) -> Closed {
        let (outbox, mut outgoing) = mpsc::channel::<Outgoing>(1);
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_heard = Instant::now();
        let app = self.app.clone();
        let mut stopping = std::pin::pin!(app.sockets.stopping());
        loop {
            let sent = tokio::select! {
                message = socket.recv() => {
                    last_heard = Instant::now();
                    match heard(message).and_then(|said| self.answer(said, &outbox)) {
                        Ok(None) => Ok(()),
                        Ok(Some(text)) => socket.send(Message::text(text)).await,
                        Err(closed) => return closed,
                    }
                }
                Some(Outgoing { id, serial, text, over }) = outgoing.recv() => {
                    if self.running.get(&id).is_none_or(|running| running.serial != serial) {
                        continue;
                    }
                    if over {
                        self.running.remove(&id);
                    }
                    socket.send(Message::text(text)).await
                }
                _ = pings.tick() => {
                    if last_heard.elapsed() > SILENCE {
                        return closed(4408, "nothing was heard for too long");
                    }
                    socket.send(Message::Ping(Default::default())).await
                }
                () = &mut stopping => return going_away(),
            };
            if sent.is_err() {
                return gone();
            }
        }
    }

    /// What is said to a message at once.
    fn answer(
        &mut self,
        said: Option<Said>,
        outbox: &mpsc::Sender<Outgoing>,
    ) -> Result<Option<String>, Closed> {
        match said {
            None | Some(Said::Pong {}) => Ok(None),
            Some(Said::Ping { payload }) => Ok(Some(match payload {
                Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
                None => json!({ "type": "pong" }).to_string(),
            })),
            Some(Said::ConnectionInit { .. }) => {
                Err(closed(4429, "Too many initialisation requests"))
            }
            Some(Said::Complete { id }) => {
                self.running.remove(&id);
                Ok(None)
            }
            Some(Said::Subscribe { id, .. }) if self.running.contains_key(&id) => {
                Err(closed(4409, &format!("Subscriber for {id} already exists")))
            }
            Some(Said::Subscribe { id, .. }) if id.is_empty() || id.len() > MAX_ID => {
                Err(closed(4400, "id: must have 1 to 128 characters"))
            }
            Some(Said::Subscribe { id, payload }) => match self.subscribe(&id, payload, outbox) {
                Ok(()) => Ok(None),
                Err(error) => Ok(Some(failed(&id, &response(&error)))),
            },
        }
    }

    fn subscribe(
        &mut self,
        id: &str,
        operation: Operation,
        outbox: &mpsc::Sender<Outgoing>,
    ) -> Result<()> {
        if self.running.len() >= MAX_SUBSCRIPTIONS {
            return Err(Error::RateLimited(format!(
                "A socket can have at most {MAX_SUBSCRIPTIONS} subscriptions. Complete one first."
            )));
        }
        let document = check(&operation.query)?;
        check_subscribes(&document)?;
        let spawned = Spawned::default();
        let loaders = spawned.loaders(size::within(&self.app));
        let request = operation.request(document).data(self.connection.actor.clone());
        let request = request.data(SessionAnswer::default()).data(loaders);
        let mut responses = self.schema.execute_stream(request, None);
        self.serial += 1;
        let (id, serial, outbox) = (id.to_owned(), self.serial, outbox.clone());
        let key = id.clone();
        let task = tokio::spawn(async move {
            let outgoing = |text, over| Outgoing { id: id.clone(), serial, text, over };
            while let Some(response) = loader::run(responses.next(), spawned.clone()).await {
                let over = response.is_err();
                let response = with_codes(response);
                let text = match over {
                    true => failed(&id, &response),
                    false => json!({ "type": "next", "id": id, "payload": response }).to_string(),
                };
                if outbox.send(outgoing(text, over)).await.is_err() || over {
                    return;
                }
            }
            let text = json!({ "type": "complete", "id": id }).to_string();
            // Nobody is there to hear it.
            let _ = outbox.send(outgoing(text, true)).await;
        });
        self.running.insert(key, Running { serial, task: task.abort_handle() });
        Ok(())
    }
}

/// What a client said, if it is for us.
fn heard(message: Option<Result<Message, axum::Error>>) -> Result<Option<Said>, Closed> {
    match message {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| closed(4400, &format!("Invalid message received: {error}"))),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(closed(4400, "messages are text")),
        // The protocol of sockets itself was broken, or the message too long.
        Some(Err(_)) => Err(closed(1009, "a message has at most 64 KiB")),
        Some(Ok(Message::Close(_))) | None => Err(gone()),
    }
}

fn gone() -> Closed {
    closed(1000, "")
}

fn going_away() -> Closed {
    closed(1001, "the server stops")
}

/// `Authorization` in the payload of the first message, whatever its case.
fn authorization(payload: &Value) -> Option<&str> {
    let given = payload.as_object()?.iter();
    given.filter(|(key, _)| key.eq_ignore_ascii_case("authorization")).find_map(|(_, v)| v.as_str())
}

/// Refuses what is no subscription of one field.
pub fn check_subscribes(document: &ExecutableDocument) -> Result<()> {
    for (_, operation) in document.operations.iter() {
        if operation.node.ty != OperationType::Subscription {
            let reason = "only subscriptions can be sent over a socket: POST queries and mutations";
            return Err(Error::invalid("query", reason));
        }
        let [selection] = operation.node.selection_set.node.items.as_slice() else {
            return Err(Error::invalid("query", "a subscription must have exactly one field"));
        };
        if !matches!(selection.node, Selection::Field(_)) {
            return Err(Error::invalid("query", "a subscription must begin with its field"));
        }
    }
    Ok(())
}

/// The message that ends a subscription with errors.
fn failed(id: &str, response: &async_graphql::Response) -> String {
    json!({ "type": "error", "id": id, "payload": response.errors }).to_string()
}
