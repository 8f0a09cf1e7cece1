//! The rules of the trash: emptying it ends what lies there for good.

use async_graphql::ID;

use super::{deleted, removal};
use crate::access::project::Project;
use crate::access::{self, Actor, Writer};
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{ModelId, ProjectId};
use crate::log::Subject;
use crate::registry::catalog::project;
use crate::registry::target;

#[derive(sqlx::FromRow)]
struct Deleted {
    id: String,
    kind: String,
    name: String,
    model_id: Option<ModelId>,
}

/// For how long a version that nobody fetched is its publisher's to take back, in milliseconds.
const REGRET: i64 = 72 * 60 * 60 * 1000;

/// Proof that the caller may delete for good what is asked for: a maintainer anything, and who published a version that
/// one, as long as nobody can depend on it.
pub(super) struct Emptier(Writer);

impl Emptier {
    pub fn project(&self) -> &Project {
        self.0.project()
    }

    /// Checks it, and holds the project, as whoever restores something does.
    pub async fn of(
        change: &mut Change,
        actor: &Actor,
        path: &str,
        item: Option<&ID>,
    ) -> Result<Self> {
        let refused = match project::rules::lone_maintainer(change, actor, path).await {
            Ok(maintainer) => return Ok(Self((*maintainer).clone())),
            Err(error @ Error::Forbidden(_)) => error,
            Err(error) => return Err(error),
        };
        let before =
            access::writer(&mut **change, actor, path).await.map_err(|_| refused.clone())?;
        target::touch(change, &before.project().id).await?;
        let writer = access::writer(&mut **change, actor, path).await?;
        match item {
            Some(item) if is_regretted(change, &writer, item).await? => Ok(Self(writer)),
            _ => Err(refused),
        }
    }
}

/// Whether an item is a version that the caller published within [`REGRET`], nobody fetched and nothing named ever.
async fn is_regretted(change: &mut Change, writer: &Writer, item: &ID) -> Result<bool> {
    let found: Option<(i64,)> = query(
        "SELECT v.number FROM model_versions v
         WHERE v.id = $1 AND v.project_id = $2 AND v.deleted_at_ms IS NOT NULL AND v.state = 'PUBLISHED'
           AND v.published_at_ms > $3 AND v.last_fetched_at_ms IS NULL
           AND NOT EXISTS (SELECT 1 FROM alias_moves a WHERE a.version_id = v.id)
           AND NOT EXISTS (SELECT 1 FROM events s WHERE s.object_id = v.id AND s.action = 'version.stage')
           AND $4 = (SELECT e.actor_id FROM events e WHERE e.object_id = v.id
                     AND e.action IN ('version.publish', 'version.create', 'candidate.promote')
                     ORDER BY e.id DESC LIMIT 1)",
    )
    .bind(super::raw_id(item)?)
    .bind(&writer.project().id)
    .bind(change.now.millis() - REGRET)
    .bind(change.author())
    .fetch_optional(&mut **change)
    .await?;
    Ok(found.is_some())
}

/// Deletes for good what is in the trash, or one thing of it; a first piece of what that had `inline`.
pub(super) async fn empty(
    change: &mut Change,
    emptier: &Emptier,
    (item, inline): (Option<ID>, bool),
) -> Result<Emptied> {
    let project = emptier.project();
    let wanted = item.as_ref().map(super::raw_id).transpose()?;
    let all: Vec<Deleted> = query(concat!(
        "SELECT id, kind, name, model_id FROM ",
        deleted!(),
        " WHERE project_id = $1 AND (id = $2 OR $2 IS NULL) ORDER BY deleted_at_ms LIMIT 200"
    ))
    .bind(&project.id)
    .bind(wanted)
    .fetch_all(&mut **change)
    .await?;
    if let Some(item) = item.filter(|_| all.is_empty()) {
        return Err(Error::not_found("deleted item", item.as_str()));
    }
    for deleted in &all {
        let subject = Subject {
            name: format!("{}/{}", project.path, deleted.name),
            project_id: Some(&project.id),
            model_id: deleted.model_id.as_ref(),
            object_id: &deleted.id,
        };
        change
            .record(Action::TrashEmpty, subject, serde_json::json!({ "kind": deleted.kind }))
            .await?;
        match deleted.kind.as_str() {
            "MODEL" => removal::end_model(change, &deleted.id).await?,
            "VERSION" => removal::end_version(change, &deleted.id).await?,
            "EXPERIMENT" => removal::end_experiment(change, &deleted.id).await?,
            _ => removal::end_candidate(change, &deleted.id).await?,
        }
    }
    let is_over = match inline {
        true => removal::remove_piece(change).await?,
        false => false,
    };
    Ok(Emptied { count: i32::try_from(all.len()).unwrap_or(i32::MAX), is_over })
}

/// What came of emptying the trash.
pub(super) struct Emptied {
    /// How many things are gone.
    pub count: i32,
    /// Whether all that they had is gone, too; otherwise [`removal::finish`] has work.
    pub is_over: bool,
}

pub(super) async fn count(change: &mut Change, project: &ProjectId) -> Result<i32> {
    let (left,): (i64,) =
        query(concat!("SELECT COUNT(*) FROM ", deleted!(), " WHERE project_id = $1"))
            .bind(project)
            .fetch_one(&mut **change)
            .await?;
    Ok(i32::try_from(left).unwrap_or(i32::MAX))
}
