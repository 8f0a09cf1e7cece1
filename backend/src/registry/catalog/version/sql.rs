//! How versions are found: by reference, in lists, and by the loaders.

use ::semver::Version;
use async_graphql::{Enum, InputObject};

use super::{ModelStage, ModelVersion, VersionState, columns, latest_offered, offered};
use crate::access::Reader;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::filter::{self, Fields, Target};
use crate::id::{CandidateId, VersionId};
use crate::loader::{Count, load_by_id, load_by_owner};
use crate::page::{List, OrderDirection, Sort, SortKey};
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::semver;
use crate::text;

/// The version that a reference names: `1.2.0`, `^1.2`, `@champion` or `latest`. A range and `latest`
/// mean the highest that is published and not yanked; a draft only if nothing else is there. Where only yanked ones are
/// there, that is the error.
pub async fn find(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    reference: &str,
) -> Result<Option<ModelVersion>> {
    if reference.contains('\0') {
        return Ok(None);
    }
    let exact = if let Some(alias) = reference.strip_prefix('@') {
        let aliased =
            "v.id = (SELECT a.version_id FROM aliases a WHERE a.model_id = ? AND a.name = ?)";
        Sql::new(aliased).bind(&model.id).bind(alias)
    } else if Version::parse(reference).is_ok() {
        Sql::new("v.version = ?").bind(reference)
    } else if reference == "latest" {
        return find_highest(conn.into(), model, reference, Sql::new("TRUE")).await;
    } else if let Ok(range) = semver::parse_range("version", reference) {
        return find_highest(conn.into(), model, reference, semver::in_range(&range)).await;
    } else {
        return Ok(None);
    };
    let sql = of_model(model).and(Sql::new("v.deleted_at_ms IS NULL")).and(exact);
    Ok(Query::from(sql).fetch_optional(conn).await?)
}

fn of_model(model: &Model) -> Sql {
    let select = concat!("SELECT ", columns!(), " FROM model_versions v WHERE v.model_id = ?");
    Sql::new(select).bind(&model.id)
}

/// The highest version of those that match.
async fn find_highest(
    mut conn: Conn<'_>,
    model: &Model,
    reference: &str,
    matching: Sql,
) -> Result<Option<ModelVersion>> {
    let mut sql = of_model(model).and(Sql::new(offered!("v"))).and(matching.clone());
    sql.push(" ORDER BY v.rank DESC, v.id DESC LIMIT 1");
    let found: Option<ModelVersion> = Query::from(sql).fetch_optional(conn.again()).await?;
    match found {
        Some(found) if found.state == VersionState::Published => Ok(Some(found)),
        draft => {
            check_none_yanked(conn, model, reference, matching).await?;
            Ok(draft)
        }
    }
}

/// As [`find`], where a bare number is the number of the version, as in MLflow.
pub async fn find_numbered(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    reference: &str,
) -> Result<Option<ModelVersion>> {
    if reference.is_empty() || !reference.bytes().all(|byte| byte.is_ascii_digit()) {
        return find(conn, model, reference).await;
    }
    let Ok(number) = reference.parse::<i64>() else { return Ok(None) };
    let version = query(concat!(
        "SELECT ",
        columns!(),
        " FROM model_versions WHERE model_id = $1 AND number = $2 AND deleted_at_ms IS NULL"
    ))
    .bind(&model.id)
    .bind(number)
    .fetch_optional(conn)
    .await?;
    Ok(version)
}

/// The version with this id in a project that the caller may read, unless it or its model is in the
/// trash, and its model.
pub async fn find_readable_by_id(
    conn: impl Into<Conn<'_>>,
    reader: &Reader,
    id: &str,
) -> Result<Option<(ModelVersion, Model)>> {
    let mut conn = conn.into();
    let found: Option<ModelVersion> = query(concat!(
        "SELECT ",
        columns!(),
        " FROM model_versions WHERE id = $1 AND project_id = $2 AND deleted_at_ms IS NULL"
    ))
    .bind(text::looked_up(id))
    .bind(&reader.project().id)
    .fetch_optional(conn.again())
    .await?;
    let Some(version) = found else { return Ok(None) };
    let model = model::sql::get_by_id(conn, &version.model_id).await?;
    Ok(model.deleted_at_ms.is_none().then_some((version, model)))
}

