//! Projects in GraphQL: fields, orders and queries.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object};

use super::ModelCount;
use crate::access::project::{Project, columns};
use crate::access::user::User;
use crate::access::{self, actor};
use crate::config::redirect::Redirect;
use crate::connection::{Connection, Node};
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::loader::{loaders, total};
use crate::long::Long;
use crate::page::{ENTRIES, LOOK_UP, List, OrderDirection, Page, Sort, cost};
use crate::registry::address;
use crate::registry::catalog::file::{self, File};
use crate::registry::catalog::model::facet::{FacetValue, ModelFacet};
use crate::registry::catalog::model::sql::ModelOrder;
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::protection::{self, ProtectedAlias};
use crate::registry::event::sql::EventFilter;
use crate::registry::event::{self, Event};
use crate::registry::lifecycle::trash::{self, TrashEntry};
use crate::registry::people::embed_token::{EmbedToken, EmbedTokensOf};
use crate::registry::people::member::sql::MemberCount;
use crate::registry::people::member::{self, Member};
use crate::registry::people::token::{Token, TokensOfProject};
use crate::registry::people::user;
use crate::registry::tracking::candidate::{self, Candidate};
use crate::registry::tracking::experiment::{self, Experiment};
use crate::registry::webhook::Webhook;
use crate::registry::webhook::sql::WebhooksOf;
use crate::role::Role;
use crate::{markdown, text};

#[ComplexObject]
impl Project {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// The address of its page; absolute if the server knows its public URL.
    async fn web_url(&self, ctx: &Context<'_>) -> String {
        address::page(ctx, &[&self.path])
    }

    /// The description, in Markdown.
    #[graphql(complexity = "LOOK_UP")]
    async fn description(&self) -> &str {
        &self.description
    }

    /// The description as sanitised HTML.
    #[graphql(complexity = "LOOK_UP")]
    async fn description_html(&self, ctx: &Context<'_>) -> Result<String> {
        markdown::render(ctx, &self.description).await
    }

    /// Whether clients get its files from the object store itself, and not through the server; null if the server redirects no
    /// downloads.
    async fn redirects_downloads(&self, ctx: &Context<'_>) -> Option<bool> {
        let redirect = loaders(ctx).loader().app.config.redirect;
        (redirect != Redirect::Off).then_some(self.redirects_downloads)
    }

