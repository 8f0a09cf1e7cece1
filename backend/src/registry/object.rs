//! What tags and files can be on: models, versions, candidates, logged models, experiments; and `node(id)`.

use async_graphql::{Context, ID, Interface, Object};

use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, Actor, Reader, Writer, actor};
use crate::change::Change;
use crate::db::{Conn, Query, Sql, Unmet};
use crate::error::{Error, Result};
use crate::id::{AnyId, ModelId, ProjectId};
use crate::loader::loaders;
use crate::log::Subject;
use crate::registry::alias::Alias;
use crate::registry::candidate::{self, Candidate};
use crate::registry::credential::{Token, token};
use crate::registry::event::Event;
use crate::registry::experiment::{self, Experiment};
use crate::registry::logged_model::{self, LoggedModel};
use crate::registry::member::Member;
use crate::registry::model::{self, Model};
use crate::registry::user;
use crate::registry::version::{self, ModelVersion};
use crate::role::Role;

/// Whatever has an opaque id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its opaque id."))]
pub enum Node {
    User(User),
    Token(Token),
    Member(Member),
    Project(Project),
    Model(Model),
    ModelVersion(ModelVersion),
    Candidate(Candidate),
    Experiment(Experiment),
    Alias(Alias),
    Event(Event),
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
        match find_node(ctx, &id).await {
            Err(Error::NotFound { .. }) => Ok(None),
            found => found,
        }
    }
}

async fn find_node(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let loader = loaders(ctx);
    let db = &loader.loader().app.db;
    // Each kind is looked up, then the project that it is in must be readable.
    let (node, project_id) = match AnyId::parse(id)? {
        AnyId::UserId(id) => {
            return Ok(user::find_visible(ctx, id).await?.map(Node::User));
        }
        AnyId::CredentialId(id) => {
            return Ok(token::find_visible(ctx, &id).await?.map(Node::Token));
        }
        AnyId::MemberId(id) => match loader.load_one(id).await? {
            Some(member) => {
                let reader = access::reader_of(db, actor(ctx), &member.project_id).await?;
                return Ok(reader.check_knows_members().is_ok().then_some(Node::Member(member)));
            }
            None => return Ok(None),
        },
        AnyId::ProjectId(id) => {
            let reader = access::reader_of(db, actor(ctx), &id).await?;
            return Ok(Some(Node::Project(reader.project().clone())));
        }
        AnyId::ModelId(id) => match loader.load_one(id).await? {
            Some(model) => (Node::Model(model.clone()), model.project_id),
            None => return Ok(None),
        },
        AnyId::VersionId(id) => match loader.load_one(id).await? {
            Some(version) => {
                let model = model::load(ctx, &version.model_id).await?;
                (Node::ModelVersion(version), model.project_id)
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
                let model = model::load(ctx, &alias.model_id).await?;
                (Node::Alias(alias), model.project_id)
            }
            None => return Ok(None),
        },
        AnyId::EventId(id) => match loader.load_one(id).await? {
            Some(event) => match event.project_id.clone() {
                Some(project_id) => {
                    let reader = access::reader_of(db, actor(ctx), &project_id).await?;
                    let maintainer = reader.check_sees(Role::Maintainer).is_ok();
                    let shown = maintainer || !event.is_for_maintainers();
                    return Ok(shown.then_some(Node::Event(event)));
                }
                None => return Ok(actor(ctx).is_admin().then_some(Node::Event(event))),
            },
            None => return Ok(None),
        },
    };
    let reader = access::reader_of(db, actor(ctx), &project_id).await?;
    // The trash is for developers.
    let shown = !is_deleted(ctx, &node).await? || reader.check_sees(Role::Developer).is_ok();
    Ok(shown.then_some(node))
}

/// Whether something, or the model that it is of, is in the trash.
async fn is_deleted(ctx: &Context<'_>, node: &Node) -> Result<bool> {
    let (own, model) = match node {
        Node::Model(model) => return Ok(model.deleted_at_ms.is_some()),
        Node::ModelVersion(version) => (version.deleted_at_ms, Some(&version.model_id)),
        Node::Candidate(candidate) => (candidate.deleted_at_ms, candidate.model_id.as_ref()),
        Node::Experiment(experiment) => (None, experiment.model_id.as_ref()),
        Node::Alias(alias) => (None, Some(&alias.model_id)),
        _ => (None, None),
    };
    Ok(own.is_some()
        || match model {
            Some(id) => model::load(ctx, id).await?.deleted_at_ms.is_some(),
            None => false,
        })
}

/// What tags, params, metrics and files can be filed under.
#[derive(Clone, Debug)]
pub enum Kind {
    Model(Model),
    Version(ModelVersion),
    Candidate(Candidate),
    LoggedModel(LoggedModel),
    Experiment(Experiment),
}

