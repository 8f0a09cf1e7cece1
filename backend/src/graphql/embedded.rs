//! Operations that come with an embed token, which anybody can read in a page: few, small, and only to read.

use std::net::IpAddr;

use axum::http::request::Parts;

use super::answer::Refusal;
use super::http::Operation;
use super::persisted;
use super::subgraph::{self, Subgraph};
use crate::access::Actor;
use crate::access::embed::{self, Embed, From};
use crate::app::App;
use crate::error::{Error, Result};
use crate::limits::{self, MAX_BODY};
use crate::network;
use crate::registry::people::embed_token::operations;
use crate::sockets::Seat;

/// How long an operation is at most, in bytes, that the token does not name.
const MAX_QUERY: usize = 8 * 1024;
/// How many streams of events one network has open with a token, and all those have that come through a proxy that nobody
/// named.
const MAX_STREAMS: usize = 2;
const MAX_STREAMS_OF_ALL: usize = 64;

/// The schemas that such operations run on. What a token is not for is not there.
#[derive(Clone)]
pub struct Embedded {
    of_project: Subgraph,
    of_models: Subgraph,
}

impl Default for Embedded {
    fn default() -> Self {
        Self { of_project: subgraph::schema(), of_models: subgraph::of_models() }
    }
}

impl Embedded {
    pub fn of(&self, token: &Embed) -> &Subgraph {
        if token.models.is_some() { &self.of_models } else { &self.of_project }
    }
}

/// Who comes with an embed token; none if the request brings none.
pub async fn visitor(app: &App, parts: &Parts) -> Result<Option<Actor>> {
    let Some(token) = embed::shown(&app.access, parts).await? else { return Ok(None) };
    app.count_embedded(&token, parts)?;
    embed::visitor(&app.access, parts, token, From::Page).map(Some)
}

/// Refuses what the token is not for, and gives an operation the text that it names.
pub async fn resolve(app: &App, token: &Embed, operation: &mut Operation) -> Result<(), Refusal> {
    if !token.only_operations {
        return match operation.query.len() {
            0..=MAX_QUERY => Ok(()),
            _ => Err(Error::TooLarge(format!(
                "The query is too large: with an embed token at most {MAX_QUERY} bytes are allowed. Name it when you make the token."
            ))
            .into()),
        };
    }
    let hash = match persisted::named(operation)? {
        Some(hash) if operation.query.is_empty() => hash,
        _ if operation.query.len() > MAX_BODY => return Err(limits::too_large().into()),
        _ => operations::hash_of(&operation.query),
    };
    let found = operations::find(&app.db, &token.id, &hash).await?;
    operation.query = found.ok_or(Error::Forbidden(
        "This embed token is not for this operation. Its project's maintainers say which when they make it.",
    ))?;
    Ok(())
}

/// The right to a stream of events.
pub fn seat_of(app: &App, token: &Embed, address: Option<IpAddr>) -> Result<Seat> {
    let (token, network) = (token.id.raw(), address.map(|at| network::counted(&app.config, at)));
    match network.flatten() {
        Some(network) => app.sockets.take_embedded(format!("{token} {network}"), MAX_STREAMS),
        None => app.sockets.take_embedded(token.to_owned(), MAX_STREAMS_OF_ALL),
    }
}
