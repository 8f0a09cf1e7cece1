//! Who makes a request: recognised by a token, a password or a session cookie. Says nothing about what they
//! may do in a project; that are the proofs.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::Context;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use headers::HeaderMapExt;
use headers::authorization::{Authorization, Basic, Bearer};
use serde::{Deserialize, Serialize};

use super::cache::AccessCache;
use super::credential::{Recognised, hash_secret};
use super::embed::{self, Embed};
use super::project::Project;
use super::session::{cookie, session_name};
use super::user::{self, User};
use super::{Access, SCOPE, SIGN_IN_FIRST, credential, member, password};
use crate::db::{Conn, Sql};
use crate::deprecation::Deprecations;
use crate::error::{Error, Result};
use crate::id::{CredentialId, ModelId, UserId};
use crate::log::By;
use crate::network;
use crate::role::{CredentialKind, Role, TokenScope, Visibility};
use crate::time::Timestamp;

const ONLY_EMBEDS: Error = Error::Forbidden(
    "An embed token can only read: with GraphQL over HTTP, cards, badges, feeds and, if it was made so, files.",
);

/// Who makes this GraphQL request.
pub fn actor<'a>(ctx: &Context<'a>) -> &'a Actor {
    ctx.data_unchecked()
}

/// Who makes a request, and from where.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    /// The network address; none where there is no network.
    pub address: Option<IpAddr>,
    /// How the client names itself: its `User-Agent`.
    pub client: Option<String>,
    /// What the answer says besides.
    pub deprecations: Arc<Deprecations>,
    pub(super) caller: Option<Caller>,
    /// The embed token that they came with.
    pub(super) embed: Option<Arc<Embed>>,
    pub(super) cache: Arc<AccessCache>,
}

/// Somebody who was recognised.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: Arc<User>,
    /// None with `--no-auth`.
    credential: Option<CredentialId>,
    kind: CredentialKind,
    pub(super) scope: TokenScope,
    expires_at: Option<Timestamp>,
    /// The state of who may what in which they were recognised, where it is known.
    generation: Option<u64>,
}

impl Caller {
    /// A person who is there without a credential.
    fn without_credential(user: User, kind: CredentialKind, generation: Option<u64>) -> Self {
        Self {
            user: Arc::new(user),
            credential: None,
            kind,
            scope: TokenScope::Admin,
            expires_at: None,
            generation,
        }
    }
}

/// What somebody showed when they asked for something that they come back with.
#[derive(Serialize, Deserialize)]
pub enum Shown {
    /// The raw id of a token or session.
    Credential(String),
    /// The raw id of the person, and what their password was, as a hash of its hash.
    Password(String, String),
    /// Nothing, with `--no-auth`.
    NoAuth(String),
}

impl From<Recognised> for Caller {
    fn from(found: Recognised) -> Self {
        Self {
            user: Arc::new(found.user),
            credential: Some(found.credential_id),
            kind: found.kind,
            scope: found.scope,
            expires_at: found.expires_at_ms,
            generation: found.generation,
        }
    }
}

impl Actor {
    /// What they have shown; nothing if they are nobody.
    pub fn shown(&self) -> Option<Shown> {
        let caller = self.caller.as_ref()?;
        Some(match &caller.credential {
            Some(id) => Shown::Credential(id.raw().to_owned()),
            None if caller.kind == CredentialKind::Session => {
                Shown::NoAuth(caller.user.id.raw().to_owned())
            }
            None => {
                let User { id, password_hash, .. } = &*caller.user;
                Shown::Password(id.raw().to_owned(), hash_secret(password_hash))
            }
        })
    }

    /// Whoever comes back with what they showed before, if it is still good: a token or session that is live, or a password
    /// that is the same. They come from where the request does.
    pub async fn again(access: &Access, request: &Parts, shown: &Shown) -> Result<Option<Self>> {
        let caller = match shown {
            Shown::Credential(id) => {
                let id = CredentialId::from_raw(id);
                let found = credential::find_live(&access.db, &id, access.clock.now()).await?;
                found.map(Caller::from)
            }
            Shown::NoAuth(id) if access.config.no_auth => {
                let user = user::find_by_id(&access.db, &UserId::from_raw(id)).await?;
                user.map(|user| Caller::without_credential(user, CredentialKind::Session, None))
            }
            Shown::NoAuth(_) => None,
            Shown::Password(..) if access.config.no_password_sign_in => None,
            Shown::Password(id, digest) => {
                let user = user::find_by_id(&access.db, &UserId::from_raw(id)).await?;
                let user = user.filter(|user| {
                    user.blocked_at_ms.is_none()
                        && user.deleted_at_ms.is_none()
                        && hash_secret(&user.password_hash) == *digest
                });
                user.map(|user| Caller::without_credential(user, CredentialKind::Token, None))
            }
        };
        let here = Self::of_network(access, request);
        Ok(caller.map(|caller| Self { caller: Some(caller), ..here }))
    }

