//! A model as it changes: what GraphQL's subscription gives.

use async_graphql::{Context, Subscription};
use futures_util::stream::BoxStream;

use super::Model;
use crate::change::topic_of;
use crate::error::Result;
use crate::page::LOOK_UP;
use crate::registry::catalog::model::sql::readable;
use crate::registry::live::{Caller, Followed, follow};

#[derive(Default)]
pub struct ModelSubscription;

#[Subscription]
impl ModelSubscription {
    /// A model as it is now, and again after every change that is in its log: card, tags,
    /// aliases, versions, candidates; at most four times a second. Ends with NOT_FOUND when it is deleted
    /// or hidden; goes on when it is renamed.
    #[graphql(complexity = "LOOK_UP + 5 * child_complexity")]
    async fn model_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The model's path, such as `vision/ocr`.")] model: String,
    ) -> Result<BoxStream<'static, Result<Model>>> {
        follow(Caller::of(ctx), Named(model)).await
    }
}

/// A model by its path.
struct Named(String);

impl Followed for Named {
    type Item = Model;

    async fn find(&self, caller: &Caller) -> Result<Model> {
        caller.check_live().await?;
        Ok(readable(&caller.app.db, &caller.actor, &self.0).await?.1)
    }

    fn key(model: &Model) -> String {
        topic_of(&model.id)
    }
}
