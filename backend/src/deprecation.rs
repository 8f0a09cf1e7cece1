//! Deprecation (RFC 9745): what an answer says besides, where what was asked for should be asked for otherwise. It has
//! another name by now, or should not be used any more.

use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{CONTROLS, utf8_percent_encode};

use crate::time::Timestamp;

/// In words; what is no ASCII is percent-encoded, as a header has no other letters.
const X_REGISTRY_NOTICE: HeaderName = HeaderName::from_static("x-registry-notice");
/// Since when: `@` and seconds.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

/// One reason to ask otherwise.
#[derive(Clone, Debug)]
pub struct Deprecation {
    pub text: String,
    pub since: Timestamp,
}

impl Deprecation {
    /// Of something that has another name by now.
    pub fn renamed(old: &str, new: &str, since: Timestamp) -> Self {
        Self { text: format!("{old} is called {new} now: use that name"), since }
    }
}

/// All of one answer.
#[derive(Debug, Default)]
pub struct Deprecations(Mutex<Vec<Deprecation>>);

impl Deprecations {
    pub fn add(&self, deprecation: Deprecation) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().all(|there| there.text != deprecation.text) {
            all.push(deprecation);
        }
    }

    /// A notice for each, and since when there is one.
    pub fn headers(&self) -> HeaderMap {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut headers = HeaderMap::new();
        for deprecation in all.iter() {
            let text = utf8_percent_encode(&deprecation.text, CONTROLS).to_string();
            if let Ok(text) = HeaderValue::from_str(&text) {
                headers.append(X_REGISTRY_NOTICE, text);
            }
        }
        if let Some(since) = all.iter().map(|deprecation| deprecation.since).min()
            && let Ok(since) = HeaderValue::from_str(&format!("@{}", since.millis() / 1000))
        {
            headers.insert(DEPRECATION, since);
        }
        headers
    }
}
