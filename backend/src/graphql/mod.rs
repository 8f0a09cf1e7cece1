//! The GraphQL endpoint: the merged schema and its limits. How it is asked is in [`http`] and [`socket`].

mod answer;
mod cost;
mod embedded;
mod http;
mod persisted;
mod size;
mod socket;
mod sse;
pub mod subgraph;

use async_graphql::{
    Context, MergedObject, MergedSubscription, Object, Schema, SchemaBuilder, SimpleObject,
};

use crate::access;
use crate::access::allowance::Allowance;
use crate::app::App;
use crate::error::Result;
use crate::loader;
use crate::markdown::MarkdownQuery;
use crate::registry::catalog::alias::graphql::AliasMutation;
use crate::registry::catalog::blob::graphql::BlobQuery;
use crate::registry::catalog::file::graphql::FileMutation;
use crate::registry::catalog::model::graphql::ModelQuery;
use crate::registry::catalog::model::live::ModelSubscription;
use crate::registry::catalog::model::mutation::ModelMutation;
use crate::registry::catalog::project::graphql::ProjectQuery;
use crate::registry::catalog::project::mutation::ProjectMutation;
use crate::registry::catalog::protection::graphql::ProtectionMutation;
use crate::registry::catalog::upload::graphql::UploadQuery;
use crate::registry::catalog::version::mutation::VersionMutation;
use crate::registry::event::graphql::{EventMutation, EventQuery};
use crate::registry::lifecycle::placement::graphql::{PlacementMutation, PlacementQuery};
use crate::registry::lifecycle::trash::graphql::TrashMutation;
use crate::registry::metadata::tag::graphql::TagMutation;
use crate::registry::node::NodeQuery;
use crate::registry::people::embed_token::graphql::EmbedTokenMutation;
use crate::registry::people::invitation::graphql::{InvitationMutation, InvitationQuery};
use crate::registry::people::member::graphql::MemberMutation;
use crate::registry::people::session::graphql::SessionMutation;
use crate::registry::people::token::graphql::TokenMutation;
use crate::registry::people::user::graphql::UserQuery;
use crate::registry::people::user::mutation::UserMutation;
use crate::registry::replica::graphql::ReplicaQuery;
use crate::registry::tracking::candidate::graphql::CandidateMutation;
use crate::registry::tracking::candidate::live::CandidateSubscription;
use crate::registry::webhook::graphql::WebhookQuery;
use crate::registry::webhook::mutation::WebhookMutation;

const MAX_DEPTH: usize = 20;
const MAX_DIRECTIVES: usize = 10;
pub use http::routes;

/// How people can sign in.
#[derive(SimpleObject)]
struct SignInMethods {
    /// Whether they need to: not where the server was started with `--no-auth`, and everybody is its administrator.
    required: bool,
    /// Whether they can with a password.
    password: bool,
    /// Whether nobody has signed in as `admin` yet. If no password was chosen for it, the server printed one when it first
    /// started.
    awaits_admin: bool,
    /// Single sign-on; null if there is none.
    single_sign_on: Option<SingleSignOn>,
}

/// Sign-in at an OpenID provider.
#[derive(SimpleObject)]
struct SingleSignOn {
    /// What it is called, such as `Company account`.
    name: String,
    /// The address where it starts; `?next=/vision` is where it leads afterwards.
    url: String,
}

#[derive(Default)]
struct ServerQuery;

#[Object]
impl ServerQuery {
    /// The version of the program that answers, such as `0.1.0`.
    async fn server_version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// Whether the server has space for more files. Without space, uploads are refused with `NO_SPACE`; everything else works.
    async fn has_room(&self, ctx: &Context<'_>) -> Result<bool> {
        loader::loaders(ctx).loader().app.store.has_room()
    }

    /// What the operator of this registry allows you to do, in addition to your roles.
    async fn allowance(&self, ctx: &Context<'_>) -> Allowance {
        Allowance::of(&loader::loaders(ctx).loader().app.config.policy, access::actor(ctx))
    }

    /// How people can sign in here.
    async fn sign_in_methods(&self, ctx: &Context<'_>) -> Result<SignInMethods> {
        let App { config, db, .. } = &loader::loaders(ctx).loader().app;
        let admin = access::user::find_by_username(db, "admin").await?;
        let awaits_admin = admin.is_some_and(|admin| admin.last_seen_at_ms.is_none());
        let single_sign_on = config.oidc.issuer.as_ref().map(|_| SingleSignOn {
            name: config.oidc.name.clone(),
            url: format!("{}/auth/oidc/sign-in", config.base()),
        });
        Ok(SignInMethods {
            required: !config.no_auth,
            password: !config.no_password_sign_in,
            awaits_admin,
            single_sign_on,
        })
    }
}

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(
    ServerQuery,
    UserQuery,
    InvitationQuery,
    NodeQuery,
    ProjectQuery,
    ModelQuery,
    EventQuery,
    PlacementQuery,
    BlobQuery,
    ReplicaQuery,
    UploadQuery,
    WebhookQuery,
    MarkdownQuery,
);

/// All changes. Each mutation is one transaction.
#[derive(MergedObject, Default)]
pub struct Mutation(
    ProjectMutation,
    ModelMutation,
    VersionMutation,
    CandidateMutation,
    AliasMutation,
    TagMutation,
    EventMutation,
    FileMutation,
    TrashMutation,
    MemberMutation,
    ProtectionMutation,
    SessionMutation,
    TokenMutation,
    EmbedTokenMutation,
    UserMutation,
    InvitationMutation,
    PlacementMutation,
    WebhookMutation,
);

/// Live updates, over a WebSocket (`graphql-transport-ws`) or server-sent events.
#[derive(MergedSubscription, Default)]
pub struct Subscription(CandidateSubscription, ModelSubscription);

pub type RegistrySchema = Schema<Query, Mutation, Subscription>;

/// The schema with its limits.
pub fn schema() -> RegistrySchema {
    limited(Schema::build(Query::default(), Mutation::default(), Subscription::default())).finish()
}

/// A schema with the limits of all operations.
fn limited<Q, M, S>(builder: SchemaBuilder<Q, M, S>) -> SchemaBuilder<Q, M, S> {
    builder
        .limit_depth(MAX_DEPTH)
        .limit_recursive_depth(2 * MAX_DEPTH)
        .limit_directives(MAX_DIRECTIVES)
        .extension(cost::Cost)
        .extension(size::Size)
}

/// The schema as SDL: what `schema.graphql` holds.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().prefer_single_line_descriptions();
    let options = options.include_specified_by();
    schema().sdl_with_options(options)
}
