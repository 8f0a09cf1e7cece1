//! How candidates are found: by number, in lists by any metric or param, and by the loaders.

use async_graphql::{Enum, InputObject, SimpleObject};

use super::{Candidate, columns};
use crate::access::Reader;
use crate::access::project::Project;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::filter::{self, Fields, Target};
use crate::id::{CandidateId, ExperimentId, ModelId};
use crate::loader::{Count, load_by_id, load_by_owner};
use crate::page::{List, OrderDirection, Sort, SortKey};
use crate::registry::catalog::model::{self, Model};
use crate::registry::target::Target as Object;
use crate::registry::tracking::experiment::sql::Lifecycle;
use crate::registry::tracking::experiment::{self, Experiment};
use crate::text;
use crate::time::Timestamp;

/// The candidate with this number, unless it is in the trash.
pub async fn find(
    conn: impl Into<Conn<'_>>,
    model_id: &ModelId,
    number: i64,
) -> Result<Option<Candidate>> {
    let candidate = query(concat!(
        "SELECT ",
        columns!(),
        " FROM candidates WHERE model_id = $1 AND number = $2 AND deleted_at_ms IS NULL"
    ))
    .bind(model_id)
    .bind(number)
    .fetch_optional(conn)
    .await?;
    Ok(candidate)
}

/// As [`find`], but a missing candidate is an error.
pub async fn get(conn: impl Into<Conn<'_>>, model: &Model, number: i64) -> Result<Candidate> {
    let candidate = find(conn, &model.id, number).await?;
    candidate.ok_or_else(|| Error::not_found("run", number.to_string()))
}

/// The candidate with this number in the trash.
pub async fn get_deleted(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    number: i64,
) -> Result<Candidate> {
    query(concat!(
        "SELECT ",
        columns!(),
        " FROM candidates WHERE model_id = $1 AND number = $2 AND deleted_at_ms IS NOT NULL"
    ))
    .bind(&model.id)
    .bind(number)
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("deleted run", number.to_string()))
}

/// The run with this id, with or without a model, also from the trash.
pub async fn find_run(conn: impl Into<Conn<'_>>, id: &str) -> Result<Option<Candidate>> {
    let found = query(concat!("SELECT ", columns!(), " FROM candidates WHERE id = $1"))
        .bind(text::looked_up(id))
        .fetch_optional(conn)
        .await?;
    Ok(found)
}

/// As [`find_run`], but a missing run is an error.
pub async fn get_run(conn: impl Into<Conn<'_>>, id: &CandidateId) -> Result<Candidate> {
    find_run(conn, id.raw()).await?.ok_or_else(|| Error::not_found("run", id.raw()))
}

/// The run with this id in a project, unless it is in the trash, with its experiment or model.
pub async fn find_in(
    conn: impl Into<Conn<'_>>,
    project: &Project,
    run_id: &str,
) -> Result<Option<Candidate>> {
    let mut conn = conn.into();
    let Some(run) = find_run(conn.again(), run_id).await? else { return Ok(None) };
    let experiment = experiment::sql::get_by_id(conn, &run.experiment_id).await?;
    let deleted = run.deleted_at_ms.or(experiment.deleted_at_ms);
    Ok((experiment.project_id == project.id && deleted.is_none()).then_some(run))
}

/// A run, and where it is.
pub struct FoundRun {
    pub run: Candidate,
    pub target: Object,
    pub experiment: Experiment,
}

impl FoundRun {
    /// Since when it is in the trash, by itself or with its experiment.
    pub fn deleted_at_ms(&self) -> Option<Timestamp> {
        self.run.deleted_at_ms.or(self.experiment.deleted_at_ms)
    }
}

