//! The trash in GraphQL: what lies there, and emptying it.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};

use super::rules::Emptier;
use super::{TrashEntry, removal, rules};
use crate::access::actor;
use crate::access::project::Project;
use crate::access::user::User;
use crate::change;
use crate::error::{Error, Result};
use crate::id::{CandidateId, ExperimentId, ModelId, VersionId};
use crate::loader::loaders;
use crate::registry::catalog::model::Model;
use crate::registry::catalog::version::ModelVersion;
use crate::registry::people::user;
use crate::registry::tracking::candidate::Candidate;
use crate::registry::tracking::experiment::Experiment;
use crate::time::Timestamp;

/// What can be in the trash.
#[derive(Union)]
pub enum TrashItem {
    Model(Model),
    ModelVersion(Box<ModelVersion>),
    Candidate(Candidate),
    Experiment(Experiment),
}

/// An item in the trash.
#[Object]
impl TrashEntry {
    /// When it was deleted.
    async fn deleted_at(&self) -> Timestamp {
        self.deleted_at_ms
    }

    /// Who deleted it.
    async fn deleted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.deleted_by_id.as_ref()).await
    }

    /// What it is.
    async fn item(&self, ctx: &Context<'_>) -> Result<TrashItem> {
        let loader = loaders(ctx);
        let id = self.id.clone();
        let item = match self.kind.as_str() {
            "MODEL" => loader.load_one(ModelId::from_raw(id)).await?.map(TrashItem::Model),
            "VERSION" => loader
                .load_one(VersionId::from_raw(id))
                .await?
                .map(Box::new)
                .map(TrashItem::ModelVersion),
            "EXPERIMENT" => {
                loader.load_one(ExperimentId::from_raw(id)).await?.map(TrashItem::Experiment)
            }
            _ => loader.load_one(CandidateId::from_raw(id)).await?.map(TrashItem::Candidate),
        };
        item.ok_or_else(|| Error::internal("the trash names what is not there"))
    }
}

/// What to delete permanently.
#[derive(InputObject)]
pub struct EmptyTrashInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// Only this model, version, candidate or experiment, by its id; everything in the trash if omitted.
    item: Option<ID>,
}

/// What was permanently deleted.
#[derive(SimpleObject)]
pub struct EmptyTrashPayload {
    /// The project.
    project: Project,
    /// How many items were deleted: at most 200 at once, so that other requests don't wait long. The contents of a
    /// model are not counted separately.
    removed_count: i32,
    /// How many items are left in the trash.
    remaining_count: i32,
}

#[derive(Default)]
pub struct TrashMutation;

#[Object]
impl TrashMutation {
    /// Permanently deletes what is in the trash of a project. This can't be undone. The bytes are removed some days later; the
    /// numbers of published versions are never used again. For maintainers; a single version also for the person who published
    /// it, within 72 hours, if nobody fetched it and no alias or stage ever pointed to it.
    async fn empty_trash(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project, and what of it.")] input: EmptyTrashInput,
    ) -> Result<EmptyTrashPayload> {
        let mut change = change::of(ctx).await?;
        let emptier =
            Emptier::of(&mut change, actor(ctx), &input.project, input.item.as_ref()).await?;
        let app = loaders(ctx).loader().app.clone();
        // Behind who removes much, nobody waits.
        let alone = app.removing.try_lock();
        let what = (input.item, alone.is_ok());
        let emptied = rules::empty(&mut change, &emptier, what).await?;
        let remaining_count = rules::count(&mut change, &emptier.project().id).await?;
        change.commit().await?;
        drop(alone);
        if !emptied.is_over {
            let app = app.clone();
            // A server that stops waits for none of it: the next one goes on.
            tokio::spawn(async move {
                if let Err(error) = removal::finish(&app).await {
                    tracing::warn!(?error, "what was deleted for good is not all gone yet");
                }
            });
        }
        let project = emptier.project().clone();
        Ok(EmptyTrashPayload { project, removed_count: emptied.count, remaining_count })
    }
}
