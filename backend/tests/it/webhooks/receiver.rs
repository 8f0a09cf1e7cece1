//! A receiver of webhooks: keeps what it was sent, and answers as the test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What was sent.
#[derive(Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub text: String,
}

impl Got {
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }
}

/// What it answers: a status and perhaps a header.
type Reply = (u16, Option<(&'static str, String)>);

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    /// What it answers when there are no replies left.
    usual: Arc<Mutex<u16>>,
    count: Arc<watch::Sender<usize>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            got: Arc::default(),
            replies: Arc::default(),
            usual: Arc::new(Mutex::new(200)),
            count: Arc::new(watch::Sender::new(0)),
        };
        let app = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum_serve(listener, app).await });
        receiver
    }

    /// Has the next requests be answered so.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    pub fn usually(&self, status: u16) {
        *self.usual.lock().unwrap() = status;
    }

    pub fn all(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until it was sent so much, and returns all of it.
    pub async fn wait(&self, count: usize) -> Vec<Got> {
        let mut heard = self.count.subscribe();
        let waited = heard.wait_for(|there| *there >= count);
        let waited = tokio::time::timeout(Duration::from_secs(30), waited).await;
        assert!(waited.is_ok(), "{} of {count} arrived", self.all().len());
        self.all()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8(body.to_vec()).unwrap();
    receiver.got.lock().unwrap().push(Got { headers, text });
    let reply = receiver.replies.lock().unwrap().pop_front();
    let (status, header) = reply.unwrap_or((*receiver.usual.lock().unwrap(), None));
    receiver.count.send_modify(|count| *count += 1);
    let mut response = (StatusCode::from_u16(status).unwrap(), "what it says").into_response();
    if let Some((name, value)) = header {
        let value = HeaderValue::from_str(&value).unwrap();
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

async fn axum_serve(listener: TcpListener, app: Router) {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let service = TowerToHyperService::new(app.clone());
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(async move {
            drop(connection.serve_connection(TokioIo::new(stream), service).await)
        });
    }
}