/// The run with this id in a project that the caller may read, also from the trash.
pub async fn readable_run(
    conn: impl Into<Conn<'_>>,
    reader: &Reader,
    run_id: &str,
) -> Result<FoundRun> {
    let mut conn = conn.into();
    let not_found = || Error::not_found("run", run_id);
    let run = find_run(conn.again(), run_id).await?.ok_or_else(not_found)?;
    let experiment = experiment::sql::get_by_id(conn.again(), &run.experiment_id).await?;
    if experiment.project_id != reader.project().id {
        return Err(not_found());
    }
    let model = match &run.model_id {
        Some(id) => Some(model::sql::get_by_id(conn, id).await?),
        None => None,
    };
    let model = model.as_ref().map(|model| model.name.as_str());
    let target = run.target(reader.project(), model);
    Ok(FoundRun { run, target, experiment })
}

/// Who ran it, as MLflow's client says, or else whose token it was.
const USER: &str = "COALESCE((SELECT f.value FROM tags f WHERE f.owner_id = c.id AND f.key = 'mlflow.user'), \
                    (SELECT u.username FROM users u WHERE u.id = c.author_id))";

/// Where MLflow's client finds its files.
const ARTIFACT_URI: &str = "(SELECT COALESCE(e.artifact_location, 'mlflow-artifacts:/' || e.number) \
     || '/' || c.id || '/artifacts' FROM experiments e WHERE e.id = c.experiment_id)";

const FIELDS: Fields = Fields {
    targets: &[
        ("name", Target::Text("c.name")),
        ("run_name", Target::Text("c.name")),
        ("run name", Target::Text("c.name")),
        ("run_id", Target::Text("c.id")),
        ("user_id", Target::Text(USER)),
        ("artifact_uri", Target::Text(ARTIFACT_URI)),
        ("status", Target::Text("c.status")),
        ("number", Target::Number("c.number")),
        ("author", Target::Text("(SELECT u.username FROM users u WHERE u.id = c.author_id)")),
        ("created_at", Target::Time("c.created_at_ms")),
        ("updated_at", Target::Time("c.updated_at_ms")),
        ("started_at", Target::LaterTime("c.started_at_ms")),
        ("start_time", Target::LaterTime("c.started_at_ms")),
        ("created", Target::LaterTime("c.started_at_ms")),
        ("ended_at", Target::LaterTime("c.ended_at_ms")),
        ("end_time", Target::LaterTime("c.ended_at_ms")),
        ("datasets", Target::Dataset("c.id")),
        ("tags", Target::TagOr("c.id", "mlflow.runName", "c.name")),
        ("params", Target::Param("c.id")),
        ("metrics", Target::Metric("c.id")),
    ],
    example: "metrics.accuracy > 0.9 and params.lr = '0.01' and status = 'FINISHED'",
    missing_differs: true,
};

/// The candidates of a model that are not in the trash.
pub fn list(
    db: &Db,
    search: Option<String>,
    filter: Option<String>,
    order_by: Option<CandidateOrder>,
) -> Result<List> {
    let mut condition = Sql::new("c.deleted_at_ms IS NULL");
    if let Some(search) = text::search(search)? {
        condition = condition.and(db.contains(&["c.name"], &search));
    }
    if let Some(filter) = filter {
        condition = condition.and(filter::parse(db, &FIELDS, &filter)?);
    }
    Ok(List {
        columns: columns!(),
        from: "candidates c",
        parent: Some("c.model_id"),
        filter: condition,
        sort: sort(order_by)?,
    })
}

/// As [`FIELDS`], as MLflow reads them.
const SEARCH_FIELDS: Fields = Fields { missing_differs: false, ..FIELDS };

/// The runs that MLflow's search asks for, of the experiments with these ids.
pub fn search(
    db: &Db,
    experiments: &[ExperimentId],
    filter: &str,
    order_by: &[String],
    lifecycle: Lifecycle,
) -> Result<List> {
    let filter = filter::parse(db, &SEARCH_FIELDS, filter)?;
    let mut keys = filter::parse_order(db, &SEARCH_FIELDS, order_by)?;
    keys.push(SortKey::int("COALESCE(c.started_at_ms, 0)", OrderDirection::Desc));
    // Ties in the order of their ids, as MLflow has them.
    let sort = Sort { descending: false, ..Sort::by(keys, "c.id") };
    let within = Sql::is_in("c.experiment_id", experiments);
    Ok(List {
        columns: columns!(),
        from: "candidates c",
        parent: None,
        filter: lifecycle.condition("c.deleted_at_ms").and(within).and(filter),
        sort,
    })
}

