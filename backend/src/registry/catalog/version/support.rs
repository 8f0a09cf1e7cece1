//! The support of a version: whether it should still be used. What is deprecated works as before and says so; what is
//! yanked is passed over by `latest`, by ranges and in lists, and still served to who names it exactly.
//!
//! As with Cargo and PyPI, bytes stay and can be fetched: whoever pinned a version goes on working, and all of it can be
//! undone. The next version is counted with yanked ones, so no name is given twice.

use super::ModelVersion;
use crate::deprecation::Deprecation;
use crate::words::text_enum;

text_enum! {
    /// Whether a version should still be used. More may come.
    VersionSupport {
        /// It should be used.
        Active = "ACTIVE",
        /// Another version should be used instead. It still works.
        Deprecated = "DEPRECATED",
        /// It should not be used: `latest`, ranges and lists skip it. Requests for exactly this version, or an existing alias, still get it.
        Yanked = "YANKED",
    }
}

/// What a version is to become, and what is said to who uses it nevertheless.
#[derive(Default)]
pub struct Advice {
    pub reason: Option<String>,
    /// The version of the model to use instead.
    pub successor: Option<String>,
}

impl ModelVersion {
    pub fn support_state(&self) -> VersionSupport {
        match (self.yanked_at_ms, self.deprecated_at_ms) {
            (Some(_), _) => VersionSupport::Yanked,
            (None, Some(_)) => VersionSupport::Deprecated,
            (None, None) => VersionSupport::Active,
        }
    }

    /// What is said to who uses it; none where it is active.
    pub fn deprecation(&self) -> Option<Deprecation> {
        let since = self.yanked_at_ms.or(self.deprecated_at_ms)?;
        let state = self.support_state().as_str().to_ascii_lowercase();
        let mut text = format!("Version {} is {state}", self.version);
        if let Some(reason) = &self.support_reason {
            text.push_str(&format!(": {reason}"));
        }
        if !text.ends_with(['.', '!', '?']) {
            text.push('.');
        }
        if let Some(successor) = &self.successor {
            text.push_str(&format!(" Use {successor} instead."));
        }
        Some(Deprecation { text, since })
    }
}
