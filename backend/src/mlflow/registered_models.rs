//! Registered models, which are the models of a project.

use std::collections::{BTreeSet, HashMap};

use async_graphql::MaybeUndefined;
use serde::Serialize;
use serde_json::Value;

use super::call::{Call, Done};
use super::error::{Failure, Result};
use super::lists::{self, Parts};
use super::model_versions::{self, Versions};
use super::names;
use super::wire::{self, Pair, RegisteredModel, WireAlias, WireVersion};
use crate::access::{Reader, Writer};
use crate::change::Change;
use crate::db::Conn;
use crate::error::Error;
use crate::id::VersionId;
use crate::loader::Loaders;
use crate::registry::catalog::alias::{self, Alias, AliasesOfModel};
use crate::registry::catalog::model::rules::NewModel;
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::version::sql::LatestByStage;
use crate::registry::catalog::version::{self, ModelVersion};
use crate::registry::lifecycle;
use crate::registry::metadata::tag::{self, Tag, TagsOf};
use crate::registry::target::Target;

#[derive(Serialize)]
pub struct Found {
    registered_model: RegisteredModel,
}

#[derive(Serialize)]
pub struct Page {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    registered_models: Vec<RegisteredModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
pub struct FoundVersion {
    pub model_version: WireVersion,
}

/// The model that the request names.
pub async fn readable(conn: impl Into<Conn<'_>>, call: &Call) -> Result<(Reader, Model)> {
    Ok(model::sql::readable(conn, &call.actor, &call.model_path()?).await?)
}

/// The model that the request names, to be changed.
pub async fn writable(call: &Call) -> Result<(Change, Writer, Model)> {
    let path = call.model_path()?;
    let mut change = Change::begin(&call.app, &call.actor).await?;
    let (writer, model) = model::sql::writable(&mut change, &call.actor, &path).await?;
    Ok((change, writer, model))
}

/// Refuses what MLflow does, in its words; the rest is refused by the rule.
fn check_name(name: &str) -> Result<()> {
    if name.contains(['/', ':']) {
        return Err(Failure::invalid(format!(
            "Invalid model name '{name}'. Names cannot contain '/' or ':'."
        )));
    }
    Ok(())
}

pub async fn create(call: Call) -> Result<Found> {
    let message = &call.message;
    let name = message.required("name")?;
    check_name(&name)?;
    let new = NewModel {
        name,
        description: message.text("description")?,
        tags: names::registry_tags(message)?,
        by_client: true,
    };
    let is_tagged = !new.tags.is_empty();
    let (mut change, writer) = call.change().await?;
    let model = model::rules::create(&mut change, &writer, new).await?;
    change.commit().await?;
    if is_tagged {
        return one(&call, model).await;
    }
    // It was made just now: there is nothing else that it could have.
    Ok(Found { registered_model: RegisteredModel::new(model) })
}

pub async fn get(call: Call) -> Result<Found> {
    let (_, model) = readable(&call.app.db, &call).await?;
    one(&call, model).await
}

async fn one(call: &Call, model: Model) -> Result<Found> {
    let models = render(&call.loaders(), vec![model]).await?;
    let model = models.into_iter().next();
    Ok(Found { registered_model: model.ok_or_else(|| Error::internal("a model got lost"))? })
}

/// Models with all that they have: a constant number of statements, however many they are.
async fn render(loaders: &Loaders, models: Vec<Model>) -> Result<Vec<RegisteredModel>> {
    let ids = || models.iter().map(|model| model.id.raw().to_owned());
    let mut aliases: HashMap<AliasesOfModel, Vec<Alias>> =
        loaders.load_lists(ids().map(AliasesOfModel)).await?;
    let mut latest: HashMap<LatestByStage, Vec<ModelVersion>> =
        loaders.load_lists(ids().map(LatestByStage)).await?;
    let latest_ids = latest.values().flatten().map(|version| version.id.raw().to_owned());
    let mut tags: HashMap<TagsOf, Vec<Tag>> =
        loaders.load_lists(ids().chain(latest_ids).map(TagsOf)).await?;
    let numbers = numbers(loaders, latest.values().flatten(), aliases.values().flatten()).await?;
    let mut of_models: HashMap<_, _> =
        ids().map(TagsOf).filter_map(|id| tags.remove_entry(&id)).collect();
    let mut versions = Versions::with(tags, aliases.values().flatten().cloned());
    Ok(models
        .into_iter()
        .map(|model| {
            let id = || model.id.raw().to_owned();
            let tags = of_models.remove(&TagsOf(id())).unwrap_or_default();
            let latest = latest.remove(&LatestByStage(id())).unwrap_or_default();
            let aliases = aliases.remove(&AliasesOfModel(id())).unwrap_or_default();
            RegisteredModel {
                latest_versions: latest
                    .into_iter()
                    .map(|version| versions.render_in(version, &model.name))
                    .collect(),
                tags: tags.into_iter().map(Pair::from).collect(),
                aliases: aliases
                    .into_iter()
                    .filter_map(|alias| {
                        let version = numbers.get(&alias.version_id)?.to_string();
                        Some(WireAlias { alias: alias.name, version })
                    })
                    .collect(),
                ..RegisteredModel::new(model)
            }
        })
        .collect())
}

/// The numbers of versions, and of those that aliases name, which are often the same.
async fn numbers(
    loaders: &Loaders,
    versions: impl Iterator<Item = &ModelVersion>,
    aliases: impl Iterator<Item = &Alias>,
) -> Result<HashMap<VersionId, i64>> {
    let mut numbers: HashMap<_, _> =
        versions.map(|version| (version.id.clone(), version.number)).collect();
    let others: BTreeSet<_> =
        aliases.map(|alias| &alias.version_id).filter(|id| !numbers.contains_key(id)).collect();
    let others: HashMap<VersionId, ModelVersion> =
        loaders.load_all(others.into_iter().cloned()).await?;
    numbers.extend(others.into_iter().map(|(id, version)| (id, version.number)));
    Ok(numbers)
}

pub async fn update(call: Call) -> Result<Found> {
    let description = call.message.text("description")?;
    let (mut change, writer, model) = writable(&call).await?;
    let description = MaybeUndefined::Value(description.unwrap_or_default());
    let model = model::rules::update(&mut change, &writer, model, description).await?;
    change.commit().await?;
    one(&call, model).await
}

pub async fn rename(call: Call) -> Result<Found> {
    let name = call.message.required("new_name")?;
    check_name(&name)?;
    let (mut change, writer, model) = writable(&call).await?;
    let model = lifecycle::model::rename(&mut change, &writer, model, &name).await?;
    change.commit().await?;
    one(&call, model).await
}

pub async fn delete(call: Call) -> Result<Done> {
    let (mut change, writer, model) = writable(&call).await?;
    lifecycle::model::delete(&mut change, &writer, model).await?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn search(call: Call) -> Result<Page> {
    let reader = call.reader().await?;
    let message = &call.message;
    let size = message.int("max_results")?.unwrap_or(100);
    if size > 1000 {
        return Err(super::message::wrong("max_results", &Value::from(size)));
    }
    let page = lists::page(message, names::page_size(message, 100, 1000)?)?;
    let (filter, order) = (message.text_or_empty("filter")?, message.texts("order_by")?);
    let list = model::sql::search(&call.app.db, &filter, &order)?;
    let parent = Some(reader.project().id.raw());
    let mut parts = Parts::of(&call, (&list, parent), &page).await?;
    while let Some((loaders, rows)) = parts.next() {
        parts.add(render(&loaders, rows).await)?;
    }
    let (registered_models, next_page_token) = parts.end();
    Ok(Page { registered_models, next_page_token })
}

#[derive(Serialize)]
pub struct Latest {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_versions: Vec<WireVersion>,
}

/// The latest version in each stage, or in those that are named. A version or range in the place of a
/// stage means that version: `models:/ocr/1.2.0` is sent so.
pub async fn latest_versions(call: Call) -> Result<Latest> {
    let stages = call.message.texts("stages")?;
    let (_, model) = readable(&call.app.db, &call).await?;
    let mut latest = call.loaders().load_lists([LatestByStage(model.id.raw().to_owned())]).await?;
    let latest = latest.remove(&LatestByStage(model.id.raw().to_owned())).unwrap_or_default();
    let mut found: Vec<ModelVersion> = Vec::new();
    if stages.is_empty() {
        found = latest;
    } else {
        for stage in &stages {
            match wire::find_stage(stage) {
                Some(stage) => found.extend(latest.iter().find(|v| v.stage == stage).cloned()),
                None => found.push(by_reference(&call, &model, stage).await?),
            }
        }
    }
    if found.is_empty() {
        let mut asked: Vec<_> = stages.iter().map(|stage| wire::find_stage(stage)).collect();
        asked.extend(stages.is_empty().then_some(None));
        for stage in asked {
            version::sql::check_none_yanked_in(&call.app.db, &model, stage).await?;
        }
    }
    let mut versions = Versions::load(&call.loaders(), found.iter()).await?;
    let model_versions =
        found.into_iter().map(|version| versions.render_in(version, &model.name)).collect();
    Ok(Latest { model_versions })
}

async fn by_reference(call: &Call, model: &Model, stage: &str) -> Result<ModelVersion> {
    let found = match model_versions::is_reference(stage) {
        true => version::sql::find(&call.app.db, model, stage).await?,
        false => None,
    };
    found.ok_or_else(|| {
        Failure::invalid(format!(
            "Invalid Model Version stage: {stage}. Value must be one of None, Staging, Production, Archived."
        ))
    })
}

pub async fn set_tag(call: Call) -> Result<Done> {
    call.message.required("key")?;
    let tag = names::registry_tag(&call.message)?;
    let (mut change, writer, model) = writable(&call).await?;
    let target = model.target(writer.project());
    tag::rules::set(&mut change, &writer, &target, tag).await?;
    change.commit().await?;
    Ok(Done {})
}

/// As in MLflow it is no error if there is none.
pub async fn delete_tag(call: Call) -> Result<Done> {
    let key = call.message.required("key")?;
    let (mut change, writer, model) = writable(&call).await?;
    let target = model.target(writer.project());
    delete_tag_of(&mut change, &writer, &target, &key).await?;
    change.commit().await?;
    Ok(Done {})
}

/// Removes a tag, if it is there.
pub async fn delete_tag_of(
    change: &mut Change,
    writer: &Writer,
    target: &Target,
    key: &str,
) -> Result<()> {
    match tag::rules::delete(change, writer, target, key).await {
        Ok(_) | Err(Error::NotFound { kind: "tag", .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub async fn set_alias(call: Call) -> Result<Done> {
    let message = &call.message;
    let (name, reference) = (message.required("alias")?, message.required("version")?);
    check_alias(&name)?;
    let (mut change, writer, model) = writable(&call).await?;
    let version = model_versions::get_in(&mut *change, &model, &reference).await?;
    alias::rules::set(&mut change, &writer, &model, &name, &version.version).await?;
    change.commit().await?;
    Ok(Done {})
}

fn check_alias(name: &str) -> Result<()> {
    if name.eq_ignore_ascii_case("latest") {
        return Err(Failure::invalid("'latest' alias name (case insensitive) is reserved."));
    }
    let rest = name.strip_prefix(['v', 'V']).unwrap_or("");
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::invalid(format!("Version alias name '{name}' is reserved.")));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        return Err(Failure::invalid(format!(
            "Invalid alias name: '{name}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    names::check_length("Registered model alias name", name, 255)
}

/// As in MLflow it is no error if there is none.
pub async fn delete_alias(call: Call) -> Result<Done> {
    let name = call.message.required("alias")?;
    let (mut change, writer, model) = writable(&call).await?;
    match alias::rules::delete(&mut change, &writer, &model, &name).await {
        Ok(_) => change.commit().await?,
        Err(Error::NotFound { kind: "alias", .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Done {})
}

/// The version that an alias names; a range such as `^1.2` and `latest` are taken, too.
pub async fn get_alias(call: Call) -> Result<FoundVersion> {
    let name = call.message.required("alias")?;
    let (_, model) = readable(&call.app.db, &call).await?;
    let mut found = version::sql::find(&call.app.db, &model, &format!("@{name}")).await?;
    if found.is_none() && model_versions::is_reference(&name) {
        found = version::sql::find(&call.app.db, &model, &name).await?;
    }
    let version = found
        .ok_or_else(|| Failure::invalid(format!("Registered model alias {name} not found.")))?;
    model_versions::one(&call, &model, version).await
}
