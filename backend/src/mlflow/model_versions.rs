//! Model versions. MLflow's number is ours; wherever it takes one, SemVer is taken, too.

use std::collections::{BTreeSet, HashMap};

use async_graphql::MaybeUndefined;
use futures_util::future::try_join;
use serde::Serialize;
use serde_json::Value;

use super::address::Address;
use super::call::{Call, Done};
use super::error::{Failure, Result};
use super::lists::{self, Parts};
use super::registered_models::FoundVersion;
use super::source::{self, Origin};
use super::wire::{self, WireVersion};
use super::{names, registered_models as models};
use crate::access::Reader;
use crate::change::Change;
use crate::db::Conn;
use crate::error::Error;
use crate::id::{ModelId, VersionId};
use crate::loader::Loaders;
use crate::registry::catalog::alias::{Alias, AliasesOfModel, AliasesOfVersion};
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::version::new::{Lineage, NewVersion, Prediction};
use crate::registry::catalog::version::{self, ModelVersion};
use crate::registry::catalog::{file, upload};
use crate::registry::metadata::tag::prompt::PROMPT_TAG;
use crate::registry::metadata::tag::{self, Tag, TagInput, TagsOf};
use crate::registry::tracking::candidate::rules::NewCandidate;
use crate::registry::tracking::{candidate, experiment};

/// The tags that say what a version shall be called: ours, and GitLab's.
const SEMVER_TAGS: [&str; 2] = ["registry.version", "gitlab.version"];

/// Of how many versions the aliases are looked for one by one: a model may have many more.
const FEW: usize = 10;

/// What versions have, loaded for many at once.
pub struct Versions {
    tags: HashMap<TagsOf, Vec<Tag>>,
    aliases: HashMap<VersionId, Vec<Alias>>,
}

impl Versions {
    pub async fn load<'a>(
        loaders: &Loaders,
        versions: impl Iterator<Item = &'a ModelVersion> + Clone,
    ) -> Result<Self> {
        let tags =
            loaders.load_lists(versions.clone().map(|version| TagsOf(version.id.raw().to_owned())));
        let found = async {
            if versions.clone().count() <= FEW {
                let of_versions =
                    versions.map(|version| AliasesOfVersion(version.id.raw().to_owned()));
                let found = loaders.load_lists(of_versions).await?;
                return Ok(found.into_values().flatten().collect::<Vec<Alias>>());
            }
            // Those of their models, which are few and often one.
            let models: BTreeSet<_> = versions.map(|version| version.model_id.raw()).collect();
            let of_models = models.into_iter().map(|id| AliasesOfModel(id.to_owned()));
            Ok(loaders.load_lists(of_models).await?.into_values().flatten().collect())
        };
        let (tags, found) = try_join(tags, found).await?;
        Ok(Self::with(tags, found))
    }

    /// What was loaded of them with something else: their tags, and the aliases of their models.
    pub fn with(tags: HashMap<TagsOf, Vec<Tag>>, found: impl IntoIterator<Item = Alias>) -> Self {
        let mut aliases = HashMap::<_, Vec<_>>::new();
        for alias in found {
            aliases.entry(alias.version_id.clone()).or_default().push(alias);
        }
        Self { tags, aliases }
    }

    /// A version of the model of this name.
    pub fn render_in(&mut self, version: ModelVersion, model: &str) -> WireVersion {
        let tags = self.tags.remove(&TagsOf(version.id.raw().to_owned())).unwrap_or_default();
        let aliases = self.aliases.remove(&version.id).unwrap_or_default();
        WireVersion::new(version, model, tags, &aliases)
    }
}

/// The version of a model that a number or reference names.
pub async fn get_in(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    reference: &str,
) -> Result<ModelVersion> {
    let is_number = reference.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number && semver::Version::parse(reference).is_err() {
        return Err(Failure::invalid(format!(
            "Parameter 'version' must be an integer, got '{reference}'."
        )));
    }
    let found = version::sql::find_numbered(conn, model, reference).await?;
    found.ok_or_else(|| not_found(&model.name, reference))
}

/// Whether a text that MLflow takes for a stage or an alias means versions: `1.2.0`, `^1.2`, `latest`.
pub fn is_reference(text: &str) -> bool {
    text == "latest" || text.starts_with(|c: char| c.is_ascii_digit() || "^~<>=".contains(c))
}

