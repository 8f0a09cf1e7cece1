//! What a new version is made of: a source inside this registry is pinned, one elsewhere is kept as it is.
//!
//! A source says by itself of which run or logged model it is. Refuses what MLflow refuses, in its words: local paths,
//! ways out of a folder, and other runs or logged models that the request names beside it. What is in another
//! project here is refused, too.

use percent_encoding::percent_decode_str;

use super::address::Address;
use super::call::Call;
use super::error::{Failure, Result};
use super::names;
use super::wire;
use crate::access::Writer;
use crate::change::Change;
use crate::error::Error;
use crate::registry::catalog::version::new::Lineage;
use crate::registry::catalog::{model, project, version};
use crate::registry::target;
use crate::registry::tracking::candidate::{self, Candidate};
use crate::registry::tracking::experiment::{self, Experiment};
use crate::registry::tracking::logged_model::{self, LoggedModel};
use crate::text::FilePath;

/// Longer ones are no address of anything.
const MAX_SOURCE: usize = 4096;

/// What the client says.
#[derive(Clone)]
pub struct Given {
    pub source: String,
    pub run_id: Option<String>,
    pub model_id: Option<String>,
    /// Prompts are versions whose source is a placeholder.
    pub is_prompt: bool,
}

/// Where a new version comes from.
pub enum Origin {
    /// From what is here or elsewhere already.
    Made(Box<Made>),
    /// From a run that is yet to come.
    Run,
}

/// What a version is made of.
pub struct Made {
    /// What has the files, by its raw id, and in which folder; none if they are elsewhere.
    pub files: Option<(String, String)>,
    /// What has the params and metrics, by its raw id.
    pub measured: Option<String>,
    /// The run, if that is here.
    pub run: Option<Candidate>,
    pub lineage: Lineage,
}

/// Finds out what a source means.
pub async fn resolve(
    call: &Call,
    change: &mut Change,
    writer: &Writer,
    given: Given,
) -> Result<Origin> {
    if given.is_prompt {
        return Ok(elsewhere(None, given));
    }
    if given.source.is_empty() {
        return Ok(Origin::Run);
    }
    check_source(&given)?;
    if let Some(rest) = given.source.strip_prefix("models:/") {
        // As in any URI, after two slashes comes a host.
        let host = rest.strip_prefix('/').unwrap_or_default();
        if !host.is_empty() && !host.starts_with('/') {
            return Err(Failure::invalid(format!(
                "Invalid model version source: '{}'. Registered model sources must use the active model registry.",
                given.source
            )));
        }
        let rest = rest.trim_start_matches('/').to_owned();
        return match rest.starts_with("m-") && !rest.contains(['@', ' ']) {
            true => logged(change, writer, given, &rest).await,
            false => registered(change, writer, given, &rest).await,
        };
    }
    if let Some(rest) = given.source.strip_prefix("runs:/") {
        let (run_id, folder) = split(rest);
        if run_id.is_empty() {
            return Err(contained(&given.source, "run_id"));
        }
        return of_run(change, writer, given, &run_id, folder).await;
    }
    let address = match wire::place(&given.source).filter(|place| !place.is_empty()) {
        Some(place) => {
            let (actor, project) = (&call.actor, &call.project);
            Some(Address::get(&mut **change, actor, project, place).await?)
        }
        None => None,
    };
    match address {
        Some(Address::Run { run_id, path, .. }) => {
            of_run(change, writer, given, &run_id, path).await
        }
        Some(Address::LoggedModel { model_id, path, .. }) => {
            logged_at(change, writer, given, &model_id, path).await
        }
        Some(Address::Version { id, path }) => of_version(change, writer, given, &id, path).await,
        Some(Address::Project { path }) => of_project(change, writer, given, path).await,
        None => {
            let run = run_here(change, writer, &given).await?;
            Ok(elsewhere(run, given))
        }
    }
}

/// A place of the project, which is of no run: it has the files, and the run that the request names what was measured.
async fn of_project(
    change: &mut Change,
    writer: &Writer,
    given: Given,
    folder: String,
) -> Result<Origin> {
    let run = run_here(change, writer, &given).await?;
    let folder = checked(&given.source, folder)?;
    let artifacts = project::artifacts(writer.project());
    artifacts.touch(change).await?;
    Ok(Origin::Made(Box::new(Made {
        files: Some((artifacts.id().to_owned(), folder)),
        measured: run.as_ref().map(|run| run.id.raw().to_owned()),
        run,
        lineage: lineage(given),
    })))
}

/// Refuses a run or logged model beside the one that a source names itself; takes that where there is none.
fn take_named(source: &str, named: &mut Option<String>, id: &str, which: &str) -> Result<()> {
    match named.as_deref().filter(|named| !named.is_empty()) {
        Some(named) if named != id => Err(contained(source, which)),
        _ => {
            *named = Some(id.to_owned());
            Ok(())
        }
    }
}