/// One of [`Kind`], and where it is.
#[derive(Clone, Debug)]
pub struct Target {
    /// As events name it: `vision/ocr@1.2.0`.
    pub name: String,
    pub project_id: ProjectId,
    pub model_id: Option<ModelId>,
    pub kind: Kind,
}

impl Target {
    pub fn model(project: &Project, model: Model) -> Self {
        Self {
            name: format!("{}/{}", project.path, model.name),
            project_id: project.id.clone(),
            model_id: Some(model.id.clone()),
            kind: Kind::Model(model),
        }
    }

    pub fn version(project: &Project, model: &Model, version: ModelVersion) -> Self {
        Self {
            name: format!("{}/{}@{}", project.path, model.name, version.version),
            project_id: project.id.clone(),
            model_id: Some(model.id.clone()),
            kind: Kind::Version(version),
        }
    }

    /// A candidate of the model of this name, or a run that belongs to none.
    pub fn candidate(project: &Project, model: Option<&str>, candidate: Candidate) -> Self {
        let name = match (model, candidate.number) {
            (Some(model), Some(number)) => {
                format!("{}/{model}/candidates/{number}", project.path)
            }
            _ => format!("{}/-/runs/{}", project.path, candidate.id.raw()),
        };
        Self {
            name,
            project_id: project.id.clone(),
            model_id: candidate.model_id.clone(),
            kind: Kind::Candidate(candidate),
        }
    }

    pub fn logged_model(project: &Project, model: LoggedModel) -> Self {
        Self {
            name: format!("{}/-/logged-models/{}", project.path, model.wire_id()),
            project_id: project.id.clone(),
            model_id: None,
            kind: Kind::LoggedModel(model),
        }
    }

    pub fn experiment(project: &Project, experiment: Experiment) -> Self {
        Self {
            name: format!("{}/-/experiments/{}", project.path, experiment.number),
            project_id: project.id.clone(),
            model_id: experiment.model_id.clone(),
            kind: Kind::Experiment(experiment),
        }
    }

    /// The raw id, as tags, params, metrics and files are filed under it.
    pub fn id(&self) -> &str {
        match &self.kind {
            Kind::Model(model) => model.id.raw(),
            Kind::Version(version) => version.id.raw(),
            Kind::Candidate(candidate) => candidate.id.raw(),
            Kind::LoggedModel(model) => model.id.raw(),
            Kind::Experiment(experiment) => experiment.id.raw(),
        }
    }

    /// The object as events name it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            name: self.name.clone(),
            project_id: Some(&self.project_id),
            model_id: self.model_id.as_ref(),
            object_id: self.id(),
        }
    }

    /// Marks the object as changed, which also locks it until the change is over.
    pub async fn touch(&self, change: &mut Change) -> Result<()> {
        match &self.kind {
            Kind::Model(model) => model::touch(change, &model.id).await,
            Kind::Version(version) => version::touch(change, &version.id).await,
            Kind::Candidate(candidate) => candidate::touch(change, &candidate.id).await,
            Kind::LoggedModel(model) => logged_model::touch(change, &model.id).await,
            Kind::Experiment(experiment) => experiment::touch(change, &experiment.id).await,
        }
    }
}

/// Has the change fail unless there is a row of `condition` when it is made.
pub async fn require(change: &mut Change, condition: Sql, unmet: Unmet) -> Result<()> {
    let mut sql = Sql::new("INSERT INTO objects (id) SELECT NULL WHERE NOT EXISTS (");
    sql.push_sql(condition).push(")");
    Ok(Query::from(sql).later_or(change, unmet).await?)
}

/// The model at `path`, or the version or candidate of it, and proof that the caller may read it.
pub async fn readable(
    conn: impl Into<Conn<'_>>,
    actor: &Actor,
    path: &str,
    version: Option<&str>,
    candidate: Option<i32>,
) -> Result<(Reader, Target)> {
    let mut conn = conn.into();
    let (reader, model) = model::readable(conn.again(), actor, path).await?;
    let project = reader.project();
    let target = match (version, candidate) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("candidate", "goes without version: name one of the two"));
        }
        (Some(reference), None) => {
            let version = version::get(conn, &model, reference).await?;
            Target::version(project, &model, version)
        }
        (None, Some(number)) => {
            let candidate = candidate::get(conn, &model, number.into()).await?;
            Target::candidate(project, Some(&model.name), candidate)
        }
        (None, None) => Target::model(project, model),
    };
    Ok((reader, target))
}

/// As [`readable`], with proof that the caller may write.
pub async fn writable(
    change: &mut Change,
    actor: &Actor,
    path: &str,
    version: Option<&str>,
    candidate: Option<i32>,
) -> Result<(Writer, Target)> {
    let (reader, target) = readable(&mut **change, actor, path, version, candidate).await?;
    Ok((Writer::of(reader)?, target))
}