/// The version that stands after the name in `models:/`: a number or SemVer, `@alias`, `latest` or a stage.
pub async fn get_named(
    change: &mut Change,
    model: &Model,
    reference: &str,
) -> Result<ModelVersion> {
    if let Some(stage) = wire::find_stage(reference) {
        let found = version::sql::latest_in_stage(&mut **change, model, stage).await?;
        if found.is_none() {
            version::sql::check_none_yanked_in(&mut **change, model, Some(stage)).await?;
        }
        return found.ok_or_else(|| not_found(&model.name, reference));
    }
    let found = match reference.strip_prefix('@') {
        Some(_) => version::sql::find(&mut **change, model, reference).await?,
        None if is_reference(reference) => {
            version::sql::find_numbered(&mut **change, model, reference).await?
        }
        None => None,
    };
    found.ok_or_else(|| match reference.strip_prefix('@') {
        Some(alias) => Failure::invalid(format!("Registered model alias {alias} not found.")),
        None => not_found(&model.name, reference),
    })
}

fn not_found(name: &str, reference: &str) -> Failure {
    let message = format!("Model Version (name={name}, version={reference}) not found");
    Failure::not_found("version", message)
}

/// The version that the request names.
async fn readable(call: &Call) -> Result<(Model, ModelVersion)> {
    let reference = call.message.required("version")?;
    let name = call.message.required("name")?;
    let (_, model) = models::readable(&call.app.db, call)
        .await
        .map_err(|failure| failure.or_not_found(|| version_message(&name, &reference)))?;
    let version = get_in(&call.app.db, &model, &reference).await?;
    Ok((model, version))
}

fn version_message(name: &str, reference: &str) -> String {
    format!("Model Version (name={name}, version={reference}) not found")
}

/// The version that the request names, to be changed.
async fn writable(call: &Call) -> Result<(Change, crate::access::Writer, Model, ModelVersion)> {
    let reference = call.message.required("version")?;
    let name = call.message.required("name")?;
    let (mut change, writer, model) = models::writable(call)
        .await
        .map_err(|failure| failure.or_not_found(|| version_message(&name, &reference)))?;
    let version = get_in(&mut *change, &model, &reference).await?;
    Ok((change, writer, model, version))
}

pub async fn one(call: &Call, model: &Model, version: ModelVersion) -> Result<FoundVersion> {
    let mut versions = Versions::load(&call.loaders(), std::iter::once(&version)).await?;
    Ok(FoundVersion { model_version: versions.render_in(version, &model.name) })
}

/// The SemVer version that tags ask for.
fn semver_of(tags: &[TagInput]) -> Option<String> {
    let tag = SEMVER_TAGS.iter().find_map(|key| tags.iter().find(|tag| tag.key == *key));
    tag.map(|tag| tag.value.clone())
}

pub async fn create(call: Call) -> Result<FoundVersion> {
    let message = &call.message;
    message.required("name")?;
    if !message.has("source") {
        return Err(super::message::missing("source"));
    }
    let tags = names::registry_tags(message)?;
    let given = source::Given {
        source: message.text_or_empty("source")?,
        run_id: message.text("run_id")?,
        model_id: message.text("model_id")?,
        is_prompt: tags.iter().any(|tag| tag.key == PROMPT_TAG),
    };
    let is_tagged = !tags.is_empty();
    // Read before the change begins, since others wait while it lasts: whether the model is still there by this
    // name is seen when it is locked, and whose the name is now, here.
    call.actor.check_may_write()?;
    let (_, model) = models::readable(&call.app.db, &call).await?;
    let predicted = version::new::predict_next(&call.app, &model).await?;
    let new = |predicted: Prediction| -> Result<NewVersion> {
        let lineage = Lineage { run_link: message.text("run_link")?, ..Lineage::default() };
        let (version, description) = (semver_of(&tags), message.text("description")?);
        let tags = tags.clone();
        let predicted = Some(predicted);
        Ok(NewVersion {
            version,
            description,
            tags: Some(tags),
            lineage,
            predicted,
            ..NewVersion::default()
        })
    };
    let version = match make(&call, &model, given.clone(), new(predicted.clone())?).await {
        Err(Failure { error: Error::Stale, .. }) => {
            make(&call, &model, given, new(predicted.unknown())?).await?
        }
        made => made?,
    };
    if is_tagged {
        return one(&call, &model, version).await;
    }
    // It was made just now: there is nothing else that it could have.
    let model_version = WireVersion::new(version, &model.name, Vec::new(), &[]);
    Ok(FoundVersion { model_version })
}

