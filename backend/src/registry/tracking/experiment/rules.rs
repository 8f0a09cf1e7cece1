//! The rules of experiments: made, renamed, deleted with their runs; that of a model follows it.

use super::{Experiment, MODEL_PREFIX, columns, default_name, rules, sql};
use crate::access::Writer;
use crate::access::project::Project;
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::db::{Query, Tx, query};
use crate::error::{Error, Result};
use crate::id::{CandidateId, ExperimentId, ModelId, ProjectId};
use crate::registry::catalog::model::{self, Model};
use crate::registry::metadata::tag::{self, TagInput};
use crate::registry::target;
use crate::text;
use crate::time::Timestamp;

/// A new experiment that is no model's.
pub struct NewExperiment {
    pub name: String,
    /// Where its runs have their files, if not here.
    pub artifact_location: Option<String>,
    pub tags: Vec<TagInput>,
}

/// Creates the experiment that the runs of a new project are in unless told.
pub async fn create_first(change: &mut Change, project: &Project) -> Result<()> {
    let id = ExperimentId::new(change.now);
    draw_number(change, &project.id, 0).await?;
    Ok(insert(&id, None, "Default", None, (&project.id, change.now)).later(change).await?)
}

/// Creates an experiment that is no model's.
pub async fn create(
    change: &mut Change,
    writer: &Writer,
    new: NewExperiment,
) -> Result<Experiment> {
    let name = parse_name("name", &new.name)?;
    let project = writer.project();
    let location = new.artifact_location.filter(|location| !location.is_empty());
    let id = ExperimentId::new(change.now);
    draw_number(change, &project.id, 1).await?;
    let experiment: Experiment = insert(&id, None, &name, location, (&project.id, change.now))
        .fetch_one(&mut **change)
        .await
        .map_err(Error::unless_unique("experiment", &name))?;
    tag::rules::insert_all(change, experiment.id.raw(), new.tags).await?;
    let target = experiment.target(project);
    let detail = serde_json::json!({ "name": experiment.name });
    change.record(Action::ExperimentCreate, target.subject(), detail).await?;
    Ok(experiment)
}

/// The name of an experiment that is no model's.
fn parse_name(field: &str, name: &str) -> Result<String> {
    if name.starts_with(MODEL_PREFIX) {
        let reason = "can't begin with [model]: such an experiment is created together with its model. Create the model instead";
        return Err(Error::invalid(field, reason));
    }
    text::check_shown(field, name)?;
    text::long_name(field, name)
}

/// Draws a number in the project, of which the first is `first`, for the experiment that is inserted next.
async fn draw_number(tx: &mut Tx, project: &ProjectId, first: i64) -> Result<()> {
    query(
        "INSERT INTO project_numbers (project_id, last_experiment) VALUES ($1, $2)
         ON CONFLICT (project_id) DO UPDATE SET last_experiment = project_numbers.last_experiment + 1",
    )
    .bind(project)
    .bind(first)
    .later(tx)
    .await?;
    Ok(())
}

/// Inserts an experiment with the last number that was drawn in its project.
fn insert(
    id: &ExperimentId,
    model: Option<&ModelId>,
    name: &str,
    artifact_location: Option<String>,
    (project, now): (&ProjectId, Timestamp),
) -> Query {
    query(concat!(
        "INSERT INTO experiments (id, model_id, name, artifact_location, created_at_ms, updated_at_ms,
                                  project_id, number)
         SELECT $1, $2, $3, $4, $5, $6, n.project_id, n.last_experiment
         FROM project_numbers n WHERE n.project_id = $7 RETURNING ",
        columns!()
    ))
    .bind(id)
    .bind(model.map(|id| id.raw().to_owned()))
    .bind(name)
    .bind(artifact_location)
    .bind(now)
    .bind(now)
    .bind(project)
}

/// Gives an experiment that is no model's another name.
pub async fn rename(
    change: &mut Change,
    writer: &Writer,
    old: &Experiment,
    name: &str,
) -> Result<Experiment> {
    check_own(old, "renamed")?;
    let name = parse_name("new_name", name)?;
    target::touch(change, &old.id).await?;
    let renamed: Experiment =
        query(concat!("UPDATE experiments SET name = $2 WHERE id = $1 RETURNING ", columns!()))
            .bind(&old.id)
            .bind(&name)
            .fetch_one(&mut **change)
            .await
            .map_err(Error::unless_unique("experiment", &name))?;
    let detail = serde_json::json!({ "from": old.name, "to": name });
    let target = renamed.target(writer.project());
    change.record(Action::ExperimentRename, target.subject(), detail).await?;
    Ok(renamed)
}

