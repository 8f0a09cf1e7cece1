//! The browsers that the viewer is signed in with.

use cynic::QueryBuilder;

use super::{mutation, scalar::DateTime, schema};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Session {
    pub id: cynic::Id,
    pub name: String,
    pub address: Option<String>,
    pub created_at: DateTime,
    pub last_used_at: Option<DateTime>,
    pub current: bool,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query")]
struct Sessions {
    viewer: Option<SessionOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "User")]
struct SessionOwner {
    sessions: Option<Vec<Session>>,
}

/// The viewer's own sessions, newest first.
pub async fn list() -> Result<Vec<Session>, ApiError> {
    run(Sessions::build(()))
        .await?
        .viewer
        .and_then(|viewer| viewer.sessions)
        .ok_or_else(|| ApiError::unauthenticated("Sign in to see your sessions."))
}

#[derive(cynic::InputObject, Clone)]
pub struct RevokeSessionInput {
    pub id: cynic::Id,
}

mutation! { $
    /// Signs that browser out.
    revoke: revoke_session(RevokeSessionInput) -> "RevokeSessionPayload" { session: Session }
}
