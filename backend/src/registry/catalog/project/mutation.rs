//! Changes of projects in GraphQL: inputs, payloads and mutations.

use async_graphql::{Context, InputObject, Object};

use super::rules::{self, RenameProjectInput, RestoreProjectInput, UpdateProjectInput};
use crate::access::project::Project;
use crate::access::{self, actor};
use crate::change;
use crate::error::Result;
use crate::registry::lifecycle;
use crate::registry::lifecycle::project::CreateProjectInput;
use crate::registry::payload;

/// Which project to move to the trash.
#[derive(InputObject)]
pub struct DeleteProjectInput {
    /// Its path.
    pub project: String,
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
    /// The project at its new address.
    RenameProjectPayload {
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
pub struct ProjectMutation;

#[Object]
impl ProjectMutation {
    /// Creates a project; you become its owner. `default`, which clients use that don't specify a project, can be
    /// created, renamed, deleted and restored by administrators only.
    async fn create_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new project.")] input: CreateProjectInput,
    ) -> Result<CreateProjectPayload> {
        let mut change = change::of(ctx).await?;
        let creator = access::creator(actor(ctx))?;
        let project = lifecycle::project::create(&mut change, &creator, actor(ctx), input).await?;
        change.commit().await?;
        Ok(CreateProjectPayload { project })
    }

    /// Changes a project's description and how its files are sent or, by its owners, its name or visibility.
    async fn update_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project, and what to change.")] input: UpdateProjectInput,
    ) -> Result<UpdateProjectPayload> {
        let mut change = change::of(ctx).await?;
        let maintainer = access::maintainer(&mut *change, actor(ctx), &input.project).await?;
        let project = rules::update(&mut change, &maintainer, input).await?;
        change.commit().await?;
        Ok(UpdateProjectPayload { project })
    }

    /// Changes the path of a project. The old path leads to it until another project of the same owners takes it; nobody else can take it.
    async fn rename_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project, and its new path.")] input: RenameProjectInput,
    ) -> Result<RenameProjectPayload> {
        let mut change = change::of(ctx).await?;
        let owner = access::owner(&mut *change, actor(ctx), &input.project).await?;
        let project = rules::rename(&mut change, actor(ctx), &owner, &input.path).await?;
        change.commit().await?;
        Ok(RenameProjectPayload { project })
    }

    /// Moves a project and everything in it to the trash.
    async fn delete_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project.")] input: DeleteProjectInput,
    ) -> Result<DeleteProjectPayload> {
        let mut change = change::of(ctx).await?;
        let owner = access::owner(&mut *change, actor(ctx), &input.project).await?;
        let project = rules::delete(&mut change, actor(ctx), &owner).await?;
        change.commit().await?;
        Ok(DeleteProjectPayload { project })
    }

    /// Restores a project and everything in it from the trash.
    async fn restore_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project.")] input: RestoreProjectInput,
    ) -> Result<RestoreProjectPayload> {
        let mut change = change::of(ctx).await?;
        let deleted = rules::find_deleted(&mut change, actor(ctx).user()?, &input).await?;
        let owner = access::owner_of_deleted(&mut *change, actor(ctx), deleted).await?;
        let project = rules::restore(&mut change, actor(ctx), &owner).await?;
        change.commit().await?;
        Ok(RestoreProjectPayload { project })
    }
}
