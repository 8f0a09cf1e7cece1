//! Look-ups by path in batches: many models cost a few statements, however many they are.

use std::collections::HashMap;

use async_graphql::Context;
use async_graphql::dataloader::Loader;

use super::{Model, columns};
use crate::access::actor;
use crate::access::project::{self, Project};
use crate::db::{Query, Sql};
use crate::error::{Error, Result};
use crate::id::ProjectId;
use crate::loader::{Loaders, Owned, loaders};
use crate::registry::people::member;
use crate::text;

/// The model at this path, or the one that was there before it was renamed; none if the caller may see none.
pub async fn find(ctx: &Context<'_>, path: &str) -> Result<Option<Model>> {
    let Some((project, name)) = text::split_model_path(path) else { return Ok(None) };
    let Some(project) = find_project(ctx, project).await? else { return Ok(None) };
    let name = text::nfc(text::looked_up(name));
    let model = loaders(ctx).load_one(Named { project: project.id, name }).await?;
    Ok(model.filter(|model| actor(ctx).check_shows(&model.id).is_ok()))
}

/// The project at this path, or the one that was there before it was renamed; none if the caller may not see it.
pub async fn find_project(ctx: &Context<'_>, path: &str) -> Result<Option<Project>> {
    let at = ProjectAt(text::looked_up(path).to_owned());
    let Some(project) = loaders(ctx).load_one(at).await? else { return Ok(None) };
    match member::sql::reader_in(ctx, &project).await {
        Ok(_) => Ok(Some(project)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The path of a project that is not in the trash: it has it, or had it before it was renamed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ProjectAt(String);

impl Loader<ProjectAt> for Loaders {
    type Value = Project;
    type Error = Error;

    async fn load(&self, keys: &[ProjectAt]) -> Result<HashMap<ProjectAt, Project>> {
        let paths = || keys.iter().map(|key| key.0.as_str());
        let live = " FROM projects WHERE deleted_at_ms IS NULL AND ";
        let mut sql = Sql::new(concat!("SELECT path AS owner_id, ", project::columns!()));
        sql.push(live).push_sql(Sql::is_in("path", paths()));
        let now: Vec<Owned<Project>> = Query::from(sql).fetch_all(&self.app.db).await?;
        let mut found: HashMap<_, _> =
            now.into_iter().map(|row| (ProjectAt(row.owner_id), row.row)).collect();
        if found.len() < keys.len() {
            let mut sql = Sql::new(concat!("SELECT asked AS owner_id, ", project::columns!()));
            sql.push(" FROM projects JOIN (SELECT f.path AS asked, f.project_id FROM former_paths f WHERE f.leads AND ");
            sql.push_sql(Sql::is_in("f.path", paths()));
            sql.push(") f ON f.project_id = id WHERE deleted_at_ms IS NULL");
            let former: Vec<Owned<Project>> = Query::from(sql).fetch_all(&self.app.db).await?;
            for row in former {
                found.entry(ProjectAt(row.owner_id)).or_insert(row.row);
            }
        }
        Ok(found)
    }
}

/// The name of a model that is not in the trash: it has it, or had it before it was renamed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named {
    project: ProjectId,
    name: String,
}

/// A model, and the name by which it was found.
#[derive(sqlx::FromRow)]
struct Found {
    asked: String,
    #[sqlx(flatten)]
    model: Model,
}

impl Found {
    fn pair(self) -> (Named, Model) {
        (Named { project: self.model.project_id.clone(), name: self.asked }, self.model)
    }
}

impl Loader<Named> for Loaders {
    type Value = Model;
    type Error = Error;

    async fn load(&self, keys: &[Named]) -> Result<HashMap<Named, Model>> {
        let pairs = || {
            let rows = keys.iter().map(|key| [(&key.project).into(), (&key.name).into()]);
            Sql::rows("(project_id, name) IN (VALUES", rows)
        };
        let mut sql = Sql::new(concat!("SELECT name AS asked, ", columns!()));
        sql.push(" FROM models WHERE deleted_at_ms IS NULL AND ").push_sql(pairs()).push(")");
        let now: Vec<Found> = Query::from(sql).fetch_all(&self.app.db).await?;
        let mut found: HashMap<_, _> = now.into_iter().map(Found::pair).collect();
        if found.len() < keys.len() {
            let mut sql = Sql::new(concat!("SELECT asked, ", columns!()));
            sql.push(" FROM models JOIN (SELECT name AS asked, model_id FROM former_names WHERE leads AND ");
            sql.push_sql(pairs()).push(")) f ON f.model_id = id WHERE deleted_at_ms IS NULL");
            let former: Vec<Found> = Query::from(sql).fetch_all(&self.app.db).await?;
            for (key, model) in former.into_iter().map(Found::pair) {
                found.entry(key).or_insert(model);
            }
        }
        Ok(found)
    }
}
