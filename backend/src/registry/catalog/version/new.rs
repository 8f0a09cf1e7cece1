//! What a new version is made of, how it gets its number and name, and how it is stored.
//!
//! Optimistic allocation: both come after those of the last version, which is known when the model is locked. On SQLite
//! others wait while it is asked for. So it may be [predicted](predict_next): then nothing is asked, and the change is
//! refused as [`Error::Stale`] where it turns out to be another.

use std::sync::Arc;

use ::semver::Version;
use async_graphql::InputObject;

use super::sql::{after, latest};
use super::{ModelStage, ModelVersion, VersionState, digest_of, names};
use crate::access::Writer;
use crate::app::App;
use crate::cache::{Cache, LastVersion};
use crate::change::Change;
use crate::db::{Conn, Db, Query, Sql, Unmet, query};
use crate::error::{Error, Result};
use crate::id::{CandidateId, VersionId};
use crate::registry::catalog::model::Model;
use crate::registry::catalog::semver;
use crate::registry::metadata::tag::{self, TagInput};
use crate::text;

/// What a new version is made of, besides its model.
#[derive(Default, InputObject)]
pub struct NewVersion {
    /// Strict SemVer 2.0, such as `1.2.0`; the next patch if omitted, 1.0.0 for the first.
    pub version: Option<String>,
    /// The release notes, in Markdown, at most 64 KiB.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Option<Vec<TagInput>>,
    /// The run that it comes from, where that is here.
    #[graphql(skip)]
    pub candidate_id: Option<CandidateId>,
    /// What an MLflow client said about that, also of runs and models elsewhere.
    #[graphql(skip)]
    pub lineage: Lineage,
    /// What it comes after; asked for if none.
    #[graphql(skip)]
    pub predicted: Option<Prediction>,
}

/// What was found before a change begins, and where that is which was found since.
#[derive(Clone)]
pub struct Prediction {
    db: Db,
    last_versions: Arc<Cache<LastVersion>>,
    /// None if it is to be asked for.
    last: Option<LastVersion>,
}

/// The [`LastVersion`] of the model with the id `$1` and the name `$2`, if a condition holds.
macro_rules! last {
    ($condition:literal) => {
        concat!(
            "SELECT last_version AS number, ",
            latest!("$1"),
            " AS latest FROM models WHERE id = $1 AND name = $2 AND deleted_at_ms IS NULL",
            $condition
        )
    };
}

/// What the next version will come after unless others are made until then. With PostgreSQL that is to be asked for:
/// other programs make versions, too.
pub async fn predict_next(app: &App, model: &Model) -> Result<Prediction> {
    let generation = Conn::from(&app.db).access_generation();
    let last = match app.last_versions.get(generation, model.id.raw()) {
        Some(last) => last,
        None if generation.is_none() => None,
        None => query(last!("")).bind(&model.id).bind(&model.name).fetch_optional(&app.db).await?,
    };
    Ok(Prediction { db: app.db.clone(), last_versions: app.last_versions.clone(), last })
}

impl Prediction {
    /// Has it be asked for.
    pub fn unknown(self) -> Self {
        Self { last: None, ..self }
    }

    /// What it is for the change that has its slot now, behind others that need not be durable yet.
    fn now(&self, model: &Model) -> Option<LastVersion> {
        let found = self.last.as_ref()?;
        let generation = Conn::from(&self.db).access_generation();
        let kept = self.last_versions.get(generation, model.id.raw()).flatten();
        Some(kept.filter(|kept| kept.number > found.number).unwrap_or_else(|| found.clone()))
    }

    /// Has those who come next see what this one makes.
    fn made(&self, model: &Model, last: &LastVersion) {
        let generation = Conn::from(&self.db).access_generation();
        self.last_versions.keep(generation, model.id.raw().to_owned(), Some(last));
    }
}

/// What it is when there is one more.
fn with(last: LastVersion, version: &Version) -> Result<LastVersion> {
    let latest = last.latest.as_deref().map(Version::parse).transpose();
    let is_latest = latest.map_err(Error::internal)?.is_none_or(|latest| {
        // Releases come before all that are none.
        (version.pre.is_empty(), version) > (latest.pre.is_empty(), &latest)
    });
    let latest = if is_latest { Some(version.to_string()) } else { last.latest };
    Ok(LastVersion { number: last.number + 1, latest })
}

/// Where a version comes from, in the words of an MLflow client.
#[derive(Default)]
pub struct Lineage {
    pub source: Option<String>,
    /// Where the files are, if not here.
    pub location: Option<String>,
    pub run_id: Option<String>,
    pub run_link: Option<String>,
    pub logged_model_id: Option<String>,
}

