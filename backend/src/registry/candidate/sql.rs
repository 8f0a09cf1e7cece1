//! How candidates are found: by number, in lists by any metric or param, and by the loaders.

use async_graphql::SimpleObject;

use super::{Candidate, CandidateOrder, columns};
use crate::db::{Conn, Db, Sql, query};
use crate::error::{Error, Result};
use crate::filter::{self, Fields, Target};
use crate::id::{CandidateId, ModelId};
use crate::loader::{Count, load_by_id, load_by_owner};
use crate::page::{List, OrderDirection, Sort, SortKey};
use crate::registry::candidate::graphql::CandidateOrderField;
use crate::registry::model::Model;
use crate::text;

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
    candidate.ok_or_else(|| Error::not_found("candidate", number.to_string()))
}

const FIELDS: Fields = Fields {
    targets: &[
        ("name", Target::Text("c.name")),
        ("run_id", Target::Text("c.id")),
        ("status", Target::Text("c.status")),
        ("number", Target::Number("c.number")),
        ("author", Target::Text("(SELECT u.username FROM users u WHERE u.id = c.author_id)")),
        ("created_at", Target::Time("c.created_at_ms")),
        ("updated_at", Target::Time("c.updated_at_ms")),
        ("started_at", Target::Time("c.started_at_ms")),
        ("ended_at", Target::Time("c.ended_at_ms")),
        ("tags", Target::Tag("c.id")),
        ("params", Target::Param("c.id")),
        ("metrics", Target::Metric("c.id")),
    ],
    example: "metrics.accuracy > 0.9 and params.lr = '0.01' and status = 'FINISHED'",
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

fn sort(order_by: Option<CandidateOrder>) -> Result<Sort> {
    let Some(CandidateOrder { field, direction, key }) = order_by else {
        return Ok(Sort::int("c.created_at_ms", "c.id", OrderDirection::Desc));
    };
    // Rows without the key come last, either way, and NaN before them.
    let logged = |table: &str, fallback: &str| {
        let Some(key) = &key else {
            return Err(Error::invalid("key", "must name the metric or param to order by"));
        };
        let key = crate::text::key("key", key)?;
        let select = |value: &str, otherwise: &str| {
            let row =
                format!("SELECT {value} FROM {table} f WHERE f.owner_id = c.id AND f.name = ?");
            Sql::new(format!("COALESCE(({row}), {otherwise})")).bind(key.as_str())
        };
        let flag = select("CASE WHEN f.value IS NULL THEN 1 ELSE 0 END", "2");
        Ok((Some(flag), select("f.value", fallback)))
    };
    Ok(match field {
        CandidateOrderField::Name => Sort::text("c.name", "c.id", direction),
        CandidateOrderField::Status => Sort::text("c.status", "c.id", direction),
        CandidateOrderField::Number => Sort::int("c.number", "c.id", direction),
        CandidateOrderField::CreatedAt => Sort::int("c.created_at_ms", "c.id", direction),
        CandidateOrderField::UpdatedAt => Sort::int("c.updated_at_ms", "c.id", direction),
        CandidateOrderField::Metric => {
            let (flag, key) = logged("metrics", "0.0")?;
            Sort { flag, ..Sort::by(SortKey::Real(key), "c.id", direction) }
        }
        CandidateOrderField::Param => {
            let (flag, key) = logged("params", "''")?;
            Sort { flag, ..Sort::by(SortKey::Text(key), "c.id", direction) }
        }
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

/// See [`CandidateColumns`].
pub async fn columns_of(db: &Db, model_id: &ModelId) -> Result<CandidateColumns> {
    let names = async |select: &'static str| {
        let rows: Vec<(String,)> = query(select).bind(model_id).fetch_all(db).await?;
        Ok::<_, Error>(rows.into_iter().map(|(name,)| name).collect())
    };
    Ok(CandidateColumns {
        metrics: names(
            "SELECT DISTINCT f.name FROM candidates c JOIN metrics f ON f.owner_id = c.id
             WHERE c.model_id = $1 AND c.deleted_at_ms IS NULL ORDER BY f.name LIMIT 500",
        )
        .await?,
        params: names(
            "SELECT DISTINCT f.name FROM candidates c JOIN params f ON f.owner_id = c.id
             WHERE c.model_id = $1 AND c.deleted_at_ms IS NULL ORDER BY f.name LIMIT 500",
        )
        .await?,
        tags: names(
            "SELECT DISTINCT f.key FROM candidates c JOIN tags f ON f.owner_id = c.id
             WHERE c.model_id = $1 AND c.deleted_at_ms IS NULL ORDER BY f.key LIMIT 500",
        )
        .await?,
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