/// Makes a version of what a source means.
async fn make(
    call: &Call,
    model: &Model,
    given: source::Given,
    mut new: NewVersion,
) -> Result<ModelVersion> {
    let (mut change, writer) = call.change().await?;
    if model.project_id != writer.project().id {
        return Err(Error::not_found("model", call.model_path()?).into());
    }
    let origin = source::resolve(call, &mut change, &writer, given).await?;
    let version = match origin {
        Origin::Run => fill_by_run(&mut change, &writer, model, new).await?,
        Origin::Made(made) => {
            if let Some(run) = made.run {
                new.candidate_id = Some(candidate::rules::adopt(&mut change, model, run).await?.id);
            }
            new.lineage = Lineage { run_link: new.lineage.run_link, ..made.lineage };
            let files = match made.files.as_ref() {
                Some((owner, folder)) => {
                    let all = (owner.as_str(), folder.as_str());
                    let arrived = upload::rules::check_arrived(
                        &call.app,
                        &mut change,
                        all,
                        Default::default(),
                    )
                    .await?;
                    Some((all.0, all.1, arrived))
                }
                None => None,
            };
            let of = (files, made.measured.as_deref());
            version::rules::register(&mut change, &writer, model, new, of).await?
        }
    };
    change.commit().await?;
    Ok(version)
}

/// GitLab's way: a version that is made first, and filled by logging to its run.
async fn fill_by_run(
    change: &mut Change,
    writer: &crate::access::Writer,
    model: &Model,
    mut new: NewVersion,
) -> Result<ModelVersion> {
    let experiment = experiment::rules::default_of(change, &model.id).await?;
    let run =
        candidate::rules::create(change, writer, &experiment, Some(model), NewCandidate::default())
            .await?;
    new.candidate_id = Some(run.id);
    new.lineage.source = Some(String::new());
    Ok(version::rules::create(change, writer, model, new).await?)
}

pub async fn get(call: Call) -> Result<FoundVersion> {
    let (model, version) = readable(&call).await?;
    one(&call, &model, version).await
}

pub async fn update(call: Call) -> Result<FoundVersion> {
    let description = match call.message.text("description")? {
        Some(description) => MaybeUndefined::Value(description),
        None => MaybeUndefined::Undefined,
    };
    let (mut change, writer, model, version) = writable(&call).await?;
    let version =
        version::rules::update(&mut change, &writer, &model, version, description).await?;
    change.commit().await?;
    one(&call, &model, version).await
}