    /// Who created it.
    async fn author(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.author_id)).await
    }

    /// The caller's role in it, within the scope of their token; null if they have lost access.
    async fn viewer_role(&self, ctx: &Context<'_>) -> Result<Option<Role>> {
        match member::sql::reader_in(ctx, self).await {
            Ok(reader) => Ok(Some(reader.role())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its members, by username; not shown to callers who are not signed in.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose username or name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Member>> {
        member::sql::reader_in(ctx, self).await?.check_knows_members()?;
        let page = Page::new(first, after, last, before)?;
        let list = member::sql::list(&loaders(ctx).loader().app.db, search)?;
        Ok(Connection::new(list, page, self.id.raw()))
    }

    /// How many members it has; not shown to callers who are not signed in.
    async fn member_count(&self, ctx: &Context<'_>) -> Result<i32> {
        member::sql::reader_in(ctx, self).await?.check_knows_members()?;
        Ok(total(loaders(ctx).load_one(MemberCount(self.id.raw().to_owned())).await?))
    }

    /// Its tokens that were not revoked, newest first; shown to maintainers.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn tokens(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Token>>> {
        member::sql::reader_in(ctx, self).await?.check_sees(Role::Maintainer)?;
        let tokens = loaders(ctx).load_one(TokensOfProject(self.id.raw().to_owned())).await?;
        Ok(tokens.unwrap_or_default())
    }

    /// Its embed tokens that were not revoked, newest first; shown to maintainers.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn embed_tokens(&self, ctx: &Context<'_>) -> Result<Arc<Vec<EmbedToken>>> {
        member::sql::reader_in(ctx, self).await?.check_sees(Role::Maintainer)?;
        let tokens = loaders(ctx).load_one(EmbedTokensOf(self.id.raw().to_owned())).await?;
        Ok(tokens.unwrap_or_default())
    }

    /// Its webhooks, newest first; shown to maintainers.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn webhooks(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Webhook>>> {
        member::sql::reader_in(ctx, self).await?.check_sees(Role::Maintainer)?;
        let hooks = loaders(ctx).load_one(WebhooksOf(self.id.raw().to_owned())).await?;
        Ok(hooks.unwrap_or_default())
    }

    /// The protected aliases, which only maintainers can move, in all of its models.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn protected_aliases(&self, ctx: &Context<'_>) -> Result<Vec<ProtectedAlias>> {
        let all = protection::load(ctx, &self.id).await?;
        Ok(all.iter().filter(|rule| rule.is_for_the_whole_project()).cloned().collect())
    }

    /// How many models it has.
    async fn model_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = loaders(ctx).load_one(ModelCount(self.id.raw().to_owned())).await?;
        Ok(total(count))
    }

    /// The model with this name; null if there is none.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn model(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name in the project, such as `ocr`.")] name: String,
    ) -> Result<Option<Model>> {
        model::sql::find(&loaders(ctx).loader().app.db, &self.id, &name).await
    }

    /// Its models.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn models(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(
            desc = "Only those that match, such as `tags.team = 'ocr' and name like 'ocr-%'`."
        )]
        filter: Option<String>,
        #[graphql(desc = "The order; by name if omitted.")] order_by: Option<ModelOrder>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Model>> {
        let page = Page::new(first, after, last, before)?;
        let db = &loaders(ctx).loader().app.db;
        let list = model::sql::list_in_project(db, search, filter, order_by)?;
        Ok(Connection::new(list, page, self.id.raw()))
    }

    /// The values that its models can be filtered by, most frequent first, each with the number of matching models:
    /// at most 50 values.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn model_facet(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to filter by.")] of: ModelFacet,
        #[graphql(desc = "Only of models whose name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(
            desc = "Only of models that match, such as `framework = 'sklearn' and license = 'mit'`."
        )]
        filter: Option<String>,
    ) -> Result<Vec<FacetValue>> {
        let db = &loaders(ctx).loader().app.db;
        let list = model::sql::list_in_project(db, search, filter, None)?;
        model::facet::values(db, of, list, self.id.raw()).await
    }

    /// The experiment with this number; null if there is none.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its number in the project; 0 is the default one.")] number: i32,
    ) -> Result<Option<Experiment>> {
        let db = &loaders(ctx).loader().app.db;
        let found = experiment::sql::find_by_number(db, &self.id, number.into()).await?;
        Ok(found.filter(|experiment| experiment.deleted_at_ms.is_none()))
    }

    /// Its experiments, newest first.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn experiments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(desc = "Only those that are not the default one of a model.")] standalone: Option<
            bool,
        >,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Experiment>> {
        let page = Page::new(first, after, last, before)?;
        let db = &loaders(ctx).loader().app.db;
        let list = experiment::sql::list(db, search, standalone.unwrap_or(false))?;
        Ok(Connection::new(list, page, self.id.raw()))
    }

    /// The candidate with this MLflow run id, with or without a model; null if there is none.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "32 hexadecimal digits.")] run_id: String,
    ) -> Result<Option<Candidate>> {
        candidate::sql::find_in(&loaders(ctx).loader().app.db, self, &run_id).await
    }

    /// Its files that are of no version and no run, by path: what MLflow's clients keep in places of their own.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn artifacts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in this folder and below it.")] path: Option<String>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<File>> {
        let page = Page::new(first, after, last, before)?;
        file::sql::list(&loaders(ctx).loader().app.db, self.id.raw(), path, None, page)
    }

    /// The size of all its artifacts, in bytes.
    #[graphql(complexity = "LOOK_UP")]
    async fn artifacts_size(&self, ctx: &Context<'_>) -> Result<Long> {
        Ok(Long(file::sql::load_totals(ctx, self.id.raw()).await?.size))
    }

    /// Its deleted models, versions and candidates, last deleted first; shown to developers.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn trash(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<TrashEntry>> {
        member::sql::reader_in(ctx, self).await?.check_sees(Role::Developer)?;
        Ok(trash::list(&self.id, Page::new(first, after, last, before)?))
    }

    /// How many bytes emptying the trash, or deleting one item of it, frees at most: files that are not used elsewhere in
    /// the project; shown to developers.
    #[graphql(complexity = "LOOK_UP")]
    async fn trash_size(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of this model, version, candidate or experiment, by its id.")]
        item: Option<ID>,
    ) -> Result<Long> {
        member::sql::reader_in(ctx, self).await?.check_sees(Role::Developer)?;
        Ok(Long(trash::size(&loaders(ctx).loader().app.db, &self.id, item).await?))
    }

    /// What happened in it, newest first; what was refused, and who may what, is shown to maintainers.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events; all if omitted.")] filter: Option<EventFilter>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Event>> {
        let page = Page::new(first, after, last, before)?;
        let reader = member::sql::reader_in(ctx, self).await?;
        let db = &loaders(ctx).loader().app.db;
        Ok(event::sql::list_in(&reader, db, ("e.project_id", self.id.raw()), filter, page))
    }
}

impl Node for Project {
    const NAME: &'static str = "Project";
}

/// What projects can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum ProjectOrderField {
    /// The shown name.
    Name,
    /// The time of creation.
    CreatedAt,
    /// The time of the last change.
    UpdatedAt,
}

/// An order of projects.
#[derive(InputObject)]
pub struct ProjectOrder {
    /// What to order by.
    field: ProjectOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

#[derive(Default)]
pub struct ProjectQuery;

#[Object]
impl ProjectQuery {
    /// The project at this path; null if there is none that the caller may see.
    async fn project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its address, such as `vision`.")] path: String,
    ) -> Result<Option<Project>> {
        let db = &loaders(ctx).loader().app.db;
        match access::reader(db, actor(ctx), &path).await {
            Ok(reader) => Ok(Some(reader.project().clone())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The projects that the caller may see.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose path or name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(desc = "The order; by name if omitted.")] order_by: Option<ProjectOrder>,
        #[graphql(default, desc = "Your projects in the trash instead.")] trashed: bool,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Project>> {
        let page = Page::new(first, after, last, before)?;
        let mut filter = if trashed {
            access::member::owned("p.id", actor(ctx))?.and(Sql::new("p.deleted_at_ms IS NOT NULL"))
        } else {
            actor(ctx).may_read("p.id").and(Sql::new("p.deleted_at_ms IS NULL"))
        };
        if let Some(search) = text::search(search)? {
            filter =
                filter.and(loaders(ctx).loader().app.db.contains(&["p.path", "p.name"], &search));
        }
        let (field, direction) = match order_by {
            Some(order) => (order.field, order.direction),
            None => (ProjectOrderField::Name, OrderDirection::Asc),
        };
        let sort = match field {
            ProjectOrderField::Name => Sort::text("p.name", "p.id", direction),
            ProjectOrderField::CreatedAt => Sort::int("p.created_at_ms", "p.id", direction),
            ProjectOrderField::UpdatedAt => Sort::int("p.updated_at_ms", "p.id", direction),
        };
        let list = List { columns: columns!(), from: "projects p", parent: None, filter, sort };
        Ok(Connection::new(list, page, ""))
    }
}
