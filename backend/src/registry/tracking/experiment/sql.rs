//! How experiments are found: by name or number, in lists, and by the loaders.

use super::{Experiment, MODEL_PREFIX, columns};

use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::filter::{self, Fields, Target};
use crate::id::{ExperimentId, ProjectId};
use crate::loader::{load_by_id, load_by_owner};
use crate::page::{List, OrderDirection, Sort, SortKey};
use crate::text;

/// Which of what can be in the trash, as MLflow asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    Active,
    Deleted,
    All,
}

impl Lifecycle {
    /// The condition on the column that says when something was deleted.
    pub fn condition(self, column: &str) -> Sql {
        match self {
            Self::Active => Sql::new(format!("{column} IS NULL")),
            Self::Deleted => Sql::new(format!("{column} IS NOT NULL")),
            Self::All => Sql::new("TRUE"),
        }
    }
}

/// The experiment with this number, also from the trash.
pub async fn find_by_number(
    conn: impl Into<Conn<'_>>,
    project: &ProjectId,
    number: i64,
) -> Result<Option<Experiment>> {
    let found = query(concat!(
        "SELECT ",
        columns!(),
        " FROM experiments WHERE project_id = $1 AND number = $2"
    ))
    .bind(project)
    .bind(number)
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// Those of the experiments with these numbers that there are, also from the trash.
pub async fn find_all(
    conn: impl Into<Conn<'_>>,
    project: &ProjectId,
    numbers: Vec<i64>,
) -> Result<Vec<Experiment>> {
    let mut sql =
        Sql::new(concat!("SELECT ", columns!(), " FROM experiments WHERE project_id = ?"))
            .bind(project);
    sql = sql.and(Sql::is_in("number", numbers));
    Ok(Query::from(sql).fetch_all(conn).await?)
}

/// The experiment of a candidate or logged model, also from the trash.
pub async fn get_by_id(conn: impl Into<Conn<'_>>, id: &ExperimentId) -> Result<Experiment> {
    query(concat!("SELECT ", columns!(), " FROM experiments WHERE id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::internal("a row without its experiment"))
}

/// The experiments of a project that are not in the trash, newest first.
pub fn list(db: &Db, search: Option<String>, standalone: bool) -> Result<List> {
    let mut condition = Sql::new("e.deleted_at_ms IS NULL");
    if let Some(search) = text::search(search)? {
        condition = condition.and(db.contains(&["e.name"], &search));
    }
    if standalone {
        condition = condition.and(Sql::new("e.model_id IS NULL"));
    }
    let sort = Sort::int("e.number", "e.id", OrderDirection::Desc);
    Ok(List {
        columns: columns!(),
        from: "experiments e",
        parent: Some("e.project_id"),
        filter: condition,
        sort,
    })
}

const FIELDS: Fields = Fields {
    targets: &[
        ("name", Target::Text("e.name")),
        ("experiment_id", Target::Number("e.number")),
        ("creation_time", Target::Time("e.created_at_ms")),
        ("last_update_time", Target::Time("e.updated_at_ms")),
        ("tags", Target::Tag("e.id")),
    ],
    example: "name LIKE 'ocr-%' and tags.team = 'vision'",
    missing_differs: false,
};

/// The experiments of a project that MLflow's search asks for.
pub fn search(db: &Db, filter: &str, order_by: &[String], lifecycle: Lifecycle) -> Result<List> {
    let mut condition = lifecycle.condition("e.deleted_at_ms");
    if let Some(name) = filter::equal_to(&FIELDS, "name", filter)?
        && !name.starts_with(MODEL_PREFIX)
    {
        // Which goes without saying, but has the index find it.
        condition.push(" AND e.model_id IS NULL");
    }
    let filter = filter::parse(db, &FIELDS, filter)?;
    let mut keys = filter::parse_order(db, &FIELDS, order_by)?;
    if keys.is_empty() {
        keys.push(SortKey::int("e.created_at_ms", OrderDirection::Desc));
    }
    Ok(List {
        columns: columns!(),
        from: "experiments e",
        parent: Some("e.project_id"),
        filter: condition.and(filter),
        sort: Sort::by(keys, "e.id"),
    })
}

load_by_id!(
    ExperimentId => Experiment,
    concat!("SELECT ", columns!(), " FROM experiments WHERE "),
    "id"
);

load_by_owner!(
    /// The default experiment of a model.
    ExperimentOf => Experiment,
    concat!("SELECT model_id AS owner_id, ", columns!(), " FROM experiments WHERE "),
    "model_id",
    ""
);