    /// Reads `Authorization: Bearer TOKEN`, or `Basic` (RFC 7617: what MLflow and git-like clients send)
    /// with any username and the token as password, or a person's own two; or else the session cookie.
    /// What is wrong, expired or revoked is an error; a stale cookie is nobody.
    pub async fn of_request(access: &Access, request: &Parts) -> Result<Self> {
        let headers = &request.headers;
        let mut actor = Self::of_network(access, request);
        if access.config.no_auth {
            actor.caller = Some(everybody_is_admin(access, headers).await?);
            return Ok(actor);
        }
        let found = match (
            headers.get(AUTHORIZATION),
            cookie(headers, &session_name(&access.config)),
        ) {
            (Some(_), _) => {
                let given = authorization(headers);
                if given.as_ref().is_some_and(|(_, secret)| secret.starts_with(embed::PREFIX)) {
                    return Err(ONLY_EMBEDS);
                }
                let found = match &given {
                    Some((_, secret)) => {
                        credential::find_by_secret(access, CredentialKind::Token, secret).await?
                    }
                    None => None,
                };
                if let (None, Some((Some(username), password))) = (&found, given)
                    && let Some(user) =
                        password::find_by_password(access, &actor, &username, password).await?
                {
                    // Taken for a token: no browser sends a password by itself.
                    actor.caller =
                        Some(Caller::without_credential(user, CredentialKind::Token, None));
                    return Ok(actor);
                }
                Some(found.ok_or(Error::Unauthenticated(
                    "The token is not valid. Send Authorization: Bearer TOKEN with a token that was \
                     not revoked and has not expired.",
                ))?)
            }
            (None, Some(secret)) => {
                credential::find_by_secret(access, CredentialKind::Session, &secret).await?
            }
            (None, None) => None,
        };
        actor.caller = found.map(Caller::from);
        Ok(actor)
    }

    /// Whoever is at the other end, not recognised.
    pub fn of_network(access: &Access, request: &Parts) -> Self {
        let client = request
            .headers
            .get("user-agent")
            .map(|name| String::from_utf8_lossy(name.as_bytes()).chars().take(255).collect());
        let address = network::client_address(&access.config, request);
        Self {
            address,
            client,
            deprecations: Arc::default(),
            caller: None,
            embed: None,
            cache: access.cache.clone(),
        }
    }

    /// A person who has just been recognised otherwise, such as by their password.
    pub fn recognised(&self, user: User) -> Self {
        let caller = Caller::without_credential(user, CredentialKind::Session, None);
        Self { caller: Some(caller), ..self.clone() }
    }

    /// Who it is, or an error that asks to sign in.
    pub fn user(&self) -> Result<&User> {
        self.caller.as_ref().map(|caller| &*caller.user).ok_or(SIGN_IN_FIRST)
    }

    /// Who they are to the log.
    pub fn by(&self) -> By {
        By {
            user: self.user().ok().map(|user| user.id.clone()),
            credential: self.credential().cloned(),
            address: self.address,
        }
    }

    /// The network that they come from, as far as what they do too often is counted.
    pub fn network(&self) -> String {
        self.address.map(network::of).unwrap_or_default()
    }

    /// Who they are, as far as what they have at once or do too often is counted: a person, or a stranger's network.
    pub fn counted_as(&self) -> String {
        self.user().map_or_else(|_| self.network(), |user| user.id.raw().to_owned())
    }

    /// The session or token that they came with.
    pub fn credential(&self) -> Option<&CredentialId> {
        self.caller.as_ref().and_then(|caller| caller.credential.as_ref())
    }

    /// The session that the request is part of.
    pub fn session(&self) -> Option<&CredentialId> {
        self.credential().filter(|_| self.is_by_cookie())
    }

    /// The embed token that they came with: with it they are nobody, who can read one project.
    pub fn embed(&self) -> Option<&Embed> {
        self.embed.as_deref()
    }

