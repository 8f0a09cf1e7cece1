//! What can go wrong between the browser and the server, in words that a person can act on.

/// The server's error codes, and two of our own: the server was not reached, or not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Unauthenticated,
    Forbidden,
    NotFound,
    AlreadyExists,
    Invalid,
    Conflict,
    TooLarge,
    RateLimited,
    Internal,
    /// No answer: the server is down or the connection is.
    Unreachable,
    /// An answer that is not one of this API.
    Unexpected,
}

impl Code {
    /// The code as the server writes it.
    pub fn parse(code: &str) -> Self {
        match code {
            "UNAUTHENTICATED" => Self::Unauthenticated,
            "FORBIDDEN" => Self::Forbidden,
            "NOT_FOUND" => Self::NotFound,
            "ALREADY_EXISTS" => Self::AlreadyExists,
            "INVALID" => Self::Invalid,
            "CONFLICT" => Self::Conflict,
            "TOO_LARGE" => Self::TooLarge,
            "RATE_LIMITED" => Self::RateLimited,
            "INTERNAL" => Self::Internal,
            _ => Self::Unexpected,
        }
    }
}

/// A refusal, with the input field it is about where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: Code,
    pub message: String,
    pub field: Option<String>,
    /// The files that are still arriving, where it is about them.
    pub uploads: Vec<String>,
}

impl ApiError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, uploads: Vec::new() }
    }

    /// What a link led to is not there, or not for this person.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Code::NotFound, what)
    }

    /// Nobody is signed in, and this is somebody's own.
    pub fn unauthenticated(what: impl Into<String>) -> Self {
        Self::new(Code::Unauthenticated, what)
    }

    /// Whether it is about what narrows a list down.
    pub fn is_about_filter(&self) -> bool {
        matches!(self.field.as_deref(), Some("filter" | "range" | "search"))
    }

    /// What it says, as a sentence beside the field that it is about: without the name of that field.
    pub fn beside_field(&self) -> String {
        let field = self.field.as_deref().unwrap_or_default();
        let text = self.message.strip_prefix(field).and_then(|rest| rest.strip_prefix(": "));
        let text = text.unwrap_or(&self.message);
        let mut rest = text.chars();
        let first = rest.next().map(char::to_uppercase).into_iter().flatten();
        let mut sentence: String = first.chain(rest).collect();
        if !sentence.ends_with(['.', '!', '?', '\'', '"']) {
            sentence.push('.');
        }
        sentence
    }

    /// Whether the same question may have an answer in a moment.
    pub fn may_pass(&self) -> bool {
        matches!(
            self.code,
            Code::Unreachable | Code::RateLimited | Code::Internal | Code::Unexpected
        )
    }

    pub fn unreachable() -> Self {
        Self::new(
            Code::Unreachable,
            "The registry didn't answer. Check that it is running and that you are online.",
        )
    }

    /// An answer that was not understood, for example from a proxy in between.
    pub fn unexpected(status: u16) -> Self {
        let message = match status {
            413 => "The registry refused this request because it is too large.".to_owned(),
            429 => "Too many requests. Wait a moment, then try again.".to_owned(),
            502..=504 => "The proxy can't reach the registry. Try again in a moment.".to_owned(),
            _ => format!("The registry's answer couldn't be read (HTTP {status})."),
        };
        Self::new(Code::Unexpected, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_its_field_a_message_is_a_sentence() {
        let error = |message: &str| ApiError {
            field: Some("name".to_owned()),
            ..ApiError::new(Code::Invalid, message)
        };
        for (message, sentence) in [
            ("name: must be 1 to 255 characters", "Must be 1 to 255 characters."),
            ("Model \"ocr\" already exists.", "Model \"ocr\" already exists."),
            (
                "name: Unknown field \"x\". Example: a = 'b'",
                "Unknown field \"x\". Example: a = 'b'",
            ),
            ("", "."),
        ] {
            assert_eq!(error(message).beside_field(), sentence);
        }
    }
}
