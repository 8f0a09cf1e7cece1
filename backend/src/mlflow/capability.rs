//! Capability URLs: a sealed token in an address says what may be done with one artifact, until when, for whoever asked.
//!
//! It gives nobody more than they have: who asked must still be there, and still be allowed, whenever it is used.
//! Whatever is wrong with a token is answered alike.

use axum::http::request::Parts;

use serde::{Deserialize, Serialize};

use crate::access::{Actor, Shown};
use crate::app::App;
use crate::error::Error;

use super::address::Address;
use crate::time::Timestamp;

use super::call::Call;
use super::error::{Failure, Result};

/// What the tokens in addresses are sealed for.
pub const PURPOSE: &str = "url";

/// How long an address is good if nobody says, in seconds.
pub const SECONDS: i64 = 900;

pub const MAX_SECONDS: i64 = 7 * 24 * 3600;

pub const NOT_GOOD: Error =
    Error::Forbidden("This signed address is not valid or has expired. Request a new one.");

/// What an address is for.
#[derive(Serialize, Deserialize)]
pub enum Capability {
    Get {
        /// Only these bytes: parts of others must not be joined to theirs.
        sha256: String,
    },
    Put,
    PutPart {
        upload: String,
        number: u32,
    },
}

/// What a token says.
#[derive(Serialize, Deserialize)]
pub struct Claim {
    pub may: Capability,
    pub project: String,
    pub address: String,
    /// Who asked; nobody who signed in if none.
    pub by: Option<Shown>,
    pub until_ms: i64,
}

/// Makes addresses for whoever makes a call.
pub struct Addresses<'a> {
    call: &'a Call,
    base: String,
    until: Timestamp,
}

impl<'a> Addresses<'a> {
    pub fn new(call: &'a Call, seconds: i64) -> Self {
        Self { call, base: base(call), until: call.app.clock.now().plus_seconds(seconds) }
    }

    /// An address for one thing that can be done with an artifact.
    pub fn url(&self, address: &Address, may: Capability) -> Result<String> {
        let claim = Claim {
            may,
            project: self.call.project.clone(),
            address: address.to_string(),
            by: self.call.actor.shown(),
            until_ms: self.until.millis(),
        };
        let token = self.call.app.signing.seal(PURPOSE, &claim)?;
        Ok(format!("{}/mlflow-signed/{token}", self.base))
    }
}

/// Where the client reaches this server: as its users see it, or as this request came.
pub fn base(call: &Call) -> String {
    let good = |host: &&str| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    let host = call.host.as_ref().and_then(|host| host.to_str().ok()).filter(good);
    match (&call.app.config.public_url, host) {
        (Some(url), _) => url.to_string(),
        (None, Some(host)) => format!("http://{host}"),
        (None, None) => call.app.config.own_url().unwrap_or_default(),
    }
}

/// What the token of an address says, if it is ours and has not expired.
pub fn claim(app: &App, token: &str) -> Result<Claim> {
    let claim: Option<Claim> = app.signing.open(PURPOSE, token);
    let claim = claim.filter(|claim| app.clock.now().millis() < claim.until_ms);
    claim.ok_or_else(|| NOT_GOOD.into())
}

/// Who asked for an address, if they may still come in; from where it is used.
pub async fn signer(app: &App, claim: &Claim, parts: &Parts) -> Result<Actor> {
    let Some(shown) = &claim.by else { return Ok(Actor::of_network(&app.access, parts)) };
    Ok(Actor::again(&app.access, parts, shown).await?.ok_or(NOT_GOOD)?)
}

/// Answers alike whether there is no such thing, or the one who asked may no longer.
pub fn mask_denied(failure: Failure) -> Failure {
    match failure.error {
        Error::NotFound { .. } | Error::Unauthenticated(_) | Error::Forbidden(_) => NOT_GOOD.into(),
        _ => failure,
    }
}
