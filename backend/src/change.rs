//! The unit of work: one transaction of one person at one moment, which writes its own lines into the log.

use std::ops::{Deref, DerefMut};

use async_graphql::Context;

use crate::access::allowance::Allowance;
use crate::access::{self, Actor, actor};
use crate::action::Action;
use crate::app::App;
use crate::db::{Changed, Db, Query, Sql, Tx, Unmet};
use crate::error::Result;
use crate::id::{CandidateId, ExperimentId, ModelId, UserId};
use crate::loader::loaders;
use crate::log::{self, By, Line, Subject};
use crate::time::{Clock, Timestamp};

/// Begins the change that a mutation makes, by whoever asks for it.
pub async fn of(ctx: &Context<'_>) -> Result<Change> {
    Change::begin(&loaders(ctx).loader().app, actor(ctx)).await
}

/// One transaction by one person at one moment.
pub struct Change {
    tx: Tx,
    by: By,
    /// What the operator lets them do.
    pub allowed: Allowance,
    pub now: Timestamp,
}

impl Change {
    /// Begins a change; the caller must be signed in, and not with a token that only reads. Looks again
    /// whether they still may: a request can last, and somebody may have been blocked meanwhile.
    pub async fn begin(app: &App, actor: &Actor) -> Result<Self> {
        actor.check_may_write()?;
        let mut tx = app.db.begin().await?;
        let now = app.clock.now();
        access::credential::check_live(&mut tx, actor, now).await?;
        let allowed = Allowance::of(&app.config.policy, actor);
        Ok(Self { tx, by: actor.by(), allowed, now })
    }

    /// Begins a change by somebody who is not signed in yet, at the other end of `actor`.
    pub async fn begin_as(app: &App, actor: &Actor, user: UserId) -> Result<Self> {
        let by = By { user: Some(user), ..actor.by() };
        let allowed = Allowance::of(&app.config.policy, actor);
        Ok(Self { tx: app.db.begin().await?, by, allowed, now: app.clock.now() })
    }

    /// Begins a change by a person on the server itself: without a network, credential or scope.
    pub async fn begin_in(db: &Db, clock: &Clock, user: UserId) -> Result<Self> {
        let by = By { user: Some(user), credential: None, address: None };
        let allowed = Allowance::default();
        Ok(Self { tx: db.begin().await?, by, allowed, now: clock.now() })
    }

    /// Who makes the change.
    pub fn author(&self) -> &UserId {
        self.by.user.as_ref().expect("who begins a change is somebody")
    }

    /// Writes a line into the log, and has everybody hear of it who follows the model that it is about.
    pub async fn record(
        &mut self,
        action: Action,
        subject: Subject<'_>,
        detail: serde_json::Value,
    ) -> Result<()> {
        if let Some(model) = subject.model_id {
            self.tx.publish(Changed { id: topic_of(model), part_of: Vec::new() });
        }
        log::publish(&mut self.tx);
        let line = Line { action, subject, detail, refused: false };
        Ok(Query::from(line.insert(&self.by, self.now)).beside(&mut self.tx).await?)
    }

    /// Writes a line into the log, unless the same person did the same within the last minute: for what
    /// programs do every second, and what is kept with its time elsewhere.
    pub async fn record_sometimes(&mut self, action: Action, subject: Subject<'_>) -> Result<()> {
        let object_id = subject.object_id.to_owned();
        log::publish(&mut self.tx);
        let line = Line { action, subject, detail: serde_json::json!({}), refused: false };
        let mut sql = line.insert(&self.by, self.now);
        sql.push(
            " WHERE NOT EXISTS (SELECT 1 FROM
                 (SELECT action, actor_id, at_ms FROM events WHERE object_id = ",
        );
        sql.push_value(object_id).push(" ORDER BY id DESC LIMIT 1) AS last WHERE last.action = ");
        sql.push_value(action).push(" AND last.actor_id = ").push_value(self.author());
        sql.push(" AND last.at_ms > ").push_value(self.now.plus_seconds(-60)).push(")");
        // It reads the log, of which a line may wait to be written.
        self.tx.run_kept().await?;
        Ok(Query::from(sql).beside(&mut self.tx).await?)
    }

    /// Has the change fail, as `unmet` says, unless there is a row of `condition` when it is made, which reads nothing that
    /// was kept to be changed [beside](Query::beside) it.
    pub async fn require(&mut self, condition: Sql, unmet: Unmet) -> Result<()> {
        let mut sql = Sql::new("INSERT INTO objects (id) SELECT NULL WHERE NOT EXISTS (");
        sql.push_sql(condition).push(")");
        Ok(Query::from(sql).beside_or(&mut self.tx, unmet).await?)
    }

    /// Has everybody who follows a run, its experiment or its model hear that it was changed.
    pub fn publish_run(
        &mut self,
        id: &CandidateId,
        experiment: &ExperimentId,
        model: Option<&ModelId>,
    ) {
        let mut part_of = vec![experiment.raw().to_owned()];
        part_of.extend(model.map(|model| model.raw().to_owned()));
        self.tx.publish(Changed { id: id.raw().to_owned(), part_of });
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

/// The topic under which changes of a model are published, apart from those of its candidates.
pub fn topic_of(model: &ModelId) -> String {
    format!("{}/log", model.raw())
}
