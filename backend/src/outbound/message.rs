//! A signed message: Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>) and the headers of MLflow's webhooks, which are
//! the same scheme with other names, both on every message.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::time::Timestamp;

/// How a secret begins whose key is what follows, decoded from Base64.
pub const PREFIX: &str = "whsec_";
/// How many random bytes a secret has that is made here.
const SECRET_SIZE: usize = 32;
/// The longest that a receiver can ask to be left alone.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What is sent to a receiver.
pub struct Message<'a> {
    /// Of what happened: the same in each attempt, so that receivers can tell.
    pub id: &'a str,
    /// When this attempt is made.
    pub at: Timestamp,
    pub content_type: &'static str,
    pub body: &'a str,
    /// The number of the attempt, from 1.
    pub attempt: i64,
    /// What it is signed with: the secret, and the one of before while both are good.
    pub secrets: &'a [String],
    /// A header of the owner's.
    pub header: Option<(&'a str, &'a str)>,
}

impl Message<'_> {
    /// All headers; none where the owner's is no header.
    pub fn headers(&self) -> Option<HeaderMap> {
        let seconds = self.at.millis().div_euclid(1000).to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        let agent = concat!("model-registry/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let mut put = |name: &'static str, value: &str| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
            Some(())
        };
        put("webhook-id", self.id)?;
        put("webhook-timestamp", &seconds)?;
        put("x-mlflow-delivery-id", self.id)?;
        put("x-mlflow-timestamp", &seconds)?;
        put("x-registry-attempt", &self.attempt.to_string())?;
        let signed = format!("{}.{seconds}.{}", self.id, self.body);
        if let Some(secret) = self.secrets.first() {
            let standard: Vec<_> = self
                .secrets
                .iter()
                .map(|secret| signature(&standard_key(secret), &signed))
                .collect();
            put("webhook-signature", &standard.join(" "))?;
            put("x-mlflow-signature", &signature(secret.as_bytes(), &signed))?;
        }
        if let Some((name, value)) = self.header {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
        }
        Some(headers)
    }
}

/// A new secret.
pub fn new_secret() -> String {
    let mut secret = [0; SECRET_SIZE];
    getrandom::fill(&mut secret).expect("the operating system gives random numbers");
    format!("{PREFIX}{}", STANDARD.encode(secret))
}

/// Whether a secret is written as the standard says: the prefix, and 24 to 64 bytes in Base64.
pub fn is_standard(secret: &str) -> bool {
    let decoded = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    decoded.is_some_and(|key| (24..=64).contains(&key.len()))
}

/// Whether a name is that of a header which an owner can choose: none that says what the message is or how it travels.
pub fn is_own_header(name: &str) -> bool {
    const OURS: [&str; 9] = [
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    let lower = name.to_ascii_lowercase();
    let is_ours = OURS.contains(&lower.as_str())
        || ["webhook-", "x-mlflow-", "x-registry-", "proxy-"]
            .iter()
            .any(|begin| lower.starts_with(begin));
    !is_ours && HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// What the key of Standard Webhooks is: of other secrets than its own, the text.
fn standard_key(secret: &str) -> Vec<u8> {
    let decoded = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    decoded.unwrap_or_else(|| secret.as_bytes().to_vec())
}

fn signature(key: &[u8], signed: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(signed.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// How long a receiver asks to be left alone (RFC 9110 §10.2.3): seconds, or a date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
            u64::try_from((date - now.millis()) / 1000).unwrap_or_default()
        }
    };
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(secrets: &[&str], header: Option<(&str, &str)>) -> Option<HeaderMap> {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at: Timestamp::from_millis(1_614_265_330_999),
            content_type: "application/json",
            body: r#"{"test": 2432232314}"#,
            attempt: 1,
            secrets: &secrets,
            header,
        };
        message.headers()
    }

    #[test]
    fn it_is_signed_as_the_standard_says() {
        // From the specification's own tests.
        let given = headers(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], None).unwrap();
        assert_eq!(given["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(given["webhook-timestamp"], "1614265330");
        assert_ne!(given["webhook-signature"], given["x-mlflow-signature"]);
        // Of another secret both take the text.
        let given = headers(&["a secret"], None).unwrap();
        assert_eq!(given["webhook-signature"], given["x-mlflow-signature"]);
        let given = headers(&["new", "old"], None).unwrap();
        assert_eq!(given["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
        assert!(!headers(&[], None).unwrap().contains_key("webhook-signature"));
    }

    #[test]
    fn an_owner_has_one_header_that_is_not_ours() {
        let given = headers(&[], Some(("Authorization", "Bearer x"))).unwrap();
        assert_eq!(given["authorization"], "Bearer x");
        assert!(headers(&[], Some(("X-Token", "a\nb"))).is_none());
        for (name, expected) in [
            ("Authorization", true),
            ("X-Token", true),
            ("Host", false),
            ("webhook-id", false),
            ("a b", false),
        ] {
            assert_eq!(is_own_header(name), expected, "{name}");
        }
    }

    #[test]
    fn receivers_say_when_to_come_again() {
        let now = Timestamp::from_millis(784_111_717_000);
        for (text, expected) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("999999999", Some(24 * 3600)),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
