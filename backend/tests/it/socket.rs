//! A client of `graphql-transport-ws`.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::Caller;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes over a socket.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Message(Value),
    Closed(u16, String),
}

impl Socket {
    /// Opens a socket with these headers, or says with which status that was refused.
    pub async fn open(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let url = format!("{}/graphql", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
        for (name, value) in [protocol].iter().chain(headers) {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A socket of this caller, ready to subscribe.
    pub async fn of(caller: &Caller) -> Self {
        let bearer = caller.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers: Vec<_> =
            bearer.iter().map(|value| ("authorization", value.as_str())).collect();
        let mut socket = Self::open(&caller.url, &headers).await.unwrap();
        assert_eq!(socket.greet(json!({})).await, acknowledged());
        socket
    }

    pub async fn greet(&mut self, payload: Value) -> Heard {
        self.say(json!({ "type": "connection_init", "payload": payload })).await;
        self.hear().await
    }

    pub async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: &str, field: &str) {
        let query = format!("subscription {{ {field} }}");
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    pub async fn hear(&mut self) -> Heard {
        tokio::time::timeout(PATIENCE, self.next()).await.expect("something is said")
    }

    /// Whether nothing is said before the answer to a ping, which comes behind all that was to be said by then.
    pub async fn is_silent(&mut self) -> bool {
        self.say(json!({ "type": "ping" })).await;
        matches!(self.hear().await, Heard::Message(message) if message["type"] == "pong")
    }

    async fn next(&mut self) -> Heard {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Heard::Message(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return Heard::Closed(0, format!("{other:?}")),
            }
        }
    }

    /// The data of the next item.
    #[track_caller]
    pub fn item(&mut self) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            match self.hear().await {
                Heard::Message(mut message) if message["type"] == "next" => {
                    message["payload"]["data"].take()
                }
                other => panic!("{place}: {other:?}"),
            }
        }
    }

    /// The code and words of the error that ends a subscription.
    #[track_caller]
    pub fn error(&mut self) -> impl Future<Output = (String, String)> {
        let place = std::panic::Location::caller();
        async move {
            match self.hear().await {
                Heard::Message(message) if message["type"] == "error" => {
                    let error = &message["payload"][0];
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    (text(&error["extensions"]["code"]), text(&error["message"]))
                }
                other => panic!("{place}: {other:?}"),
            }
        }
    }
}

pub fn acknowledged() -> Heard {
    Heard::Message(json!({ "type": "connection_ack" }))
}
