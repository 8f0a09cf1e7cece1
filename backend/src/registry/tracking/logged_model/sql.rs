//! How logged models are found: by id, in MLflow's search, and by the loaders.

use super::{LoggedModel, columns};
use crate::access::Reader;
use crate::db::{Conn, Db, Sql, query};
use crate::error::{Error, Result};
use crate::filter::{self, Fields, Target};
use crate::id::{ExperimentId, LoggedModelId};
use crate::loader::load_by_owner;
use crate::long::Long;
use crate::page::{List, OrderDirection, Sort, SortKey};
use crate::registry::metadata::metric::MetricValue;
use crate::registry::tracking::experiment::{self, Experiment};
use crate::time::Timestamp;

/// The logged model with this id as MLflow has it, also from the trash.
pub async fn find(conn: impl Into<Conn<'_>>, wire_id: &str) -> Result<Option<LoggedModel>> {
    let found = query(concat!("SELECT ", columns!(), " FROM logged_models WHERE id = $1"))
        .bind(crate::text::looked_up(LoggedModelId::raw_of(wire_id)))
        .fetch_optional(conn)
        .await?;
    Ok(found)
}

pub(super) async fn get(conn: impl Into<Conn<'_>>, id: &LoggedModelId) -> Result<LoggedModel> {
    let found = find(conn, &id.wire()).await?;
    found.ok_or_else(|| Error::internal("a logged model went away while it was locked"))
}

/// The logged model with this id in a project that the caller may read, also from the trash, and its
/// experiment.
pub async fn readable(
    conn: impl Into<Conn<'_>>,
    reader: &Reader,
    wire_id: &str,
) -> Result<(LoggedModel, Experiment)> {
    let mut conn = conn.into();
    let not_found = || Error::not_found("logged model", wire_id);
    let model = find(conn.again(), wire_id).await?.ok_or_else(not_found)?;
    let experiment = experiment::sql::get_by_id(conn, &model.experiment_id).await?;
    if experiment.project_id != reader.project().id {
        return Err(not_found());
    }
    Ok((model, experiment))
}

const FIELDS: Fields = Fields {
    targets: &[
        ("name", Target::Text("l.name")),
        ("model_id", Target::Text("('m-' || l.id)")),
        ("model_type", Target::Text("l.model_type")),
        (
            "experiment_id",
            Target::Text(
                "(SELECT CAST(e.number AS TEXT) FROM experiments e WHERE e.id = l.experiment_id)",
            ),
        ),
        (
            "status",
            Target::Text(
                "CASE l.status WHEN 'FAILED' THEN 'LOGGED_MODEL_UPLOAD_FAILED' \
                 ELSE 'LOGGED_MODEL_' || l.status END",
            ),
        ),
        ("source_run_id", Target::Text("COALESCE(l.candidate_id, l.source_run_id, '')")),
        ("creation_timestamp", Target::Time("l.created_at_ms")),
        ("creation_time", Target::Time("l.created_at_ms")),
        ("creation_timestamp_ms", Target::Time("l.created_at_ms")),
        ("last_updated_timestamp", Target::Time("l.updated_at_ms")),
        ("last_updated_time", Target::Time("l.updated_at_ms")),
        ("last_updated_timestamp_ms", Target::Time("l.updated_at_ms")),
        ("metrics", Target::ModelMetric("l.id")),
        ("params", Target::Param("l.id")),
        ("tags", Target::Tag("l.id")),
    ],
    example: "metrics.accuracy > 0.9 and params.max_depth = '3' and name = 'model'",
    missing_differs: false,
};

/// One thing that MLflow's search sorts logged models by.
pub struct LoggedModelOrder {
    /// `metrics.accuracy` or `creation_timestamp`.
    pub field: String,
    pub descending: bool,
    /// Only the metric on this dataset: its name, and perhaps its digest.
    pub dataset: Option<(String, Option<String>)>,
}

