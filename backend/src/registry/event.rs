//! The log: who did what to which object, when. Append-only; nothing here edits or deletes a line.
//!
//! [`Change`] is the unit of work: one transaction of one person at one moment. A rule that changes
//! something records it in the same transaction, so the log can neither miss a change nor invent one.

use std::ops::{Deref, DerefMut};

use async_graphql::{ComplexObject, Context, ID, SimpleObject};

use crate::app::App;
use crate::auth::Actor;
use crate::connection::{Connection, Node};
use crate::db::{Db, Sql, Tx, query};
use crate::error::Result;
use crate::id::{EventId, ModelId, ProjectId, UserId};
use crate::loader::load_by_id;
use crate::page::{ENTRIES, List, OrderDirection, Page, Sort};
use crate::registry::user::{self, User};
use crate::time::{Clock, Timestamp};

/// One line of the log: who did what to which object, when.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Event {
    #[graphql(skip)]
    pub id: EventId,
    /// When it happened.
    #[graphql(name = "at")]
    pub at_ms: Timestamp,
    #[graphql(skip)]
    pub actor_id: Option<UserId>,
    /// What was done, such as `model.create` or `alias.set`.
    pub action: String,
    /// What it was done to, in words: `vision/ocr`, `vision/ocr@1.2.0`.
    pub subject: String,
    #[graphql(skip)]
    pub detail: String,
    #[graphql(skip)]
    pub project_id: Option<ProjectId>,
}

#[ComplexObject]
impl Event {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// More about it, as a JSON object.
    #[graphql(complexity = "ENTRIES")]
    async fn detail(&self) -> &str {
        &self.detail
    }

    /// Who did it; null for the server itself.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.actor_id.as_ref()).await
    }
}

macro_rules! columns {
    () => {
        "id, at_ms, actor_id, action, subject, detail, project_id"
    };
}

load_by_id!(EventId => Event, concat!("SELECT ", columns!(), " FROM events WHERE "), "id");

impl Node for Event {
    const NAME: &'static str = "Event";
}

/// What an event is about.
pub struct Subject<'a> {
    pub name: String,
    pub project_id: Option<&'a ProjectId>,
    pub model_id: Option<&'a ModelId>,
    /// The raw id of the object itself.
    pub object_id: &'a str,
}

/// One transaction by one person at one moment.
pub struct Change {
    tx: Tx,
    author: UserId,
    pub now: Timestamp,
}

impl Change {
    /// Begins a change; the caller must be signed in.
    pub async fn begin(app: &App, actor: &Actor) -> Result<Self> {
        let author = actor.user()?.id.clone();
        Self::begin_as(app, author).await
    }

    /// Begins a change by a person who is known otherwise.
    pub async fn begin_as(app: &App, author: UserId) -> Result<Self> {
        Self::begin_in(&app.db, &app.clock, author).await
    }

    /// As [`Change::begin_as`], without a server.
    pub async fn begin_in(db: &Db, clock: &Clock, author: UserId) -> Result<Self> {
        Ok(Self { tx: db.begin().await?, author, now: clock.now() })
    }

    /// Who makes the change.
    pub fn author(&self) -> &UserId {
        &self.author
    }

    /// Writes a line into the log.
    pub async fn record(
        &mut self,
        action: &'static str,
        subject: Subject<'_>,
        detail: serde_json::Value,
    ) -> Result<()> {
        query(
            "INSERT INTO events (id, at_ms, actor_id, action, subject, detail, project_id, model_id, object_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(EventId::new(self.now))
        .bind(self.now)
        .bind(self.author.clone())
        .bind(action)
        .bind(subject.name)
        .bind(detail.to_string())
        .bind(subject.project_id.map(|id| id.raw().to_owned()))
        .bind(subject.model_id.map(|id| id.raw().to_owned()))
        .bind(subject.object_id)
        .execute(&mut self.tx)
        .await?;
        Ok(())
    }

    /// Makes the change durable.
    pub async fn commit(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

impl Deref for Change {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

/// The events of a project, a model or another object, newest first. `column` says which of them
/// `parent` is the raw id of.
pub fn list(column: &'static str, parent: &str, page: Page) -> Connection<Event> {
    let list = List {
        columns: columns!(),
        from: "events",
        parent: Some(column),
        filter: Sql::new("TRUE"),
        // Ids are in the order of time.
        sort: Sort::text("id", "id", OrderDirection::Desc),
    };
    Connection::new(list, page, parent)
}
