//! Typed ids: UUIDv7, kept as 32 hexadecimal digits, shown to API users with a prefix that names the type.

use std::sync::atomic::{AtomicU16, Ordering};

use async_graphql::ID;

use crate::error::{Error, Result};
use crate::time::Timestamp;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
            #[sqlx(transparent)]
            pub struct $name(String);

            impl $name {
                /// A new id; ids made later sort later.
                pub fn new(now: Timestamp) -> Self {
                    Self(new_uuid(now))
                }

                /// The id that a file of the database or a wire format names by its bare digits.
                pub fn from_raw(raw: impl Into<String>) -> Self {
                    Self(raw.into())
                }

                /// The bare 32 digits.
                pub fn raw(&self) -> &str {
                    &self.0
                }
            }

            impl From<&$name> for ID {
                fn from(id: &$name) -> Self {
                    Self(format!("{}{}", $prefix, id.0))
                }
            }

            impl From<&$name> for crate::db::Value {
                fn from(id: &$name) -> Self {
                    id.0.as_str().into()
                }
            }

            impl From<$name> for crate::db::Value {
                fn from(id: $name) -> Self {
                    id.0.into()
                }
            }
        )*

        /// An id as API users send it, with its type.
        pub enum AnyId {
            $($name($name),)*
        }

        impl AnyId {
            /// Reads an opaque id; what is not one of ours is not found.
            pub fn parse(id: &ID) -> Result<Self> {
                let digits = |raw: &str| raw.len() == 32
                    && raw.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                $(
                    if let Some(raw) = id.strip_prefix($prefix).filter(|raw| digits(raw)) {
                        return Ok(Self::$name($name(raw.to_owned())));
                    }
                )*
                Err(Error::not_found("node", id.as_str()))
            }
        }
    };
}

ids! {
    UserId = "usr_";
    CredentialId = "tok_";
    MemberId = "mem_";
    ProjectId = "prj_";
    ModelId = "mod_";
    VersionId = "ver_";
    ExperimentId = "exp_";
    CandidateId = "can_";
    LoggedModelId = "lgm_";
    AliasId = "ali_";
    EventId = "evt_";
    EmbedTokenId = "emb_";
    WebhookId = "whk_";
    DeliveryId = "del_";
}

/// How MLflow begins the ids of logged models.
const LOGGED_MODEL: &str = "m-";

impl LoggedModelId {
    /// The id as MLflow has it: `m-` and 32 hexadecimal digits.
    pub fn wire(&self) -> String {
        format!("{LOGGED_MODEL}{}", self.raw())
    }

    /// The raw id in one that MLflow has; empty where it is none.
    pub fn raw_of(wire: &str) -> &str {
        wire.strip_prefix(LOGGED_MODEL).unwrap_or("")
    }
}

/// UUIDv7 (RFC 9562): the time in milliseconds, a counter that keeps the ids of one millisecond in
/// their order, then randomness.
pub fn new_uuid(now: Timestamp) -> String {
    static COUNTER: AtomicU16 = AtomicU16::new(0);
    let mut random = [0; 10];
    getrandom::fill(&mut random[2..]).expect("the operating system gives random numbers");
    let count = COUNTER.fetch_add(1, Ordering::Relaxed) & 0xfff;
    random[..2].copy_from_slice(&count.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(now.millis().unsigned_abs(), &random)
        .into_uuid()
        .as_simple()
        .to_string()
}

/// Random letters and digits, 5.95 bits each: for secrets.
pub fn random_text(length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut random = [0; 64];
        getrandom::fill(&mut random).expect("the operating system gives random numbers");
        let usable =
            random.iter().map(|byte| usize::from(byte & 63)).filter(|i| *i < ALPHABET.len());
        text.extend(usable.take(length - text.len()).map(|index| char::from(ALPHABET[index])));
    }
    text
}

/// What owns files, tags, params and metrics: the id of a row in `objects`.
pub trait ObjectId {
    fn object_id(&self) -> &str;
}

macro_rules! objects {
    ($($name:ident),*) => {$(
        impl ObjectId for $name {
            fn object_id(&self) -> &str {
                self.raw()
            }
        }
    )*};
}
objects!(ModelId, VersionId, CandidateId);