pub async fn delete(call: Call) -> Result<Done> {
    let (mut change, writer, model, version) = writable(&call).await?;
    version::rules::delete(&mut change, &writer, &model, &version).await?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn set_stage(call: Call) -> Result<FoundVersion> {
    let stage = call.message.required("stage")?;
    let archive = call.message.bool("archive_existing_versions")?.unwrap_or(false);
    let (mut change, writer, model, version) = writable(&call).await?;
    let to = wire::find_stage(&stage).ok_or_else(|| {
        Failure::invalid(format!(
            "Invalid Model Version stage: {stage}. Value must be one of None, Staging, Production, Archived."
        ))
    })?;
    if archive && !matches!(to, version::ModelStage::Staging | version::ModelStage::Production) {
        return Err(Failure::invalid(format!(
            "Model version transition cannot archive existing model versions because '{stage}' is not an Active \
             stage. Valid stages are Staging, Production"
        )));
    }
    let version =
        version::rules::set_stage(&mut change, &writer, &model, &version, (to, archive)).await?;
    change.commit().await?;
    one(&call, &model, version).await
}

/// Where the files of a version are if they are not here. Where a run had nothing to pin that is its source: the client may
/// know better by now. Never a place here that changes: what is published has its own files, or none.
pub async fn find_elsewhere(
    conn: impl Into<Conn<'_>>,
    version: &ModelVersion,
) -> Result<Option<String>> {
    let is_elsewhere = |source: &&String| match wire::place(source).map(Address::parse) {
        Some(address) => matches!(address, Address::Run { .. }) && address.is_numbered(),
        None => true,
    };
    if let Some(location) = &version.location {
        return Ok(Some(location).filter(is_elsewhere).cloned());
    }
    // A logged model that is here changes, too; one that is elsewhere is a location.
    let stays = |source: &&String| !source.is_empty() && !source.starts_with("models:/m-");
    let Some(source) = version.source.as_ref().filter(is_elsewhere).filter(stays) else {
        return Ok(None);
    };
    let is_empty = file::sql::children(conn, version.id.raw(), "").await?.is_empty();
    Ok(is_empty.then(|| source.clone()))
}

#[derive(Serialize)]
pub struct DownloadUri {
    artifact_uri: String,
}

/// Where to load a version from: its own files, which never change; or elsewhere, as it was said. Where a
/// whole run was promoted the model is in a folder, which is named.
pub async fn download_uri(call: Call) -> Result<DownloadUri> {
    let (_, version) = readable(&call).await?;
    if let Some(artifact_uri) = find_elsewhere(&call.app.db, &version).await? {
        return Ok(DownloadUri { artifact_uri });
    }
    let folder = file::sql::folder_of(&call.app.db, version.id.raw(), "MLmodel").await?;
    let artifact_uri = match folder.as_deref() {
        None | Some("") => wire::version_location(&version),
        Some(folder) => format!("{}/{folder}", wire::version_location(&version)),
    };
    Ok(DownloadUri { artifact_uri })
}

#[derive(Serialize)]
pub struct Page {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_versions: Vec<WireVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

const MAX_PAGE: i64 = 200_000;

pub async fn search(call: Call) -> Result<Page> {
    let reader = call.reader().await?;
    let message = &call.message;
    let size = message.int("max_results")?.unwrap_or(MAX_PAGE);
    if size > MAX_PAGE {
        return Err(super::message::wrong("max_results", &Value::from(size.to_string())));
    }
    if size < 1 {
        return Err(Failure::invalid(format!(
            "Invalid value for max_results. It must be a positive integer, but got {size}"
        )));
    }
    let page = lists::page(message, size)?;
    let (filter, order) = (message.text_or_empty("filter")?, message.texts("order_by")?);
    let name = version::sql::named_model(&filter)?;
    let named = match name {
        Some(ref name) => match find_named(&call, &reader, name).await? {
            Some(model) => Some(model),
            None => {
                // The rest of the filter is still checked.
                version::sql::search(&call.app.db, &filter, &order, Some(name))?;
                return Ok(Page { model_versions: Vec::new(), next_page_token: None });
            }
        },
        None => None,
    };
    let list = version::sql::search(&call.app.db, &filter, &order, name.as_deref())?;
    let parent = named.as_ref().map_or(reader.project().id.raw(), |model| model.id.raw());
    let mut parts = Parts::of(&call, (&list, Some(parent)), &page).await?;
    while let Some((loaders, rows)) = parts.next() {
        parts.add(render(&loaders, rows, named.as_ref()).await)?;
    }
    let (model_versions, next_page_token) = parts.end();
    Ok(Page { model_versions, next_page_token })
}

async fn find_named(call: &Call, reader: &Reader, name: &str) -> Result<Option<Model>> {
    let project = &reader.project().id;
    Ok(model::sql::find_named(&call.app.db, &call.actor, project, name).await?)
}

/// Versions with all that they have, of one model or of those that are looked up.
async fn render(
    loaders: &Loaders,
    rows: Vec<ModelVersion>,
    of: Option<&Model>,
) -> Result<Vec<WireVersion>> {
    let mut versions = Versions::load(loaders, rows.iter()).await?;
    let models: HashMap<ModelId, Model> = match of {
        Some(model) => HashMap::from([(model.id.clone(), model.clone())]),
        None => {
            let ids: BTreeSet<_> = rows.iter().map(|version| version.model_id.clone()).collect();
            loaders.load_all(ids).await?
        }
    };
    let rendered = rows.into_iter().map(|version| {
        let model = models.get(&version.model_id).map_or("", |model| &model.name);
        versions.render_in(version, model)
    });
    Ok(rendered.collect())
}

/// The tag that names a version is set when it is made, and stays.
pub async fn set_tag(call: Call) -> Result<Done> {
    call.message.required("key")?;
    let tag = names::registry_tag(&call.message)?;
    let (mut change, writer, model, version) = writable(&call).await?;
    if SEMVER_TAGS.contains(&tag.key.as_str()) && tag.value != version.version {
        return Err(Failure::from(Error::invalid(
            tag.key,
            format!(
                "the name of a version can't be changed: it is {}. Create a new version instead",
                version.version
            ),
        )));
    }
    let target = version.target(writer.project(), &model);
    tag::rules::set(&mut change, &writer, &target, tag).await?;
    change.commit().await?;
    Ok(Done {})
}

/// As in MLflow it is no error if there is none.
pub async fn delete_tag(call: Call) -> Result<Done> {
    let key = call.message.required("key")?;
    let (mut change, writer, model, version) = writable(&call).await?;
    let target = version.target(writer.project(), &model);
    models::delete_tag_of(&mut change, &writer, &target, &key).await?;
    change.commit().await?;
    Ok(Done {})
}