/// The latest version in a stage.
pub async fn latest_in_stage(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    stage: ModelStage,
) -> Result<Option<ModelVersion>> {
    let found = query(concat!(
        "SELECT ",
        columns!(),
        " FROM model_versions v WHERE v.model_id = $1 AND v.stage = $2 AND ",
        latest_offered!("v", " AND y.stage = v.stage"),
        " ORDER BY v.rank DESC, v.id DESC LIMIT 1"
    ))
    .bind(&model.id)
    .bind(stage)
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// Refuses, with the reason, to answer that no published version matches where a yanked one does.
pub async fn check_none_yanked(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    reference: &str,
    matching: Sql,
) -> Result<()> {
    let yanked = Sql::new("v.deleted_at_ms IS NULL AND v.yanked_at_ms IS NOT NULL");
    let mut sql = of_model(model).and(yanked).and(matching);
    sql.push(" ORDER BY v.precedence DESC, v.id DESC LIMIT 1");
    let yanked: Option<ModelVersion> = Query::from(sql).fetch_optional(conn).await?;
    match yanked.as_ref().and_then(ModelVersion::deprecation) {
        Some(deprecation) => {
            Err(Error::OnlyYanked { reference: reference.to_owned(), notice: deprecation.text })
        }
        None => Ok(()),
    }
}

/// As [`check_none_yanked`], of those in a stage, or of all.
pub async fn check_none_yanked_in(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    stage: Option<ModelStage>,
) -> Result<()> {
    let (reference, matching) = match stage {
        Some(stage) => (stage.as_str(), Sql::new("v.stage = ?").bind(stage)),
        None => ("latest", Sql::new("TRUE")),
    };
    check_none_yanked(conn, model, reference, matching).await
}

/// The draft that is filled by what is logged to a run, see [`ModelVersion::is_filled_by_run`].
pub async fn filled_by_run(
    conn: impl Into<Conn<'_>>,
    run: &CandidateId,
) -> Result<Option<(ModelVersion, Model)>> {
    let mut conn = conn.into();
    let found: Option<ModelVersion> = query(concat!(
        "SELECT ",
        columns!(),
        " FROM model_versions WHERE candidate_id = $1 AND source = '' AND deleted_at_ms IS NULL"
    ))
    .bind(run)
    .fetch_optional(conn.again())
    .await?;
    let Some(version) = found else { return Ok(None) };
    let model = model::sql::get_by_id(conn, &version.model_id).await?;
    Ok(Some((version, model)))
}

/// As [`find`], but a missing version is an error.
pub async fn get(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    reference: &str,
) -> Result<ModelVersion> {
    find(conn, model, reference).await?.ok_or_else(|| Error::not_found("version", reference))
}

/// What the next version comes after in the model with this id. Each part reads one row of the index, however many versions
/// there are.
macro_rules! latest {
    ($model:literal) => {
        concat!(
            "COALESCE(
                 (SELECT version FROM model_versions
                  WHERE model_id = ",
            $model,
            " AND deleted_at_ms IS NULL AND NOT prerelease
                  ORDER BY precedence DESC, id DESC LIMIT 1),
                 (SELECT version FROM model_versions WHERE model_id = ",
            $model,
            " AND deleted_at_ms IS NULL
                  ORDER BY precedence DESC, id DESC LIMIT 1))"
        )
    };
}
pub(super) use latest;

pub fn after(latest: Option<&str>) -> Result<Version> {
    let latest = latest.map(Version::parse).transpose();
    Ok(semver::next(latest.map_err(Error::internal)?.as_ref()))
}

const SUPPORT: &str = "CASE WHEN v.yanked_at_ms IS NOT NULL THEN 'YANKED' \
     WHEN v.deprecated_at_ms IS NOT NULL THEN 'DEPRECATED' ELSE 'ACTIVE' END";

/// The versions of a list: not those in the trash, and yanked ones where a filter asks for some `support`.
fn listed(fields: &Fields, filter: &str) -> Result<Sql> {
    Ok(match filter::names(fields, "support", filter)? {
        true => Sql::new("v.deleted_at_ms IS NULL"),
        false => Sql::new(offered!("v")),
    })
}

