//! What people and scripts show to be recognised: [sessions](super::session) and access [tokens](super::token).
//!
//! Never stores a secret: only the SHA-256 of its 238 random bits, which no dictionary has.

pub mod rules;

use crate::role::{CredentialKind, TokenScope};
use crate::time::Timestamp;

pub struct NewCredential {
    pub kind: CredentialKind,
    pub name: String,
    pub scope: TokenScope,
    pub address: Option<String>,
    pub expires_at_ms: Option<Timestamp>,
}
