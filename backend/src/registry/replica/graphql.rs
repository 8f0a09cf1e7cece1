//! Servers in GraphQL, for administrators.

use async_graphql::{Context, ID, Object};

use super::Seen;
use crate::access::{self, actor};
use crate::error::Result;
use crate::loader::loaders;
use crate::page::LOOK_UP;
use crate::time::Timestamp;

/// One of several servers that are this registry together.
#[Object(name = "Replica")]
impl Seen {
    /// Its id, which it has from its start to its end.
    async fn id(&self) -> ID {
        self.id.as_str().into()
    }

    /// The name of its machine.
    async fn name(&self) -> &str {
        &self.name
    }

    /// The version of its program, such as `0.1.0`.
    async fn version(&self) -> &str {
        &self.program
    }

    /// The version of the database that it knows, a number that grows with releases.
    async fn schema(&self) -> i32 {
        i32::try_from(self.schema).unwrap_or(i32::MAX)
    }

    /// When it started.
    async fn started_at(&self) -> Timestamp {
        self.started_at_ms
    }

    /// When it last said that it is there, which it does every ten seconds.
    async fn last_seen_at(&self) -> Timestamp {
        self.seen_at_ms
    }

    /// Whether it is there: it said so in the last minute.
    async fn is_alive(&self) -> bool {
        self.is_alive
    }

    /// Whether it does the background jobs now, such as sweep and scrub: one of them does for all.
    async fn has_background_jobs(&self) -> bool {
        self.has_upkeep
    }
}

#[derive(Default)]
pub struct ReplicaQuery;

#[Object]
impl ReplicaQuery {
    /// The servers of this registry that are there, or were in the last day, the oldest first; empty if the files are in
    /// a folder, which one server has. Only for administrators.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn replicas(&self, ctx: &Context<'_>) -> Result<Vec<Seen>> {
        access::auditor(actor(ctx))?;
        let app = &loaders(ctx).loader().app;
        super::all(&app.db, &app.clock).await
    }
}
