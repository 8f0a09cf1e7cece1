//! Experiments in GraphQL: their fields.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID};

use super::Experiment;
use crate::access::project::Project;
use crate::connection::Connection;
use crate::error::Result;
use crate::loader::{loaders, total};
use crate::page::{ENTRIES, LOOK_UP, Page, cost};
use crate::registry::address;
use crate::registry::catalog::model::{self, Model};
use crate::registry::metadata::tag::{self, Tag};
use crate::registry::tracking::candidate::sql::{CandidateColumns, CandidateOrder};
use crate::registry::tracking::candidate::{self, Candidate};

#[ComplexObject]
impl Experiment {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// The project that it is in.
    async fn project(&self, ctx: &Context<'_>) -> Result<Project> {
        self.project_of(ctx).await
    }

    /// The address of its page; absolute if the server knows its public URL.
    async fn web_url(&self, ctx: &Context<'_>) -> Result<String> {
        let project = self.project_of(ctx).await?;
        Ok(address::page(ctx, &[&project.path, "-", "experiments", &self.number.to_string()]))
    }

    /// The model whose default experiment this is; null if it is none.
    async fn model(&self, ctx: &Context<'_>) -> Result<Option<Model>> {
        match &self.model_id {
            Some(id) => model::sql::load(ctx, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Its tags, by key.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn tags(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Tag>>> {
        tag::load(ctx, self.id.raw()).await
    }

    /// Its candidates, with and without a model.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn candidates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(
            desc = "Only those that match, such as `metrics.accuracy > 0.9 and params.lr = '0.01' and status = 'FINISHED'`."
        )]
        filter: Option<String>,
        #[graphql(desc = "The order; newest first if omitted.")] order_by: Option<CandidateOrder>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Candidate>> {
        let page = Page::new(first, after, last, before)?;
        let db = &loaders(ctx).loader().app.db;
        let mut list = candidate::sql::list(db, search, filter, order_by)?;
        list.parent = Some("c.experiment_id");
        Ok(Connection::new(list, page, self.id.raw()))
    }

    /// How many candidates it has.
    async fn candidate_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = candidate::sql::CountInExperiment(self.id.raw().to_owned());
        Ok(total(loaders(ctx).load_one(count).await?))
    }

    /// What its candidates have been logged with: the columns that a table of them can have.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn candidate_columns(&self, ctx: &Context<'_>) -> Result<CandidateColumns> {
        let db = &loaders(ctx).loader().app.db;
        candidate::sql::columns_of(db, "c.experiment_id", self.id.raw()).await
    }
}
