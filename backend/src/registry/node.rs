//! `node(id)` in GraphQL: whatever has an opaque id, looked up by it.

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::try_join_all;

use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{Reader, actor};
use crate::error::{Error, Result};
use crate::id::{AnyId, ProjectId};
use crate::loader::loaders;
use crate::page::{check_look_ups, cost_of};
use crate::registry::catalog::alias::Alias;
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::version::ModelVersion;
use crate::registry::event::Event;
use crate::registry::people::embed_token::{self, EmbedToken};
use crate::registry::people::member::{self, Member};
use crate::registry::people::token::{self, Token};
use crate::registry::people::user;
use crate::registry::tracking::candidate::Candidate;
use crate::registry::tracking::experiment::Experiment;
use crate::registry::webhook::delivery::WebhookDelivery;
use crate::registry::webhook::{self, Webhook};
use crate::role::Role;

/// Any object with an opaque id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its opaque id."))]
pub enum Node {
    User(User),
    Token(Token),
    EmbedToken(EmbedToken),
    Member(Member),
    Project(Project),
    Model(Model),
    ModelVersion(Box<ModelVersion>),
    Candidate(Candidate),
    Experiment(Experiment),
    Alias(Alias),
    Event(Event),
    Webhook(Box<Webhook>),
    WebhookDelivery(WebhookDelivery),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id; null if there is none that the caller may see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id that this API gave.")] id: ID,
    ) -> Result<Option<Node>> {
        match find(ctx, &id, Trashed::Shown).await {
            Err(Error::NotFound { .. }) => Ok(None),
            found => found,
        }
    }

    /// The objects with these ids, in their order, at most 100; null where there is none that the caller may see.
    #[graphql(complexity = "cost_of(ids.len(), child_complexity)")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids that this API gave.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        check_look_ups("ids", ids.iter().map(|id| id.as_str()))?;
        try_join_all(ids.iter().map(async |id| match find(ctx, id, Trashed::Shown).await {
            Err(Error::NotFound { .. } | Error::Invalid { .. }) => Ok(None),
            found => found,
        }))
        .await
    }
}

/// Whether what is in the trash is found by those who may see it there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Trashed {
    Shown,
    Hidden,
}

/// The object with this id, if the caller may see it.
pub async fn find(ctx: &Context<'_>, id: &ID, trashed: Trashed) -> Result<Option<Node>> {
    let loader = loaders(ctx);
    // Each kind is looked up, then the project that it is in must be readable.
    let (node, project_id) = match AnyId::parse(id)? {
        AnyId::UserId(id) => {
            return Ok(user::graphql::find_visible(ctx, id).await?.map(Node::User));
        }
        AnyId::CredentialId(id) => {
            return Ok(token::find_visible(ctx, &id).await?.map(Node::Token));
        }
        AnyId::EmbedTokenId(id) => {
            return Ok(embed_token::find_visible(ctx, &id).await?.map(Node::EmbedToken));
        }
        AnyId::WebhookId(id) => {
            let hook = webhook::graphql::find_visible(ctx, &id).await?;
            return Ok(hook.map(|hook| Node::Webhook(Box::new(hook))));
        }
        AnyId::DeliveryId(id) => {
            let delivery = webhook::graphql::find_delivery(ctx, &id).await?;
            return Ok(delivery.map(Node::WebhookDelivery));
        }
        AnyId::MemberId(id) => match loader.load_one(id).await? {
            Some(member) => {
                let reader = reader_of(ctx, &member.project_id).await?;
                return Ok(reader.check_knows_members().is_ok().then_some(Node::Member(member)));
            }
            None => return Ok(None),
        },
        AnyId::ProjectId(id) => {
            let project = reader_of(ctx, &id).await?.project().clone();
            (Node::Project(project), id)
        }
        AnyId::ModelId(id) => match loader.load_one(id).await? {
            Some(model) => (Node::Model(model.clone()), model.project_id),
            None => return Ok(None),
        },
        AnyId::VersionId(id) => match loader.load_one(id).await? {
            Some(version) => {
                let model = model::sql::load(ctx, &version.model_id).await?;
                (Node::ModelVersion(Box::new(version)), model.project_id)
            }
            None => return Ok(None),
        },
        AnyId::CandidateId(id) => match loader.load_one(id).await? {
            Some(candidate) => {
                let experiment = candidate.experiment_of(ctx).await?;
                (Node::Candidate(candidate), experiment.project_id)
            }
            None => return Ok(None),
        },
        AnyId::LoggedModelId(_) => return Ok(None),
        AnyId::ExperimentId(id) => match loader.load_one(id).await? {
            Some(experiment) => (Node::Experiment(experiment.clone()), experiment.project_id),
            None => return Ok(None),
        },
        AnyId::AliasId(id) => match loader.load_one(id).await? {
            Some(alias) => {
                let model = model::sql::load(ctx, &alias.model_id).await?;
                (Node::Alias(alias), model.project_id)
            }
            None => return Ok(None),
        },
        AnyId::EventId(id) => match loader.load_one(id).await? {
            Some(event) => match event.project_id.clone() {
                Some(project_id) => {
                    let reader = reader_of(ctx, &project_id).await?;
                    let maintainer = reader.check_sees(Role::Maintainer).is_ok();
                    let shown = maintainer || !event.is_for_maintainers();
                    return Ok(shown.then_some(Node::Event(event)));
                }
                None => return Ok(actor(ctx).is_admin().then_some(Node::Event(event))),
            },
            None => return Ok(None),
        },
    };
    let reader = reader_of(ctx, &project_id).await?;
    let is_deleted = reader.project().deleted_at_ms.is_some() || is_deleted(ctx, &node).await?;
    // The trash is for developers.
    let may_see = trashed == Trashed::Shown && reader.check_sees(Role::Developer).is_ok();
    Ok((!is_deleted || may_see).then_some(node))
}

/// Proof that the caller may read a project, for many of them in a few statements.
async fn reader_of(ctx: &Context<'_>, id: &ProjectId) -> Result<Reader> {
    let project = loaders(ctx).load_one(id.clone()).await?;
    let project = project.ok_or_else(|| Error::not_found("project", id.raw()))?;
    member::sql::reader_in(ctx, &project).await
}

/// Whether something, or the model that it is of, is in the trash.
async fn is_deleted(ctx: &Context<'_>, node: &Node) -> Result<bool> {
    let (own, model) = match node {
        Node::Model(model) => return Ok(model.deleted_at_ms.is_some()),
        Node::ModelVersion(version) => (version.deleted_at_ms, Some(&version.model_id)),
        Node::Candidate(candidate) => (candidate.deleted_at_ms, candidate.model_id.as_ref()),
        Node::Experiment(experiment) => (experiment.deleted_at_ms, experiment.model_id.as_ref()),
        Node::Alias(alias) => {
            let version = loaders(ctx).load_one(alias.version_id.clone()).await?;
            (version.and_then(|version| version.deleted_at_ms), Some(&alias.model_id))
        }
        _ => (None, None),
    };
    Ok(own.is_some()
        || match model {
            Some(id) => model::sql::load(ctx, id).await?.deleted_at_ms.is_some(),
            None => false,
        })
}
