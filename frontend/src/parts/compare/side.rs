//! What stands side by side in a comparison: versions and training runs, read in the same words.

use crate::{
    graphql::{
        candidate::{self, CandidateDetail, Run},
        model::Judged,
        scalar::CandidateStatus,
        tag::{Metric, Param, Tag},
        version::{self, VersionPageData},
    },
    logic::{
        address,
        diff::{self, Numbers, Texts},
        error::ApiError,
    },
    parts::{candidates::curves::Measured, files::browser::Source},
};

/// One of those that are compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    Run(Box<CandidateDetail>),
    Version(Box<VersionPageData>),
}

/// How one is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    Run(candidate::Which),
    Version { model: String, version: String },
}

/// What is compared of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Metrics,
    Params,
    Tags,
}

/// What each has of a metric.
pub fn numbers(sides: &[Side], name: &str) -> Numbers {
    Numbers(sides.iter().map(|side| side.number(name)).collect())
}

/// Which are the best of a metric. Runs count that ended well: what others have may not be their last word.
pub fn best(sides: &[Side], name: &str, less: Option<bool>) -> Vec<bool> {
    let counts = |side: &Side| match side {
        Side::Run(run) => run.status == CandidateStatus::Finished,
        Side::Version(_) => true,
    };
    let number = |side: &Side| side.number(name).filter(|_| counts(side));
    Numbers(sides.iter().map(number).collect()).best(less)
}

/// What each has of a param or tag.
pub fn texts<'a>(sides: &'a [Side], sort: Sort, name: &str) -> Texts<'a> {
    Texts(sides.iter().map(|side| side.text(sort, name)).collect())
}

/// The names of this sort, in order; where that is asked, only those of which the values differ.
pub fn names(sides: &[Side], sort: Sort, only_differing: bool) -> Vec<String> {
    let mut names = diff::names(sides.iter().flat_map(|side| side.names(sort)));
    names.retain(|name| {
        !only_differing
            || match sort {
                Sort::Metrics => numbers(sides, name).differ(),
                _ => texts(sides, sort, name).differ(),
            }
    });
    names
}

impl Which {
    pub async fn get(self) -> Result<Side, ApiError> {
        match self {
            Self::Run(which) => candidate::get(which).await.map(Box::new).map(Side::Run),
            Self::Version { model, version } => {
                version::get(model, version).await.map(Box::new).map(Side::Version)
            }
        }
    }
}

/// Whether less of a metric is better: as the model says that is judged by it, or else as its name tells.
pub fn less_is_better(sides: &[Side], name: &str) -> Option<bool> {
    let judged = sides.iter().find_map(|side| side.judged()?.less_is_better(name));
    judged.or_else(|| sides.iter().find_map(|side| side.metric(name)?.lower_is_better))
}

impl Side {
    fn judged(&self) -> Option<&Judged> {
        match self {
            Self::Run(run) => run.model.as_ref()?.best_metric.as_ref(),
            Self::Version(data) => data.best_metric.as_ref(),
        }
    }

    pub fn name(&self) -> String {
        match self {
            Self::Run(run) => match run.number {
                Some(number) => format!("{} #{number}", run.name),
                None => run.name.clone(),
            },
            Self::Version(data) => data.version.version.clone(),
        }
    }

    /// Its page, which no other has.
    pub fn href(&self) -> String {
        match self {
            Self::Run(run) => {
                let place = run.place();
                let place = place.as_ref().map(|(model, number)| (model.as_str(), *number));
                address::run(&run.experiment.project.path, &run.run_id, place)
            }
            Self::Version(data) => address::version(&data.model, &data.version.version),
        }
    }

    fn measures(&self) -> (&[Metric], &[Param], &[Tag]) {
        match self {
            Self::Run(run) => (&run.metrics, &run.params, &run.tags),
            Self::Version(data) => {
                (&data.version.metrics, &data.version.params, &data.version.tags)
            }
        }
    }

    /// The names of what it has of this sort, but of tags that MLflow's client sets.
    pub fn names(&self, sort: Sort) -> Vec<&str> {
        let (metrics, params, tags) = self.measures();
        match sort {
            Sort::Metrics => metrics.iter().map(|metric| &*metric.name).collect(),
            Sort::Params => params.iter().map(|param| &*param.name).collect(),
            Sort::Tags => tags.iter().filter(|tag| !tag.is_system()).map(|tag| &*tag.key).collect(),
        }
    }

    fn metric(&self, name: &str) -> Option<&Metric> {
        self.measures().0.iter().find(|metric| metric.name == name)
    }

    fn number(&self, name: &str) -> Option<f64> {
        Some(self.metric(name)?.value.0)
    }

    fn text(&self, sort: Sort, name: &str) -> Option<&str> {
        let (_, params, tags) = self.measures();
        if sort == Sort::Params {
            Some(&params.iter().find(|param| param.name == name)?.value)
        } else {
            Some(&tags.iter().find(|tag| tag.key == name)?.value)
        }
    }

    /// What an address of a comparison calls it.
    pub fn key(&self, of_project: bool) -> String {
        match self {
            Self::Run(run) => match run.number {
                Some(number) if !of_project => number.to_string(),
                _ => run.run_id.clone(),
            },
            Self::Version(data) => data.version.version.clone(),
        }
    }

    /// The path of the project or the model that it is in; none of a run that is in no model.
    pub fn owner(&self, of_project: bool) -> Option<&str> {
        match self {
            Self::Run(run) if of_project => Some(&run.experiment.project.path),
            Self::Run(run) => run.model.as_ref().map(|model| &*model.path),
            Self::Version(data) => Some(&data.model),
        }
    }

    /// Whether it has a template, and no files.
    pub fn is_prompt(&self) -> bool {
        matches!(self, Self::Version(data) if data.version.is_prompt())
    }

    pub fn source(&self) -> Source {
        match self {
            Self::Run(run) => Source::Candidate { run: run.run(), place: run.place() },
            Self::Version(data) => {
                Source::Version { model: data.model.clone(), version: data.version.version.clone() }
            }
        }
    }

    /// Where this is as it was, so are its files.
    pub fn extent(&self) -> String {
        let (count, size) = match self {
            Self::Run(run) => (run.file_count, run.size),
            Self::Version(data) => (data.version.file_count, data.version.size),
        };
        format!("{} {count} {size}", self.href())
    }

    /// Its curves: those of a version are of the run that it was made from.
    pub fn measured(&self, color: usize) -> Option<Measured> {
        let (run, curves) = match self {
            Self::Run(run) => (run.run(), run.curves.clone()),
            Self::Version(data) => {
                let source = data.version.candidate.as_ref()?;
                let (project, run_id) = (data.project.path.clone(), source.run_id.clone());
                (Run { project, run_id }, source.curves.clone())
            }
        };
        let metrics = self.measures().0.to_vec();
        Some(Measured { run, name: self.name(), metrics, curves, color })
    }

    /// The run, where there is more to come of it.
    pub fn going_on(&self) -> Option<Run> {
        match self {
            Self::Run(run) if run.status.goes_on() => Some(run.run()),
            _ => None,
        }
    }
}