/// The logged models of some experiments that MLflow's search asks for.
pub fn search(
    db: &Db,
    experiments: &[ExperimentId],
    filter: &str,
    datasets: &[(String, Option<String>)],
    order_by: &[LoggedModelOrder],
) -> Result<List> {
    let filter = filter::parse_with(db, &FIELDS, filter, filter::of_datasets(datasets))?;
    let mut keys = Vec::new();
    for order in order_by {
        let of: Vec<_> = order.dataset.iter().cloned().collect();
        keys.extend(filter::parse_key(db, &FIELDS, &order.field, order.descending, &of)?);
    }
    keys.push(SortKey::int("l.created_at_ms", OrderDirection::Desc));
    Ok(List {
        columns: columns!(),
        from: "logged_models l",
        parent: None,
        filter: Sql::new("l.deleted_at_ms IS NULL")
            .and(Sql::is_in("l.experiment_id", experiments))
            .and(measured_on(datasets))
            .and(filter),
        sort: Sort::by(keys, "l.id"),
    })
}

/// The condition that there is a metric on one of the datasets, where only some count.
fn measured_on(datasets: &[(String, Option<String>)]) -> Sql {
    if datasets.is_empty() {
        return Sql::new("TRUE");
    }
    let mut sql = Sql::new(
        "EXISTS (SELECT 1 FROM logged_model_metrics f WHERE f.logged_model_id = l.id AND (",
    );
    sql.push_sql(filter::of_datasets(datasets)).push("))");
    sql
}

/// A logged model of a run, by its role there.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RunModel {
    pub logged_model_id: LoggedModelId,
    pub is_output: bool,
    pub step: Long,
}

load_by_owner!(
    /// The logged models that a run was given or made.
    RunModelsOf => RunModel,
    "SELECT candidate_id AS owner_id, logged_model_id, is_output, step FROM run_models WHERE ",
    "candidate_id",
    " ORDER BY candidate_id, logged_model_id"
);

/// A point of a metric of a logged model.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LoggedModelMetric {
    pub name: String,
    #[sqlx(try_from = "Option<f64>")]
    pub value: MetricValue,
    pub step: Long,
    pub timestamp_ms: Timestamp,
    pub run_id: String,
    pub dataset_name: String,
    pub dataset_digest: String,
}

load_by_owner!(
    /// The last point of each metric of a logged model, by run and dataset.
    MetricsOfLoggedModel => LoggedModelMetric,
    "SELECT owner_id, name, value, step, timestamp_ms, run_id, dataset_name, dataset_digest FROM (
         SELECT f.logged_model_id AS owner_id, f.name, f.value, f.step, f.timestamp_ms, f.run_id,
                f.dataset_name, f.dataset_digest,
                ROW_NUMBER() OVER (
                    PARTITION BY f.logged_model_id, f.name, f.run_id, f.dataset_name, f.dataset_digest
                    ORDER BY f.step DESC, f.timestamp_ms DESC) AS place
         FROM logged_model_metrics f WHERE ",
    "f.logged_model_id",
    ") metrics WHERE place = 1 ORDER BY owner_id, name, run_id, dataset_name"
);

/// A version that was registered from a logged model.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Registration {
    pub name: String,
    pub number: i64,
}

load_by_owner!(
    /// The versions that were registered from a logged model; by its id as MLflow has it. Only those of its own project:
    /// who made a version elsewhere said so of it, and the name is for who reads that project.
    RegistrationsOf => Registration,
    "SELECT v.logged_model_id AS owner_id, m.name, v.number FROM model_versions v
     JOIN models m ON m.id = v.model_id
     JOIN logged_models l ON l.id = SUBSTR(v.logged_model_id, 3)
     JOIN experiments e ON e.id = l.experiment_id AND e.project_id = m.project_id
     WHERE v.deleted_at_ms IS NULL AND m.deleted_at_ms IS NULL AND ",
    "v.logged_model_id",
    " ORDER BY v.logged_model_id, m.name, v.number"
);

load_by_owner!(
    /// The logged models whose files are shown among those of a run.
    LoggedModelsOfRun => LoggedModel,
    concat!("SELECT candidate_id AS owner_id, ", columns!(), " FROM logged_models WHERE folder IS NOT NULL AND "),
    "candidate_id",
    ""
);
