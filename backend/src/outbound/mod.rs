//! Requests that the server makes because a user asked for them: where they may go, how long they take, how much of an answer is
//! read. Knows nothing of what is sent.

pub mod address;
pub mod message;

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use futures_util::future::BoxFuture;
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use crate::config::Serve;
use crate::error::{Error, Result};
use crate::time::Timestamp;
use address::Guard;

/// How long a whole request may take, and the connection.
const TIME: Duration = Duration::from_secs(15);
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How much of an answer is kept, and how much its headers may be, in bytes.
const MAX_ANSWER: usize = 4 << 10;
const MAX_HEADERS: usize = 16 << 10;

/// Finds the addresses of a name.
pub type LookUp =
    Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Sends to receivers outside.
pub struct Outbound {
    guard: Arc<Guard>,
    look_up: LookUp,
    /// Made when they are first needed: a machine may have no certificates.
    with_tls: OnceLock<Client>,
    /// Only for what the operator allows.
    without_tls: OnceLock<Client>,
}

/// What a receiver answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The beginning of its body; empty from a private address, of which nobody outside shall read anything.
    pub text: String,
    pub is_private: bool,
    pub retry_after: Option<Duration>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Sent {
    pub milliseconds: i64,
    /// Or why there is none, for people.
    pub answer: std::result::Result<Answer, String>,
}

impl Sent {
    /// Whether the receiver took it.
    pub fn is_success(&self) -> bool {
        self.answer.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status))
    }
}

impl Outbound {
    pub fn new(config: &Serve) -> Self {
        let system = |name: String| -> BoxFuture<'static, _> {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        };
        Self::resolving(config, Arc::new(system))
    }

    /// With a resolver of one's own: for tests.
    pub fn resolving(config: &Serve, look_up: LookUp) -> Self {
        let guard = Guard::new(config.webhooks.allowed.clone(), config.own_url().as_deref());
        Self {
            guard: Arc::new(guard),
            look_up,
            with_tls: OnceLock::new(),
            without_tls: OnceLock::new(),
        }
    }

    fn client(&self, with_tls: bool) -> std::result::Result<&Client, String> {
        let kept = if with_tls { &self.with_tls } else { &self.without_tls };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        let (guard, look_up) = (self.guard.clone(), self.look_up.clone());
        let made = Client::builder()
            .dns_resolver(Arc::new(Resolver { guard, look_up, with_tls }))
            // A connection that is kept would be used again without a look at its address.
            .pool_max_idle_per_host(0)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIME)
            .https_only(with_tls)
            .build();
        let made = made.map_err(|error| reason_of(&error))?;
        Ok(kept.get_or_init(|| made))
    }

    /// Reads the address of a receiver, or says what is wrong with it.
    pub fn check(&self, url: &str) -> Result<Url> {
        self.guard.check(url).map_err(|reason| Error::invalid("url", reason))
    }

    /// Posts a text to a receiver. A redirect is an answer like any other: it is not followed.
    pub async fn post(&self, url: &str, headers: HeaderMap, text: String, now: Timestamp) -> Sent {
        let begun = Instant::now();
        let answered = tokio::time::timeout(TIME, self.answered(url, headers, text, now)).await;
        let too_long = || Err(format!("There was no answer within {} seconds.", TIME.as_secs()));
        let milliseconds = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        Sent { milliseconds, answer: answered.unwrap_or_else(|_| too_long()) }
    }

    async fn answered(
        &self,
        url: &str,
        headers: HeaderMap,
        text: String,
        now: Timestamp,
    ) -> std::result::Result<Answer, String> {
        // What was allowed when it was given may not be any more.
        let url = self.guard.check(url).map_err(|reason| format!("The URL {reason}."))?;
        let client = self.client(url.scheme() == "https")?;
        let sent = client.post(url).headers(headers).body(text).send().await;
        let response = sent.map_err(|error| reason_of(&error))?;
        let size: usize =
            response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > MAX_HEADERS {
            return Err(format!("The answer has more than {MAX_HEADERS} bytes of headers."));
        }
        let status = response.status().as_u16();
        let retry_after = message::retry_after(response.headers(), now);
        let is_private =
            response.remote_addr().is_none_or(|address| !address::is_public(address.ip()));
        let text = if is_private { String::new() } else { beginning(response).await };
        Ok(Answer { status, text, is_private, retry_after })
    }
}

/// The beginning of what a receiver answers, as text. What cannot be read is left out: the status says how it went.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER - bytes.len())]);
    }
    // No database takes NUL in a text.
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

/// Why there was no answer: the innermost cause, which says most.
fn reason_of(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut reason = error.to_string();
    while let Some(inner) = cause {
        reason = inner.to_string();
        cause = inner.source();
    }
    match error.is_timeout() {
        true => format!("There was no connection within {} seconds.", CONNECT_TIME.as_secs()),
        false => format!("There was no answer: {reason}."),
    }
}

/// Finds addresses that may be connected to: what it leaves out nobody connects to.
struct Resolver {
    guard: Arc<Guard>,
    look_up: LookUp,
    with_tls: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, with_tls) = (self.guard.clone(), self.with_tls);
        let name = name.as_str().to_owned();
        let found = (self.look_up)(name.clone());
        Box::pin(async move {
            let mut found = found.await?;
            found.retain(|address| guard.lets(&name, *address, with_tls));
            if found.is_empty() {
                return Err(format!("the URL {}", address::refusal(&name)).into());
            }
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}
