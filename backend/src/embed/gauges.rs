//! Gauges of projects: what is counted, as series with labels. A statement each, for all projects at once.

use std::collections::HashMap;

use async_graphql::resolver_utils::EnumType;

use super::exposition::{Fact, Series, number, seconds};
use crate::access::project::Project;
use crate::db::Db;
use crate::error::Result;
use crate::id::ProjectId;
use crate::registry::catalog::model::best;
use crate::registry::catalog::project::facts::{self, AtMost};
use crate::registry::catalog::version::VersionState;
use crate::registry::tracking::candidate::CandidateStatus;

/// How many things there are of which something will be said.
pub struct Sizes {
    projects: HashMap<ProjectId, AtMost>,
    with_models: bool,
}

impl Sizes {
    pub async fn read(db: &Db, projects: &[&Project], with_models: bool) -> Result<Self> {
        let rows = facts::at_most(db, projects).await?;
        let projects = rows.into_iter().map(|row| (row.project_id.clone(), row)).collect();
        Ok(Self { projects, with_models })
    }

    /// How many series a project has at most.
    pub fn at_most(&self, project: &ProjectId) -> i64 {
        // The number of models, and the bytes.
        let fixed = 2 + VersionState::items().len() + CandidateStatus::items().len();
        let models = self.projects.get(project).filter(|_| self.with_models);
        let of_models = models.map_or(0, |size| size.models + size.judged + 2 * size.aliases);
        fixed as i64 + of_models
    }

    pub fn sum(&self) -> i64 {
        self.projects.keys().map(|project| self.at_most(project)).sum()
    }
}

/// The series of projects, while they are put together.
struct Gauges<'a> {
    paths: HashMap<&'a ProjectId, &'a str>,
    series: HashMap<ProjectId, Series>,
}

impl Gauges<'_> {
    /// One more series, with the project as its first label.
    fn add(&mut self, project: &ProjectId, fact: Fact, labels: &[(&str, &str)], value: &str) {
        let (Some(path), Some(series)) = (self.paths.get(project), self.series.get_mut(project))
        else {
            return;
        };
        let mut all = vec![("project", *path)];
        all.extend(labels);
        series.add(fact, &all, value);
    }
}

/// The series of each project.
pub async fn read(
    db: &Db,
    projects: &[&Project],
    sizes: &Sizes,
    with_models: bool,
) -> Result<HashMap<ProjectId, Series>> {
    let mut gauges = Gauges {
        paths: projects.iter().map(|project| (&project.id, project.path.as_str())).collect(),
        series: projects.iter().map(|project| (project.id.clone(), Series::default())).collect(),
    };
    of_projects(db, projects, sizes, &mut gauges).await?;
    if with_models {
        of_models(db, projects, &mut gauges).await?;
    }
    Ok(gauges.series)
}

async fn of_projects(
    db: &Db,
    projects: &[&Project],
    sizes: &Sizes,
    gauges: &mut Gauges<'_>,
) -> Result<()> {
    for size in sizes.projects.values() {
        gauges.add(&size.project_id, Fact::Models, &[], &size.models.to_string());
    }
    for row in facts::versions(db, projects).await? {
        for state in VersionState::items().iter().map(|item| item.value) {
            let count = match state {
                VersionState::Draft => row.total - row.published,
                VersionState::Published => row.published,
            };
            let labels = [("state", state.as_str())];
            gauges.add(&row.project_id, Fact::Versions, &labels, &count.to_string());
        }
    }
    let runs = facts::runs(db, projects).await?;
    let runs: HashMap<_, _> =
        runs.iter().map(|row| ((&row.project_id, row.status.as_str()), row.total)).collect();
    let stored = facts::stored(db, projects).await?;
    let stored: HashMap<_, _> = stored.iter().map(|row| (&row.project_id, row.size)).collect();
    // What there is none of is 0: a series that is not there is not known.
    for project in projects {
        for status in CandidateStatus::items().iter().map(|item| item.value.as_str()) {
            let count = runs.get(&(&project.id, status)).copied().unwrap_or_default();
            let labels = [("status", status)];
            gauges.add(&project.id, Fact::Candidates, &labels, &count.to_string());
        }
        let size = stored.get(&project.id).copied().unwrap_or_default();
        gauges.add(&project.id, Fact::StoredBytes, &[], &size.to_string());
    }
    Ok(())
}

async fn of_models(db: &Db, projects: &[&Project], gauges: &mut Gauges<'_>) -> Result<()> {
    for row in facts::named(db, projects).await? {
        let moved = [("model", row.model.as_str()), ("alias", &row.alias)];
        gauges.add(&row.project_id, Fact::AliasMoved, &moved, &seconds(row.moved_at_ms));
        let named = [moved[0], moved[1], ("version", &row.version)];
        gauges.add(&row.project_id, Fact::AliasInfo, &named, "1");
    }
    for row in facts::last_published(db, projects).await? {
        let (labels, at) = ([("model", row.model.as_str())], seconds(row.published_at_ms));
        gauges.add(&row.project_id, Fact::LastPublished, &labels, &at);
    }
    for row in best::in_projects(db, projects).await? {
        let labels = [("model", row.model.as_str()), ("metric", &row.metric)];
        gauges.add(&row.project_id, Fact::BestMetric, &labels, &number(row.value()));
    }
    Ok(())
}
