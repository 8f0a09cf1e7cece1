//! Workspaces, which are projects.

use async_graphql::MaybeUndefined;
use serde::Serialize;

use super::call::{Call, Done};
use super::error::Result;
use crate::access::project::Project;
use crate::access::{self, Actor};
use crate::change::Change;
use crate::registry::catalog::project;
use crate::registry::catalog::project::rules::UpdateProjectInput;
use crate::registry::lifecycle;
use crate::registry::lifecycle::project::CreateProjectInput;

#[derive(Serialize)]
pub struct WireWorkspace {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
}

impl From<Project> for WireWorkspace {
    fn from(project: Project) -> Self {
        Self { name: project.path, description: project.description }
    }
}

#[derive(Serialize)]
pub struct Found {
    workspace: WireWorkspace,
}

#[derive(Serialize)]
pub struct All {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    workspaces: Vec<WireWorkspace>,
}

/// The projects that the caller may read, by path.
pub async fn list(call: Call) -> Result<All> {
    let projects = project::readable(&call.app.db, &call.actor).await?;
    Ok(All { workspaces: projects.into_iter().map(WireWorkspace::from).collect() })
}

pub async fn get(call: Call) -> Result<Found> {
    let name = call.message.required("workspace_name")?;
    let reader = access::reader(&call.app.db, &call.actor, &name).await?;
    Ok(Found { workspace: reader.project().clone().into() })
}

pub async fn create(call: Call) -> Result<Found> {
    let message = &call.message;
    let new = CreateProjectInput {
        path: message.required("name")?,
        name: None,
        description: message.text("description")?,
        visibility: None,
    };
    let actor: &Actor = &call.actor;
    let mut change = Change::begin(&call.app, actor).await?;
    let creator = access::creator(actor)?;
    let workspace = lifecycle::project::create(&mut change, &creator, actor, new).await?.into();
    change.commit().await?;
    Ok(Found { workspace })
}

pub async fn update(call: Call) -> Result<Found> {
    let name = call.message.required("workspace_name")?;
    let mut change = Change::begin(&call.app, &call.actor).await?;
    let maintainer = access::maintainer(&mut *change, &call.actor, &name).await?;
    let description = match call.message.text("description")? {
        Some(description) => MaybeUndefined::Value(description),
        None => MaybeUndefined::Undefined,
    };
    let changes = UpdateProjectInput {
        project: name,
        name: MaybeUndefined::Undefined,
        description,
        visibility: MaybeUndefined::Undefined,
        redirects_downloads: MaybeUndefined::Undefined,
    };
    let workspace = project::rules::update(&mut change, &maintainer, changes).await?.into();
    change.commit().await?;
    Ok(Found { workspace })
}

pub async fn delete(call: Call) -> Result<Done> {
    let name = call.message.required("workspace_name")?;
    let mut change = Change::begin(&call.app, &call.actor).await?;
    let owner = access::owner(&mut *change, &call.actor, &name).await?;
    project::rules::delete(&mut change, &call.actor, &owner).await?;
    change.commit().await?;
    Ok(Done {})
}