fn sort(order_by: Option<CandidateOrder>) -> Result<Sort> {
    let Some(CandidateOrder { field, direction, key }) = order_by else {
        return Ok(Sort::int("c.created_at_ms", "c.id", OrderDirection::Desc));
    };
    let by_key = |target: &Target| {
        let keys = filter::sort_keys(target, key.as_deref(), direction, &Sql::new("TRUE"))?;
        Ok::<_, Error>(Sort::by(keys, "c.id"))
    };
    Ok(match field {
        CandidateOrderField::Name => Sort::text("c.name", "c.id", direction),
        CandidateOrderField::Status => Sort::text("c.status", "c.id", direction),
        CandidateOrderField::Number => Sort::int("c.number", "c.id", direction),
        CandidateOrderField::CreatedAt => Sort::int("c.created_at_ms", "c.id", direction),
        CandidateOrderField::UpdatedAt => Sort::int("c.updated_at_ms", "c.id", direction),
        CandidateOrderField::Metric => by_key(&Target::Metric("c.id"))?,
        CandidateOrderField::Param => by_key(&Target::Param("c.id"))?,
        CandidateOrderField::Tag => by_key(&Target::Tag("c.id"))?,
    })
}

/// What the candidates of a model have been logged with, by name; at most 500 of each.
#[derive(SimpleObject)]
pub struct CandidateColumns {
    /// The names of their metrics.
    metrics: Vec<String>,
    /// The names of their params.
    params: Vec<String>,
    /// The keys of their tags.
    tags: Vec<String>,
}

/// See [`CandidateColumns`]; `column` is what the candidates have in common, such as `c.model_id`.
pub async fn columns_of(db: &Db, column: &str, id: &str) -> Result<CandidateColumns> {
    let names = async |table: &str, name: &str| {
        let mut sql = Sql::new(format!(
            "SELECT DISTINCT f.{name} FROM candidates c JOIN {table} f ON f.owner_id = c.id \
             WHERE c.deleted_at_ms IS NULL AND {column} = ? ORDER BY f.{name} LIMIT 500"
        ));
        sql = sql.bind(id);
        let rows: Vec<(String,)> = Query::from(sql).fetch_all(db).await?;
        Ok::<_, Error>(rows.into_iter().map(|(name,)| name).collect())
    };
    Ok(CandidateColumns {
        metrics: names("metrics", "name").await?,
        params: names("params", "name").await?,
        tags: names("tags", "key").await?,
    })
}

load_by_id!(
    CandidateId => Candidate,
    concat!("SELECT ", columns!(), " FROM candidates WHERE "),
    "id"
);

load_by_owner!(
    /// How many candidates a model has.
    CandidateCount => Count,
    "SELECT model_id AS owner_id, COUNT(*) AS total FROM candidates WHERE deleted_at_ms IS NULL AND ",
    "model_id",
    " GROUP BY model_id"
);

load_by_owner!(
    /// How many candidates an experiment has.
    CountInExperiment => Count,
    "SELECT experiment_id AS owner_id, COUNT(*) AS total FROM candidates WHERE deleted_at_ms IS NULL AND ",
    "experiment_id",
    " GROUP BY experiment_id"
);

/// What candidates can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum CandidateOrderField {
    /// The name.
    Name,
    /// The time of creation.
    CreatedAt,
    /// The time when something was last logged.
    UpdatedAt,
    /// The number in the model.
    Number,
    /// The status, as text.
    Status,
    /// The last value of the metric that `key` names.
    Metric,
    /// The text of the param that `key` names.
    Param,
    /// The value of the tag that `key` names.
    Tag,
}

/// An order of candidates.
#[derive(InputObject)]
pub struct CandidateOrder {
    /// What to order by.
    pub field: CandidateOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
    /// Which metric, param or tag, for those fields. Candidates without it come last.
    pub key: Option<String>,
}
