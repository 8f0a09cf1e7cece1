//! Entities of a federated graph: what other subgraphs name by a key, such as a model by its path
//! (apollographql.com/docs/federation/subgraph-spec).
//!
//! One that is hidden, deleted, missing or named badly is null and never an error: gateways lose all others with it.

use async_graphql::{Context, ID, InputValueResult, Object, Scalar, ScalarType, Union, Value};
use futures_util::future::try_join_all;

use crate::access::project::Project;
use crate::access::user::User;
use crate::error::{Error, Result};
use crate::id::CandidateId;
use crate::page::{LOOK_UP, cost_of};
use crate::registry::catalog::alias::Alias;
use crate::registry::catalog::model::{Model, at_path};
use crate::registry::catalog::version::{ModelVersion, at_ref};
use crate::registry::node::{self, Node, Trashed};
use crate::registry::people::user::graphql::find_visible_by_name;
use crate::registry::tracking::candidate::Candidate;
use crate::registry::tracking::experiment::Experiment;

/// Each kind of entity, and the keys that it is found by.
pub const KEYS: [(&str, &[&str]); 7] = [
    ("Project", &["id", "path"]),
    ("Model", &["id", "path"]),
    ("ModelVersion", &["id", "ref"]),
    ("Alias", &["id", "ref"]),
    ("Candidate", &["id", "runId"]),
    ("Experiment", &["id"]),
    ("User", &["username"]),
];

/// How many representations an operation has at most: each costs as much as a look-up.
pub const MAX_REPRESENTATIONS: usize = 1000;

/// How long a key is at most, in bytes: paths are shorter.
const MAX_KEY: usize = 2048;

/// What other subgraphs can extend.
#[derive(Union)]
#[graphql(name = "_Entity")]
pub enum Entity {
    Project(Project),
    Model(Model),
    ModelVersion(Box<ModelVersion>),
    Alias(Alias),
    Candidate(Candidate),
    Experiment(Experiment),
    User(User),
}

/// What another subgraph knows of an entity: `__typename`, and a key.
pub struct Representation(Value);

/// The type of an entity and one of its keys, such as `{"__typename": "Model", "path": "vision/ocr"}`.
#[Scalar(name = "_Any")]
impl ScalarType for Representation {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

impl Representation {
    fn text(&self, field: &str) -> Option<&str> {
        let Value::Object(fields) = &self.0 else { return None };
        match fields.get(field) {
            Some(Value::String(text)) if text.len() <= MAX_KEY => Some(text),
            _ => None,
        }
    }

    /// The kind of entity, and the first of its keys that is there.
    fn key(&self) -> Option<(&'static str, &'static str, &str)> {
        let typename = self.text("__typename")?;
        let (kind, keys) = KEYS.iter().find(|(kind, _)| *kind == typename)?;
        keys.iter().find_map(|key| self.text(key).map(|value| (*kind, *key, value)))
    }
}

#[derive(Default)]
pub struct EntityQuery;

#[Object]
impl EntityQuery {
    /// The entities that these representations name, in their order, at most 1,000; null where there is none that the caller
    /// may see.
    #[graphql(
        name = "_entities",
        complexity = "cost_of(representations.len(), child_complexity.max(LOOK_UP) - 1)"
    )]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is known of each: its type, and one of its keys.")]
        representations: Vec<Representation>,
    ) -> Result<Vec<Option<Entity>>> {
        try_join_all(representations.iter().map(async |representation| {
            let Some((kind, key, value)) = representation.key() else { return Ok(None) };
            match find(ctx, kind, key, value).await {
                Err(Error::NotFound { .. } | Error::Invalid { .. }) => Ok(None),
                found => found,
            }
        }))
        .await
    }
}

async fn find(ctx: &Context<'_>, kind: &str, key: &str, value: &str) -> Result<Option<Entity>> {
    Ok(match (kind, key) {
        (_, "id") => by_id(ctx, kind, &value.into()).await?,
        ("Candidate", _) => by_id(ctx, kind, &(&CandidateId::from_raw(value)).into()).await?,
        ("Project", _) => at_path::find_project(ctx, value).await?.map(Entity::Project),
        ("Model", _) => at_path::find(ctx, value).await?.map(Entity::Model),
        ("ModelVersion", _) => at_ref::find_version(ctx, value)
            .await?
            .map(|version| Entity::ModelVersion(Box::new(version))),
        ("Alias", _) => at_ref::find_alias(ctx, value).await?.map(Entity::Alias),
        ("User", _) => find_visible_by_name(ctx, value).await?.map(Entity::User),
        _ => None,
    })
}

/// The object with this id, if it is of this kind.
async fn by_id(ctx: &Context<'_>, kind: &str, id: &ID) -> Result<Option<Entity>> {
    let found = node::find(ctx, id, Trashed::Hidden).await?;
    Ok(match (kind, found) {
        ("Project", Some(Node::Project(project))) => Some(Entity::Project(project)),
        ("Model", Some(Node::Model(model))) => Some(Entity::Model(model)),
        ("ModelVersion", Some(Node::ModelVersion(version))) => Some(Entity::ModelVersion(version)),
        ("Alias", Some(Node::Alias(alias))) => Some(Entity::Alias(alias)),
        ("Candidate", Some(Node::Candidate(candidate))) => Some(Entity::Candidate(candidate)),
        ("Experiment", Some(Node::Experiment(experiment))) => Some(Entity::Experiment(experiment)),
        _ => None,
    })
}
