//! The subgraph: the part of the schema that others compose with theirs into one federated graph, by Apollo Federation 2
//! (apollographql.com/docs/federation/subgraph-spec).
//!
//! A gateway shows it to people who may know nothing else of the registry. So it has what they look up, and nothing that
//! only people who work in the registry need: no mutations, accounts, members, tokens, logs or trash, whose names would
//! meet those of other subgraphs.

use std::borrow::Cow;
use std::sync::LazyLock;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaDirectiveInvocation, MetaType, MetaTypeName, Registry};
use async_graphql::{
    ContextSelectionSet, EmptyMutation, MergedObject, Object, OutputType, Positioned,
    SDLExportOptions, Schema, ServerResult, SimpleObject, Value,
};

use super::{Subscription, limited};
use crate::registry::catalog::model::graphql::ModelQuery;
use crate::registry::catalog::project::graphql::ProjectQuery;
use crate::registry::entity::{EntityQuery, KEYS};

/// What the subgraph says of itself.
#[derive(SimpleObject)]
#[graphql(name = "_Service")]
struct Service {
    /// The subgraph as SDL.
    sdl: &'static str,
}

#[derive(Default)]
struct ServiceQuery;

#[Object]
impl ServiceQuery {
    /// What the subgraph is, for whoever composes it with others.
    #[graphql(name = "_service")]
    async fn service(&self) -> Service {
        Service { sdl: &SDL }
    }
}

/// What a federated graph reads of the registry.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Query(ProjectQuery, ModelQuery, EntityQuery, ServiceQuery);

pub type Subgraph = Schema<Query, EmptyMutation, Subscription>;

/// The subgraph with its limits.
pub fn schema() -> Subgraph {
    trimmed::<false>()
}

/// The part of the subgraph that is about single models: nothing leads to others.
pub fn of_models() -> Subgraph {
    trimmed::<true>()
}

fn trimmed<const OF_MODELS: bool>() -> Subgraph {
    limited(Schema::build(Query::default(), EmptyMutation, Subscription::default()))
        .enable_subscription_in_federation()
        .register_output_type::<Trimmed<OF_MODELS>>()
        .finish()
}

/// The subgraph as SDL: what `subgraph.graphql` holds.
pub fn sdl() -> &'static str {
    &SDL
}

static SDL: LazyLock<String> = LazyLock::new(|| {
    let options = SDLExportOptions::new().prefer_single_line_descriptions().federation();
    let options = options.include_specified_by();
    schema().sdl_with_options(options)
});

/// Types that stay at home: fields of these are left out.
const LEFT_OUT: [&str; 13] = [
    "EmbedToken",
    "Event",
    "EventConnection",
    "Member",
    "MemberConnection",
    "ProtectedAlias",
    "Role",
    "Session",
    "Token",
    "TrashConnection",
    "UnfinishedUpload",
    "UserState",
    "UserConnection",
];

/// Fields that are left out besides.
const LEFT_OUT_FIELDS: [(&str, &[&str]); 2] =
    [("Model", &["experiment", "nextVersion"]), ("Project", &["memberCount", "trashSize"])];

/// What leads from a model to what others are.
const BEYOND_MODELS: [&str; 8] = [
    "Experiment",
    "ExperimentConnection",
    "FacetValue",
    "ModelConnection",
    "Project",
    "ProjectConnection",
    "RunsChangedPayload",
    "_Entity",
];
/// A version may be made of another model's run.
const BEYOND_MODELS_FIELDS: [(&str, &str); 3] =
    [("Candidate", "version"), ("ModelVersion", "candidate"), ("Subscription", "runChanged")];

/// All that a person is in the graph.
const OF_USER: [&str; 3] = ["id", "name", "username"];

/// Not a type: takes out of the registry of types what is no part of the subgraph, and adds the keys of entities, once all
/// types are known. What is left out cannot be asked for.
struct Trimmed<const OF_MODELS: bool>;

impl<const OF_MODELS: bool> OutputType for Trimmed<OF_MODELS> {
    fn type_name() -> Cow<'static, str> {
        "Trimmed".into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        for (name, ty) in &mut registry.types {
            trim(name, ty, OF_MODELS);
        }
        registry.remove_unused_types();
        Self::qualified_type_name()
    }

    async fn resolve(
        &self,
        _: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::Null)
    }
}

fn trim(name: &str, ty: &mut MetaType, of_models: bool) {
    let MetaType::Object { fields, directive_invocations, shareable, .. } = ty else { return };
    let by_name = LEFT_OUT_FIELDS.iter().find(|(ty, _)| *ty == name).map_or(&[][..], |(_, f)| f);
    fields.retain(|field, meta| {
        let leads_on = BEYOND_MODELS.contains(&MetaTypeName::concrete_typename(&meta.ty))
            || BEYOND_MODELS_FIELDS.contains(&(name, field.as_str()));
        let is_home = of_models && leads_on
            || LEFT_OUT.contains(&MetaTypeName::concrete_typename(&meta.ty))
            || by_name.contains(&field.as_str())
            || field == "deletedAt";
        !is_home && (name != "User" || OF_USER.contains(&field.as_str()))
    });
    for field in fields.values_mut() {
        field.args.shift_remove("trashed");
    }
    // Every subgraph has pages.
    *shareable = name == "PageInfo";
    let keys = KEYS.iter().find(|(ty, _)| *ty == name).map_or(&[][..], |(_, keys)| keys);
    directive_invocations.extend(keys.iter().map(|key| MetaDirectiveInvocation {
        name: "key".into(),
        args: IndexMap::from([("fields".to_owned(), Value::from(*key))]),
    }));
}