    /// Refuses to show a model that an embed token is not for, as if it were not there.
    pub fn check_shows(&self, model: &ModelId) -> Result<()> {
        match self.embed() {
            Some(embed) if !embed.shows(model) => Err(Error::not_found("model", model.raw())),
            _ => Ok(()),
        }
    }

    /// Whether a browser sent what says who it is by itself, as it does for any site's page.
    pub fn is_by_cookie(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.kind == CredentialKind::Session)
    }

    /// Whether they may see everything: an administrator, whatever the scope.
    pub fn is_admin(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.user.is_admin)
    }

    /// Whether what only the person and administrators see may be shown.
    pub fn may_see_account_of(&self, user: &UserId) -> bool {
        self.is_admin() || self.caller.as_ref().is_some_and(|caller| caller.user.id == *user)
    }

    /// Whether it is certain that nothing has changed since they were recognised.
    pub fn is_unchanged(&self, generation: Option<u64>, now: Timestamp) -> bool {
        self.caller.as_ref().is_some_and(|caller| {
            generation.is_some()
                && caller.generation == generation
                && caller.expires_at.is_none_or(|expires_at| expires_at > now)
        })
    }

    /// Refuses tokens that only read.
    pub fn check_may_write(&self) -> Result<()> {
        self.user()?;
        if self.scope() < TokenScope::Write {
            return Err(SCOPE);
        }
        Ok(())
    }

    /// The condition, over a column that holds a project's id, that the caller may read the project.
    pub fn may_read(&self, project_column: &str) -> Sql {
        if let Some(embed) = &self.embed {
            return Sql::new(format!("{project_column} = ?")).bind(&embed.project_id);
        }
        match &self.caller {
            Some(caller) if caller.user.is_admin => Sql::new("TRUE"),
            Some(caller) => member::readable(project_column, &caller.user),
            None => member::public(project_column),
        }
    }

    /// What the caller may see of a project, given the role of their membership; nothing where the
    /// project does not exist for them.
    pub(super) fn role(&self, project: &Project, membership: Option<Role>) -> Option<Role> {
        if let Some(embed) = &self.embed {
            return (embed.project_id == project.id).then_some(Role::Guest);
        }
        if self.is_admin() {
            return Some(Role::Owner);
        }
        // A robot is in its project only; elsewhere it is a stranger.
        let person = self.caller.as_ref().is_some_and(|caller| !caller.user.is_robot());
        let open = match project.visibility {
            Visibility::Public => true,
            Visibility::Internal => person,
            Visibility::Private => false,
        };
        membership.max(open.then_some(Role::Guest))
    }

    fn scope(&self) -> TokenScope {
        self.caller.as_ref().map_or(TokenScope::Read, |caller| caller.scope)
    }

    pub(super) fn person(&self, needs: TokenScope) -> Result<&User> {
        let user = self.user()?;
        if user.is_robot() {
            return Err(Error::Forbidden(
                "A project token can't do this. Sign in, or use a personal token.",
            ));
        }
        if self.scope() < needs { Err(SCOPE) } else { Ok(user) }
    }
}

/// With `--no-auth` everybody who reaches the loopback address is the administrator. Only by its own
/// names: a page of another site could have its own name lead here (DNS rebinding).
async fn everybody_is_admin(access: &Access, headers: &HeaderMap) -> Result<Caller> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = host.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    let host = host.unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
        return Err(Error::Forbidden(
            "With --no-auth the server can only be used as localhost. Open it at its localhost address.",
        ));
    }
    let generation = Conn::from(&access.db).access_generation();
    let user = match access.cache.users.get(generation, "admin") {
        Some(user) => user,
        None => {
            let user = user::find_by_username(&access.db, "admin").await?;
            access.cache.users.keep(generation, "admin".to_owned(), user.as_ref());
            user
        }
    };
    let user = user.ok_or_else(|| Error::internal("there is no admin"))?;
    Ok(Caller::without_credential(user, CredentialKind::Session, generation))
}

/// The secret that `Authorization` gives, and the username where there is one.
fn authorization(headers: &HeaderMap) -> Option<(Option<String>, String)> {
    if let Some(Authorization(bearer)) = headers.typed_get::<Authorization<Bearer>>() {
        return Some((None, bearer.token().trim().to_owned()));
    }
    let Authorization(basic) = headers.typed_get::<Authorization<Basic>>()?;
    Some((Some(basic.username().to_owned()), basic.password().to_owned()))
}
