//! Projects in GraphQL: fields, inputs, queries, mutations.

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, MaybeUndefined, Object};

use super::{ModelCount, Project, Role, Visibility, columns, create, delete, restore, update};
use crate::auth::{self, actor};
use crate::connection::{Connection, Node};
use crate::error::{Error, Result};
use crate::loader::{loaders, total};
use crate::page::{LOOK_UP, List, OrderDirection, Page, Sort, cost};
use crate::registry::event::{self, Change, Event};
use crate::registry::model::{self, Model, ModelOrder};
use crate::registry::trash::{self, TrashEntry};
use crate::registry::user::{self, User};
use crate::registry::{markdown, payload};
use crate::text;

#[ComplexObject]
impl Project {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// What it is, in markdown.
    #[graphql(complexity = "LOOK_UP")]
    async fn description(&self) -> &str {
        &self.description
    }

    /// The description as sanitised HTML.
    #[graphql(complexity = "LOOK_UP")]
    async fn description_html(&self, ctx: &Context<'_>) -> Result<String> {
        markdown::render(ctx, &self.description).await
    }

    /// Who created it.
    async fn author(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.author_id)).await
    }

    /// What the caller may do in it.
    async fn viewer_role(&self, ctx: &Context<'_>) -> Result<Option<Role>> {
        actor(ctx).role_in(self)
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
        model::find(&loaders(ctx).loader().app.db, &self.id, &name).await
    }

    /// Its models.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn models(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose name contains this text, whatever its case.")]
        search: Option<String>,
        #[graphql(
            desc = "Only those that match, such as `tags.team = 'ocr' and name like 'ocr-%'`."
        )]
        filter: Option<String>,
        #[graphql(desc = "In which order; by name if omitted.")] order_by: Option<ModelOrder>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Model>> {
        let page = Page::new(first, after, last, before)?;
        let db = &loaders(ctx).loader().app.db;
        let list = model::list(db, search, filter, order_by)?;
        Ok(Connection::new(List { parent: Some("m.project_id"), ..list }, page, self.id.raw()))
    }

    /// Its deleted models, versions and candidates, last deleted first.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn trash(
        &self,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<TrashEntry>> {
        Ok(trash::list(&self.id, Page::new(first, after, last, before)?))
    }

    /// What happened in it, newest first.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn events(
        &self,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Event>> {
        Ok(event::list("project_id", self.id.raw(), Page::new(first, after, last, before)?))
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

/// A new project.
#[derive(InputObject)]
pub struct CreateProjectInput {
    /// Its address: 1–63 of a-z, 0-9 and -.
    pub path: String,
    /// The name to show; the path if omitted.
    pub name: Option<String>,
    /// What it is, in markdown, at most 64 KiB.
    pub description: Option<String>,
    /// Who can see it; PRIVATE if omitted.
    pub visibility: Option<Visibility>,
}

/// Changes of a project; what is omitted stays.
#[derive(InputObject)]
pub struct UpdateProjectInput {
    /// Its path.
    pub project: String,
    /// The name to show.
    pub name: MaybeUndefined<String>,
    /// What it is, in markdown, at most 64 KiB.
    pub description: MaybeUndefined<String>,
    /// Who can see it.
    pub visibility: MaybeUndefined<Visibility>,
}

/// Which project to put into the trash.
#[derive(InputObject)]
pub struct DeleteProjectInput {
    /// Its path.
    pub project: String,
}

/// Which project to take out of the trash.
#[derive(InputObject)]
pub struct RestoreProjectInput {
    /// Its path.
    pub project: String,
    /// Which of several that had this path; the one deleted last if omitted.
    pub id: Option<ID>,
}

payload! {
    /// The new project.
    CreateProjectPayload {
        /// The project.
        project: Project
    }
}
payload! {
    /// The changed project.
    UpdateProjectPayload {
        /// The project.
        project: Project
    }
}
payload! {
    /// The deleted project.
    DeleteProjectPayload {
        /// The project.
        project: Project
    }
}
payload! {
    /// The restored project.
    RestoreProjectPayload {
        /// The project.
        project: Project
    }
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
        match auth::reader(db, actor(ctx), &path).await {
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
        #[graphql(desc = "Only those whose path or name contains this text, whatever its case.")]
        search: Option<String>,
        #[graphql(desc = "In which order; by name if omitted.")] order_by: Option<ProjectOrder>,
        #[graphql(default, desc = "Those in the trash instead of the others.")] trashed: bool,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Project>> {
        let page = Page::new(first, after, last, before)?;
        let mut filter = actor(ctx).may_read("p.id")?;
        filter.push(if trashed {
            " AND p.deleted_at_ms IS NOT NULL"
        } else {
            " AND p.deleted_at_ms IS NULL"
        });
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

#[derive(Default)]
pub struct ProjectMutation;

#[Object]
impl ProjectMutation {
    /// Creates a project.
    async fn create_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new project.")] input: CreateProjectInput,
    ) -> Result<CreateProjectPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let admin = auth::admin(actor(ctx))?;
        let project = create(&mut change, &admin, input).await?;
        change.commit().await?;
        Ok(CreateProjectPayload { project })
    }

    /// Changes a project's name, description or visibility.
    async fn update_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project, and what to change.")] input: UpdateProjectInput,
    ) -> Result<UpdateProjectPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let maintainer = auth::maintainer(&mut *change, actor(ctx), &input.project).await?;
        let project = update(&mut change, &maintainer, input).await?;
        change.commit().await?;
        Ok(UpdateProjectPayload { project })
    }

    /// Puts a project and all that it has into the trash.
    async fn delete_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project.")] input: DeleteProjectInput,
    ) -> Result<DeleteProjectPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let maintainer = auth::maintainer(&mut *change, actor(ctx), &input.project).await?;
        let project = delete(&mut change, &maintainer).await?;
        change.commit().await?;
        Ok(DeleteProjectPayload { project })
    }

    /// Takes a project out of the trash, with all that it has.
    async fn restore_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project.")] input: RestoreProjectInput,
    ) -> Result<RestoreProjectPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let admin = auth::admin(actor(ctx))?;
        let project = restore(&mut change, &admin, input).await?;
        change.commit().await?;
        Ok(RestoreProjectPayload { project })
    }
}