/// A version that is still to be [inserted](insert), with the next number; and its tags. Locks the model, so
/// versions are made one after the other.
pub async fn allocate(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    new: NewVersion,
    state: VersionState,
) -> Result<(ModelVersion, Vec<TagInput>)> {
    let wanted = new.version.map(|version| semver::parse("version", &version)).transpose()?;
    let description = text::description("description", new.description)?;
    take_number(change, model).await?;
    let predicted = new.predicted.as_ref().and_then(|predicted| predicted.now(model));
    let (last, version) = match predicted {
        Some(last) => predict_name(change, writer, model, last, wanted).await?,
        None => find_name(change, writer, model, wanted).await?,
    };
    let number = last.number + 1;
    if let Some(predicted) = &new.predicted {
        predicted.made(model, &with(last, &version)?);
    }
    let is_published = state == VersionState::Published;
    let lineage = new.lineage;
    let version = ModelVersion {
        id: VersionId::new(change.now),
        model_id: model.id.clone(),
        version: version.to_string(),
        number,
        state,
        stage: ModelStage::None,
        source: lineage.source.map(|source| text::document("source", source)).transpose()?,
        location: lineage.location,
        run_id: lineage.run_id.or(new.candidate_id.as_ref().map(|id| id.raw().to_owned())),
        run_link: lineage.run_link.map(|link| text::value("run_link", link)).transpose()?,
        logged_model_id: lineage.logged_model_id,
        description,
        author_id: change.author().clone(),
        candidate_id: new.candidate_id,
        digest: is_published.then(|| digest_of(&[])),
        created_at_ms: change.now,
        updated_at_ms: change.now,
        published_at_ms: is_published.then_some(change.now),
        deprecated_at_ms: None,
        yanked_at_ms: None,
        support_reason: None,
        successor: None,
        last_fetched_at_ms: None,
        deleted_at_ms: None,
    };
    Ok((version, new.tags.unwrap_or_default()))
}

/// Inserts a version that was [allocated](allocate), without files.
pub async fn insert(
    change: &mut Change,
    model: &Model,
    (version, tags): (ModelVersion, Vec<TagInput>),
) -> Result<ModelVersion> {
    let semver = Version::parse(&version.version).map_err(Error::internal)?;
    let is_published = version.state == VersionState::Published;
    let sql = Sql::insert(
        "model_versions",
        [
            ("id", (&version.id).into()),
            ("model_id", (&version.model_id).into()),
            ("project_id", (&model.project_id).into()),
            ("version", (&version.version).into()),
            ("precedence", semver::precedence(&semver).into()),
            ("prerelease", (!semver.pre.is_empty()).into()),
            ("rank", semver::rank(&semver, is_published).into()),
            ("number", version.number.into()),
            ("state", version.state.into()),
            ("stage", version.stage.into()),
            ("source", version.source.clone().into()),
            ("location", version.location.clone().into()),
            ("run_id", version.run_id.clone().into()),
            ("run_link", version.run_link.clone().into()),
            ("logged_model_id", version.logged_model_id.clone().into()),
            ("description", (&version.description).into()),
            ("author_id", (&version.author_id).into()),
            ("candidate_id", version.candidate_id.as_ref().map(|id| id.raw().to_owned()).into()),
            ("digest", version.digest.clone().into()),
            ("created_at_ms", version.created_at_ms.into()),
            ("updated_at_ms", version.updated_at_ms.into()),
            ("published_at_ms", version.published_at_ms.into()),
            // Its default is for those that were there before it.
            ("last_fetched_at_ms", version.last_fetched_at_ms.into()),
        ],
    );
    let taken = Unmet::Taken { kind: "version", key: version.version.clone() };
    Query::from(sql).beside_or(change, taken).await?;
    tag::rules::insert_all(change, version.id.raw(), tags).await?;
    Ok(version)
}

/// Locks the model and marks it as changed.
async fn take_number(change: &mut Change, model: &Model) -> Result<()> {
    let taking = query(
        "UPDATE models SET last_version = last_version + 1, updated_at_ms = $1
         WHERE id = $2 AND name = $3 AND deleted_at_ms IS NULL",
    );
    Ok(taking.bind(change.now).bind(&model.id).bind(&model.name).later(change).await?)
}

/// What a new version comes after, as was predicted, and its name. The change is refused where that is not so any more.
async fn predict_name(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    last: LastVersion,
    wanted: Option<Version>,
) -> Result<(LastVersion, Version)> {
    let version = wanted.map_or_else(|| after(last.latest.as_deref()), Ok)?;
    let mut still = Sql::new("SELECT 1 FROM models m WHERE m.id = ");
    still.push_value(&model.id).push(" AND m.name = ").push_value(&model.name);
    still.push(" AND m.deleted_at_ms IS NULL AND m.last_version = ");
    still.push_value(last.number + 1).push(concat!(" AND ", latest!("m.id")));
    still.push(" IS NOT DISTINCT FROM ").push_value(last.latest.clone());
    still.push(" AND NOT (").push_sql(names::is_given(writer.project(), model, &version)).push(")");
    change.require(still, Unmet::Stale).await?;
    Ok((last, version))
}

/// What a new version comes after, and its name.
async fn find_name(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    wanted: Option<Version>,
) -> Result<(LastVersion, Version)> {
    let last: Option<LastVersion> = query(last!(" AND updated_at_ms = $3"))
        .bind(&model.id)
        .bind(&model.name)
        .bind(change.now)
        .fetch_optional(&mut **change)
        .await?;
    let last = last.ok_or_else(|| Error::not_found("model", &model.name))?;
    let version = match wanted {
        Some(version) => {
            names::check(&mut **change, writer.project(), model, &version).await?;
            version
        }
        None => {
            let latest = last.latest.as_deref();
            names::free_after(&mut **change, writer.project(), model, latest).await?
        }
    };
    Ok((LastVersion { number: last.number - 1, ..last }, version))
}