/// Puts an experiment that is no model's into the trash with its candidates, or takes both out again.
pub async fn set_deleted(
    change: &mut Change,
    writer: &Writer,
    experiment: &Experiment,
    deleted: bool,
) -> Result<()> {
    check_own(experiment, "deleted")?;
    if experiment.number == 0 {
        return Err(Error::Conflict(
            "The default experiment of a project can't be deleted or renamed.".into(),
        ));
    }
    target::touch(change, &experiment.project_id).await?;
    let changed = query(
        "UPDATE experiments SET deleted_at_ms = $2, updated_at_ms = $3
         WHERE id = $1 AND (deleted_at_ms IS NULL) = $4",
    )
    .bind(&experiment.id)
    .bind(deleted.then_some(change.now))
    .bind(change.now)
    .bind(deleted)
    .execute(change)
    .await
    .map_err(Error::unless_unique("experiment", &experiment.name))?;
    if changed == 0 {
        return Err(Error::not_found("experiment", experiment.number.to_string()));
    }
    let statement = if deleted {
        query(
            "UPDATE candidates SET deleted_at_ms = $2, deleted_by_id = $3
             WHERE experiment_id = $1 AND deleted_at_ms IS NULL RETURNING id, model_id",
        )
        .bind(&experiment.id)
        .bind(change.now)
        .bind(change.author())
    } else {
        // What was deleted with it comes back with it, what was deleted before stays where it is.
        query(
            "UPDATE candidates SET deleted_at_ms = NULL, deleted_by_id = NULL
             WHERE experiment_id = $1 AND deleted_at_ms = $2 RETURNING id, model_id",
        )
        .bind(&experiment.id)
        .bind(experiment.deleted_at_ms)
    };
    let candidates: Vec<(CandidateId, Option<ModelId>)> =
        statement.fetch_all(&mut **change).await?;
    for (candidate, model) in &candidates {
        change.publish_run(candidate, &experiment.id, model.as_ref());
    }
    let action = if deleted { Action::ExperimentDelete } else { Action::ExperimentRestore };
    let target = experiment.target(writer.project());
    change.record(action, target.subject(), serde_json::json!({})).await
}

/// Refuses what would part a model from its experiment.
fn check_own(experiment: &Experiment, done: &str) -> Result<()> {
    match experiment.model_id {
        Some(_) => Err(Error::Conflict(format!(
            "Experiment {} belongs to a model and is {done} with the model.",
            experiment.name
        ))),
        None => Ok(()),
    }
}

/// Keeps the default experiment, if there is one, in step with its model: renamed, deleted or restored.
pub async fn follow(change: &mut Change, _writer: &Writer, model: &Model) -> Result<()> {
    query("UPDATE experiments SET name = $2, deleted_at_ms = $3, updated_at_ms = $4 WHERE model_id = $1")
        .bind(&model.id)
        .bind(default_name(&model.name))
        .bind(model.deleted_at_ms)
        .bind(change.now)
        .execute(change)
        .await
        .map_err(Error::unless_unique("experiment", &default_name(&model.name)))?;
    Ok(())
}

/// The id of the default experiment of a model, which is made when it is first asked for: many models are made for
/// versions that come from elsewhere.
pub async fn default_of(change: &mut Change, model: &ModelId) -> Result<ExperimentId> {
    let now = change.now;
    find_or_make(change, model, now).await
}

async fn find_or_make(tx: &mut Tx, model: &ModelId, now: Timestamp) -> Result<ExperimentId> {
    if let Some(id) = find_default(&mut *tx, model).await? {
        return Ok(id);
    }
    // Locked as it is now, so that it is made once.
    let locked: Option<(String, ProjectId, Option<Timestamp>)> = query(
        "UPDATE models SET last_candidate = last_candidate WHERE id = $1
         RETURNING name, project_id, deleted_at_ms",
    )
    .bind(model)
    .fetch_optional(&mut *tx)
    .await?;
    let (name, project, deleted) = locked.ok_or_else(|| Error::not_found("model", model.raw()))?;
    if let Some(id) = find_default(&mut *tx, model).await? {
        return Ok(id);
    }
    let id = ExperimentId::new(now);
    draw_number(tx, &project, 1).await?;
    insert(&id, Some(model), &default_name(&name), None, (&project, now)).later(tx).await?;
    if deleted.is_some() {
        let follow = query("UPDATE experiments SET deleted_at_ms = $2 WHERE id = $1");
        follow.bind(&id).bind(deleted).later(tx).await?;
    }
    Ok(id)
}

async fn find_default(tx: &mut Tx, model: &ModelId) -> Result<Option<ExperimentId>> {
    let found: Option<(ExperimentId,)> = query("SELECT id FROM experiments WHERE model_id = $1")
        .bind(model)
        .fetch_optional(tx)
        .await?;
    Ok(found.map(|(id,)| id))
}

/// The default experiment of a model that has none yet, for somebody who may read it.
pub async fn make_default(app: &App, model: &ModelId) -> Result<Experiment> {
    let mut tx = app.db.begin().await?;
    let id = find_or_make(&mut tx, model, app.clock.now()).await?;
    tx.commit().await?;
    sql::get_by_id(&app.db, &id).await
}

/// The experiment with this name, or else the one with it that was deleted last.
pub async fn find_by_name(
    app: &App,
    project: &ProjectId,
    name: &str,
) -> Result<Option<Experiment>> {
    // Each by an index of its own: that of a model is found by the model.
    const STANDALONE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM experiments
          WHERE project_id = $1 AND name = $2 AND deleted_at_ms IS NULL AND model_id IS NULL"
    );
    const IN_TRASH: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM experiments WHERE project_id = $1 AND name = $2 AND deleted_at_ms IS NOT NULL
          ORDER BY deleted_at_ms DESC LIMIT 1"
    );
    let named = |sql, name| query(sql).bind(project).bind(text::looked_up(name));
    let found = match name.strip_prefix(MODEL_PREFIX) {
        Some(name) => match model::sql::find(&app.db, project, name).await? {
            Some(model) => Some(get_default(app, &model.id).await?),
            None => None,
        },
        None => named(STANDALONE, name).fetch_optional(&app.db).await?,
    };
    match found {
        Some(found) => Ok(Some(found)),
        None => Ok(named(IN_TRASH, name).fetch_optional(&app.db).await?),
    }
}

/// The default experiment of a model, for somebody who may read that.
async fn get_default(app: &App, model: &ModelId) -> Result<Experiment> {
    let of_model = query(concat!("SELECT ", columns!(), " FROM experiments WHERE model_id = $1"));
    match of_model.bind(model).fetch_optional(&app.db).await? {
        Some(found) => Ok(found),
        None => rules::make_default(app, model).await,
    }
}