const FIELDS: Fields = Fields {
    targets: &[
        ("version", Target::Text("v.version")),
        ("name", Target::Text("v.version")),
        ("number", Target::Number("v.number")),
        ("state", Target::Text("v.state")),
        ("support", Target::Text(SUPPORT)),
        ("author", Target::Text("(SELECT u.username FROM users u WHERE u.id = v.author_id)")),
        ("created_at", Target::Time("v.created_at_ms")),
        ("updated_at", Target::Time("v.updated_at_ms")),
        ("published_at", Target::Time("v.published_at_ms")),
        ("tags", Target::Tag("v.id")),
        ("params", Target::Param("v.id")),
        ("metrics", Target::Metric("v.id")),
    ],
    example: "state = 'PUBLISHED' and tags.stage = 'prod'",
    missing_differs: true,
};

/// The versions of a model that are not in the trash; yanked ones where the filter asks for some `support`.
pub fn list(
    db: &Db,
    search: Option<String>,
    range: Option<String>,
    filter: Option<String>,
    order_by: Option<ModelVersionOrder>,
) -> Result<List> {
    let mut condition = listed(&FIELDS, filter.as_deref().unwrap_or_default())?;
    if let Some(search) = text::search(search)? {
        condition = condition.and(db.contains(&["v.version"], &search));
    }
    if let Some(range) = range.filter(|range| !range.trim().is_empty()) {
        condition = condition.and(semver::in_range(&semver::parse_range("range", &range)?));
    }
    if let Some(filter) = filter {
        condition = condition.and(filter::parse(db, &FIELDS, &filter)?);
    }
    let (field, direction) = match order_by {
        Some(order) => (order.field, order.direction),
        None => (ModelVersionOrderField::Version, OrderDirection::Desc),
    };
    let sort = match field {
        ModelVersionOrderField::Version => Sort::text("v.precedence", "v.id", direction),
        ModelVersionOrderField::Name => Sort::text("v.version", "v.id", direction),
        ModelVersionOrderField::CreatedAt => Sort::int("v.created_at_ms", "v.id", direction),
        ModelVersionOrderField::UpdatedAt => Sort::int("v.updated_at_ms", "v.id", direction),
    };
    Ok(List {
        columns: columns!(),
        from: "model_versions v",
        parent: Some("v.model_id"),
        filter: condition,
        sort,
    })
}

const MODEL_NAME: &str = "(SELECT m.name FROM models m WHERE m.id = v.model_id)";

const SEARCH_FIELDS: Fields = Fields {
    targets: &[
        ("name", Target::Text(MODEL_NAME)),
        ("run_id", Target::Text("COALESCE(v.run_id, '')")),
        ("source_path", Target::Text("COALESCE(v.source, '')")),
        ("version_number", Target::Number("v.number")),
        ("version", Target::Number("v.number")),
        ("creation_timestamp", Target::Time("v.created_at_ms")),
        ("last_updated_timestamp", Target::Time("v.updated_at_ms")),
        ("support", Target::Text(SUPPORT)),
        ("tags", Target::Tag("v.id")),
    ],
    example: "name = 'ocr' and tags.stage = 'prod'",
    missing_differs: false,
};

/// The versions of a project that MLflow's search asks for, or those of the `model` that the filter [names](named_model),
/// which an index finds.
pub fn search(db: &Db, filter: &str, order_by: &[String], model: Option<&str>) -> Result<List> {
    let run = filter::equal_to(&SEARCH_FIELDS, "run_id", filter)?.filter(|run| !run.is_empty());
    let one_model = model.is_some();
    let mut live = listed(&SEARCH_FIELDS, filter)?;
    let filter = match model {
        Some(name) => filter::parse_among(db, &SEARCH_FIELDS, filter, ("name", name))?,
        None => filter::parse(db, &SEARCH_FIELDS, filter)?,
    };
    let mut keys = filter::parse_order(db, &SEARCH_FIELDS, order_by)?;
    if keys.is_empty() {
        keys.push(SortKey::int("v.updated_at_ms", OrderDirection::Desc));
    }
    let mut parent = if one_model { "v.model_id" } else { "v.project_id" };
    if let Some(run) = run {
        // Found by the index of runs, and by no other.
        live.push(" AND v.run_id = ").push_value(run);
        parent = if one_model { "v.model_id || ''" } else { "v.project_id || ''" };
    }
    if !one_model {
        keys.push(SortKey::text(MODEL_NAME, OrderDirection::Asc));
        keys.push(SortKey::int("v.number", OrderDirection::Desc));
        live.push(" AND EXISTS (SELECT 1 FROM models m WHERE m.id = v.model_id AND m.deleted_at_ms IS NULL)");
    }
    Ok(List {
        columns: columns!(),
        from: "model_versions v",
        parent: Some(parent),
        filter: live.and(filter),
        sort: Sort::by(keys, "v.id"),
    })
}

