//! Deprecation (RFC 9745): what an answer says besides, where what was asked for should be asked for otherwise. It has
//! another name by now, or should not be used any more.

use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

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
        Self { text: format!("{old} was renamed to {new}. Use the new name."), since }
    }
}

/// How long a notice is, in bytes, and how many an answer has: proxies refuse long headers. GraphQL has the whole.
const MAX_LENGTH: usize = 500;
const MOST: usize = 4;
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The beginning of a text, encoded; no character is cut.
fn shortened(text: &str) -> String {
    let mut encoded = String::new();
    for character in text.chars() {
        let mut buffer = [0; 4];
        let next = utf8_percent_encode(character.encode_utf8(&mut buffer), ENCODED).to_string();
        if encoded.len() + next.len() > MAX_LENGTH {
            encoded.push_str("...");
            break;
        }
        encoded.push_str(&next);
    }
    encoded
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
        for deprecation in all.iter().take(MOST) {
            if let Ok(text) = HeaderValue::from_str(&shortened(&deprecation.text)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_short_and_ascii() {
        for reason in ["a".repeat(1000), "ж".repeat(1000), "aж".repeat(400), "50%25".into()] {
            let all = Deprecations::default();
            for n in 0..9 {
                let text = format!("{n}{reason}");
                all.add(Deprecation { text, since: Timestamp::from_millis(5000) });
            }
            let headers = all.headers();
            let notices: Vec<_> = headers.get_all(X_REGISTRY_NOTICE).iter().collect();
            assert_eq!((notices.len(), headers[DEPRECATION].to_str().unwrap()), (4, "@5"));
            for notice in notices {
                let text = notice.to_str().unwrap();
                assert!(text.len() <= MAX_LENGTH + 3, "{text}");
                let decoded = percent_encoding::percent_decode_str(text).decode_utf8().unwrap();
                let plain = decoded.trim_end_matches("...").get(1..).unwrap_or_default().to_owned();
                assert!(reason.starts_with(&plain), "{plain}");
            }
        }
    }
}