fn elsewhere(run: Option<Candidate>, given: Given) -> Origin {
    let location = Some(given.source.clone());
    let lineage = Lineage { location, ..lineage(given) };
    let measured = run.as_ref().map(|run| run.id.raw().to_owned());
    Origin::Made(Box::new(Made { files: None, measured, run, lineage }))
}

fn lineage(given: Given) -> Lineage {
    Lineage {
        source: Some(given.source),
        location: None,
        run_id: given.run_id,
        run_link: None,
        logged_model_id: given.model_id.filter(|id| !id.is_empty()),
    }
}

fn split(path: &str) -> (String, String) {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    (first.to_owned(), rest.trim_matches('/').to_owned())
}

/// Refuses local paths and ways out of a folder, however often they are encoded.
fn check_source(given: &Given) -> Result<()> {
    let source = &given.source;
    names::check_length("source", source, MAX_SOURCE)?;
    let (scheme, _) = source.split_once(':').unwrap_or(("", source));
    let is_scheme = scheme.len() > 1
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme || scheme.eq_ignore_ascii_case("file") {
        let which = if given.model_id.is_some() { "model_id" } else { "run_id" };
        return Err(Failure::invalid(format!(
            "Invalid model version source: '{source}'. To use a local path as a model version source, the \
             {which} request parameter has to be specified and the local path has to be contained within the \
             artifact directory of the run specified by the {which}."
        )));
    }
    let mut plain = source.replace('+', " ");
    loop {
        let decoded = percent_decode_str(&plain).decode_utf8_lossy().into_owned();
        if decoded == plain {
            break;
        }
        plain = decoded;
    }
    let path = plain.split_once(':').map_or("", |(_, path)| path);
    if plain.contains('\0') || path.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
        return Err(Failure::invalid(format!(
            "Invalid model version source: '{source}'. If supplying a source as an http, https, local file path, \
             ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path \
             references present. Please provide an absolute path."
        )));
    }
    Ok(())
}

/// As MLflow says it.
fn contained(source: &str, which: &str) -> Failure {
    Failure::invalid(format!(
        "Invalid model version source: '{source}'. The {which} request parameter must identify the resource that \
         contains the source."
    ))
}

/// A run that is here, whatever its project.
async fn find_run(change: &mut Change, run_id: &str) -> Result<Option<(Candidate, Experiment)>> {
    let Some(run) = candidate::sql::find_run(&mut **change, run_id).await? else { return Ok(None) };
    let experiment = experiment::sql::get_by_id(&mut **change, &run.experiment_id).await?;
    Ok(Some((run, experiment)))
}

/// The run that the request names, if it is in this project.
async fn run_here(
    change: &mut Change,
    writer: &Writer,
    given: &Given,
) -> Result<Option<Candidate>> {
    let Some(run_id) = given.run_id.as_deref().filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    match find_run(change, run_id).await? {
        Some((_, experiment)) if experiment.project_id != writer.project().id => {
            Err(contained(&given.source, "run_id"))
        }
        Some((run, _)) => Ok(Some(run)),
        None => Ok(None),
    }
}

async fn of_run(
    change: &mut Change,
    writer: &Writer,
    mut given: Given,
    run_id: &str,
    folder: String,
) -> Result<Origin> {
    let Some((run, experiment)) = find_run(change, run_id).await? else {
        // Of another tracking server: kept as it is, so that the registry can be used beside that.
        let run = run_here(change, writer, &given).await?;
        if given.run_id.as_deref().is_none_or(str::is_empty) {
            given.run_id = Some(run_id.to_owned());
        }
        return Ok(elsewhere(run, given));
    };
    if experiment.project_id != writer.project().id {
        return Err(contained(&given.source, "run_id"));
    }
    take_named(&given.source, &mut given.run_id, run_id, "run_id")?;
    if wire::root(&experiment).is_none() {
        return Ok(elsewhere(Some(run), given));
    }
    let folder = checked(&given.source, folder)?;
    // Locked: what is uploaded meanwhile comes before or after, never half.
    touch_unless_deleted(target::touch(change, &run.id).await)?;
    Ok(Origin::Made(Box::new(Made {
        files: Some((run.id.raw().to_owned(), folder)),
        measured: Some(run.id.raw().to_owned()),
        run: Some(run),
        lineage: lineage(given),
    })))
}