/// The value of a comparison `name = '…'` that a filter of versions has, if it has one.
pub fn named_model(filter: &str) -> Result<Option<String>> {
    filter::equal_to(&SEARCH_FIELDS, "name", filter)
}

load_by_owner!(
    /// The latest version of a model in each stage: an index look-up each.
    LatestByStage => ModelVersion,
    "m.id",
    |db, models| {
        let mut ids = Sql::new(concat!(
            "SELECT (SELECT v.id FROM model_versions v WHERE v.model_id = m.id AND v.stage = s.stage AND ",
            latest_offered!("v", " AND y.stage = v.stage"),
            " ORDER BY v.rank DESC, v.id DESC LIMIT 1) \
             FROM models m CROSS JOIN (SELECT 'NONE' AS stage UNION ALL SELECT 'STAGING' \
             UNION ALL SELECT 'PRODUCTION' UNION ALL SELECT 'ARCHIVED') s WHERE "
        ));
        ids.push_sql(models);
        let mut sql = of_models(db, ids);
        sql.push(" ORDER BY model_id, number");
        sql
    }
);

/// The versions that a sub-select finds, by their models.
fn of_models(db: &Db, ids: Sql) -> Sql {
    let mut sql = Sql::new(concat!(
        "SELECT model_id AS owner_id, ",
        columns!(),
        " FROM model_versions WHERE "
    ));
    sql.push_sql(db.is_found("id", ids));
    sql
}

load_by_id!(
    VersionId => ModelVersion,
    concat!("SELECT ", columns!(), " FROM model_versions WHERE "),
    "id"
);

load_by_owner!(
    /// The latest version of a model: one index look-up each.
    LatestVersionOf => ModelVersion,
    "m.id",
    |db, models| {
        let mut ids = Sql::new(concat!(
            "SELECT (SELECT v.id FROM model_versions v WHERE v.model_id = m.id AND ",
            latest_offered!("v"),
            " ORDER BY v.rank DESC, v.id DESC LIMIT 1) FROM models m WHERE "
        ));
        ids.push_sql(models);
        of_models(db, ids)
    }
);

load_by_owner!(
    /// The published version before a version: one index look-up each.
    PreviousVersionOf => ModelVersion,
    concat!(
        "SELECT owner_id, ",
        columns!(),
        " FROM (SELECT w.id AS owner_id, (SELECT v.id FROM model_versions v \
         WHERE v.model_id = w.model_id AND (v.precedence, v.id) < (w.precedence, w.id) \
         AND v.state = 'PUBLISHED' AND v.deleted_at_ms IS NULL \
         ORDER BY v.precedence DESC, v.id DESC LIMIT 1) AS previous_id FROM model_versions w WHERE "
    ),
    "w.id",
    ") pairs JOIN model_versions ON id = previous_id"
);

load_by_owner!(
    /// How many versions a model has, without yanked ones.
    VersionCount => Count,
    concat!(
        "SELECT v.model_id AS owner_id, COUNT(*) AS total FROM model_versions v WHERE ",
        offered!("v"),
        " AND "
    ),
    "v.model_id",
    " GROUP BY v.model_id"
);

load_by_owner!(
    /// The versions that a candidate was promoted to, newest first.
    VersionOfCandidate => ModelVersion,
    concat!(
        "SELECT candidate_id AS owner_id, ",
        columns!(),
        " FROM model_versions WHERE deleted_at_ms IS NULL AND "
    ),
    "candidate_id",
    " ORDER BY number DESC"
);

/// What versions can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum ModelVersionOrderField {
    /// SemVer precedence: 9.0.0 before 10.0.0, 1.0.0-rc.1 before 1.0.0.
    Version,
    /// The version as text.
    Name,
    /// The time of creation.
    CreatedAt,
    /// The time of the last change.
    UpdatedAt,
}

/// An order of versions.
#[derive(InputObject)]
pub struct ModelVersionOrder {
    /// What to order by.
    pub field: ModelVersionOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}