/// What is in the trash cannot change, and can still be registered.
fn touch_unless_deleted(touched: crate::error::Result<()>) -> Result<()> {
    match touched {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn checked(source: &str, folder: String) -> Result<String> {
    let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let folder = parts.join("/");
    if !folder.is_empty() && FilePath::parse("source", &folder).is_err() {
        return Err(Failure::invalid(format!(
            "Invalid model version source: '{source}': its path cannot be one of files"
        )));
    }
    Ok(folder)
}

/// `models:/m-…`, perhaps with a folder.
async fn logged(change: &mut Change, writer: &Writer, given: Given, rest: &str) -> Result<Origin> {
    let (model_id, folder) = split(rest);
    logged_at(change, writer, given, &model_id, folder).await
}

async fn logged_at(
    change: &mut Change,
    writer: &Writer,
    mut given: Given,
    model_id: &str,
    folder: String,
) -> Result<Origin> {
    let Some(model) = logged_model::sql::find(&mut **change, model_id).await? else {
        // Of another tracking server, if the client says so.
        if given.model_id.as_deref() != Some(model_id) {
            return Err(contained(&given.source, "model_id"));
        }
        let run = run_here(change, writer, &given).await?;
        return Ok(elsewhere(run, given));
    };
    let experiment = experiment::sql::get_by_id(&mut **change, &model.experiment_id).await?;
    if experiment.project_id != writer.project().id {
        return Err(contained(&given.source, "model_id"));
    }
    take_named(&given.source, &mut given.model_id, model_id, "model_id")?;
    let run = source_run(change, &model).await?;
    if given.run_id.as_deref().is_none_or(str::is_empty) {
        given.run_id = model.source_run_id().map(str::to_owned);
    }
    if wire::root(&experiment).is_none() {
        return Ok(elsewhere(run, given));
    }
    let folder = checked(&given.source, folder)?;
    touch_unless_deleted(target::touch(change, &model.id).await)?;
    Ok(Origin::Made(Box::new(Made {
        files: Some((model.id.raw().to_owned(), folder)),
        measured: run.as_ref().map(|run| run.id.raw().to_owned()),
        run,
        lineage: lineage(given),
    })))
}

async fn source_run(change: &mut Change, model: &LoggedModel) -> Result<Option<Candidate>> {
    match &model.candidate_id {
        Some(id) => Ok(candidate::sql::find_run(&mut **change, id.raw()).await?),
        None => Ok(None),
    }
}

/// `models:/ocr/3`, `models:/ocr@champion`, `models:/ocr/1.2.0`: what is copied when a version is.
async fn registered(
    change: &mut Change,
    writer: &Writer,
    given: Given,
    rest: &str,
) -> Result<Origin> {
    let invalid = || {
        Failure::invalid(format!(
            "Not a proper models:/ URI: {}. Models URIs must be of the form 'models:/model_name/suffix' or \
             'models:/model_name@alias' where suffix is a model version, stage, or the string 'latest'",
            given.source
        ))
    };
    let rest = percent_decode_str(rest).decode_utf8().map_err(|_| invalid())?.into_owned();
    let (name, reference) = match rest.split_once('/') {
        Some((name, reference)) => (name, reference.to_owned()),
        None => {
            let (name, alias) = rest.split_once('@').ok_or_else(invalid)?;
            (name, format!("@{alias}"))
        }
    };
    let project = writer.project();
    let found = model::sql::find(&mut **change, &project.id, name).await?;
    let model = found.ok_or_else(|| {
        Failure::from(Error::not_found("model", format!("{}/{name}", project.path)))
    })?;
    let version = super::model_versions::get_named(change, &model, &reference).await?;
    let id = version.id.raw().to_owned();
    let canonical = format!("models:/{name}/{}", version.number);
    of_version(change, writer, Given { source: canonical, ..given }, &id, String::new()).await
}

/// The files of a version that is here: the new one comes from the same run.
async fn of_version(
    change: &mut Change,
    writer: &Writer,
    mut given: Given,
    id: &str,
    folder: String,
) -> Result<Origin> {
    let found = version::sql::find_readable_by_id(&mut **change, writer, id).await?;
    let (version, _) = found.ok_or_else(|| contained(&given.source, "run_id"))?;
    version::rules::check_offered(&version)?;
    version::fetch::note_within(change, &version).await?;
    let same = |given: &Option<String>, its: &Option<String>| {
        given.is_none() || given.as_deref().unwrap_or("") == its.as_deref().unwrap_or("")
    };
    if !same(&given.run_id, &version.run_id) || !same(&given.model_id, &version.logged_model_id) {
        return Err(Failure::invalid(format!(
            "Invalid model version source: '{}'. The run_id and model_id request parameters must match the \
             referenced model version.",
            given.source
        )));
    }
    given.run_id = version.run_id.clone();
    given.model_id = version.logged_model_id.clone();
    let run = match &version.candidate_id {
        Some(id) => candidate::sql::find_run(&mut **change, id.raw()).await?,
        None => None,
    };
    let location = super::model_versions::find_elsewhere(&mut **change, &version).await?;
    let id = version.id.raw().to_owned();
    let files = match location {
        Some(_) => None,
        None => Some((id.clone(), checked(&given.source, folder)?)),
    };
    let lineage = Lineage { location, ..lineage(given) };
    Ok(Origin::Made(Box::new(Made { files, measured: Some(id), run, lineage })))
}
