//! Who is calling, and the proofs that they may.
//!
//! Rules take a proof ([`Reader`], [`Writer`], [`Maintainer`], [`Owner`] of a project, [`Creator`],
//! [`Account`], [`Admin`]), and only this file can make one, so a rule cannot be called without the
//! check. What a caller may not see is not found, with the same words as what is not there.
//!
//! A person's role says how much of a project they see; what they may *do* is the role within the scope
//! of the token that they came with.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use async_graphql::Context;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::app::App;
use crate::db::{Conn, Sql};
use crate::error::{Error, Result};
use crate::id::{CredentialId, ProjectId, UserId};
use crate::loader::loaders;
use crate::network;
use crate::registry::credential::{self, CredentialKind, TokenScope, session};
use crate::registry::event::Change;
use crate::registry::member::{self, RoleIn};
use crate::registry::project::{self, Project, Role, Visibility};
use crate::registry::user::{self, User};

/// The name of the session cookie.
pub const SESSION_COOKIE: &str = "model_registry_session";

const SIGN_IN_FIRST: Error =
    Error::Unauthenticated("sign in first, or send a token: Authorization: Bearer TOKEN");

/// Who makes a request, and from where.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    /// The network address; none where there is no network.
    pub address: Option<IpAddr>,
    /// How the client names itself: its `User-Agent`.
    pub client: Option<String>,
    caller: Option<Caller>,
}

/// Somebody who was recognised.
#[derive(Clone, Debug)]
struct Caller {
    user: Arc<User>,
    /// None with `--no-auth`.
    credential: Option<CredentialId>,
    kind: CredentialKind,
    scope: TokenScope,
}

impl Caller {
    /// A person who sent their password along; no browser does that by itself.
    fn by_password(user: User) -> Self {
        Self {
            user: Arc::new(user),
            credential: None,
            kind: CredentialKind::Token,
            scope: TokenScope::Admin,
        }
    }
}

impl Actor {
    /// Reads `Authorization: Bearer TOKEN`, or `Basic` (RFC 7617: what MLflow and git-like clients send)
    /// with any user name and the token as password, or a person's own two; or else the session cookie.
    /// What is wrong, expired or revoked is an error; a stale cookie is nobody.
    pub async fn of_request(app: &App, request: &Parts) -> Result<Self> {
        let headers = &request.headers;
        let mut actor = Self::of_network(app, request);
        if app.config.no_auth {
            actor.caller = Some(everybody_is_admin(app, headers).await?);
            return Ok(actor);
        }
        let found = match (headers.get(AUTHORIZATION), cookie(headers, SESSION_COOKIE)) {
            (Some(value), _) => {
                let given = value.to_str().ok().and_then(authorization);
                let found = match &given {
                    Some((_, secret)) => {
                        credential::find_by_secret(app, CredentialKind::Token, secret).await?
                    }
                    None => None,
                };
                if let (None, Some((Some(username), password))) = (&found, given)
                    && let Some(user) =
                        session::find_by_password(app, &actor, &username, password).await?
                {
                    actor.caller = Some(Caller::by_password(user));
                    return Ok(actor);
                }
                Some(found.ok_or(Error::Unauthenticated(
                    "the token is not valid: send Authorization: Bearer TOKEN with one that was \
                     not revoked and has not expired",
                ))?)
            }
            (None, Some(secret)) => {
                credential::find_by_secret(app, CredentialKind::Session, secret).await?
            }
            (None, None) => None,
        };
        actor.caller = found.map(|found| Caller {
            user: Arc::new(found.user),
            credential: Some(found.credential_id),
            kind: found.kind,
            scope: found.scope,
        });
        Ok(actor)
    }

    /// Whoever is at the other end, not recognised.
    pub fn of_network(app: &App, request: &Parts) -> Self {
        let client = request
            .headers
            .get("user-agent")
            .map(|name| String::from_utf8_lossy(name.as_bytes()).chars().take(255).collect());
        Self { address: network::client_address(&app.config, request), client, caller: None }
    }

    /// A person who has just been recognised otherwise, such as by their password.
    pub fn recognised(&self, user: User) -> Self {
        let caller = Caller {
            user: Arc::new(user),
            credential: None,
            kind: CredentialKind::Session,
            scope: TokenScope::Admin,
        };
        Self { caller: Some(caller), ..self.clone() }
    }

    /// Who it is, or an error that asks to sign in.
    pub fn user(&self) -> Result<&User> {
        self.caller.as_ref().map(|caller| &*caller.user).ok_or(SIGN_IN_FIRST)
    }

    /// The network that they come from, as far as what they do too often is counted.
    pub fn network(&self) -> String {
        self.address.map(network::of).unwrap_or_default()
    }

    /// The session or token that they came with.
    pub fn credential(&self) -> Option<&CredentialId> {
        self.caller.as_ref().and_then(|caller| caller.credential.as_ref())
    }

    /// The session that the request is part of.
    pub fn session(&self) -> Option<&CredentialId> {
        self.credential().filter(|_| self.is_by_cookie())
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
        match &self.caller {
            Some(caller) if caller.user.is_admin => Sql::new("TRUE"),
            Some(caller) => member::readable(project_column, &caller.user),
            None => member::public(project_column),
        }
    }

    /// What the caller may see of a project, given the role of their membership; nothing where the
    /// project does not exist for them.
    fn role(&self, project: &Project, membership: Option<Role>) -> Option<Role> {
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

    fn person(&self, needs: TokenScope) -> Result<&User> {
        let user = self.user()?;
        if user.is_robot() {
            return Err(Error::Forbidden("a project token cannot: this needs a person"));
        }
        if self.scope() < needs { Err(SCOPE) } else { Ok(user) }
    }
}

const SCOPE: Error = Error::Forbidden(
    "the scope of this token is too small: READ only reads, WRITE changes models, ADMIN also \
     members, tokens and settings",
);

/// With `--no-auth` everybody who reaches the loopback address is the administrator. Only by its own
/// names: a page of another site could have its own name lead here (DNS rebinding).
async fn everybody_is_admin(app: &App, headers: &HeaderMap) -> Result<Caller> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = host.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    let host = host.unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
        return Err(Error::Forbidden("with --no-auth the server is reached as localhost only"));
    }
    let user = user::find_by_username(&app.db, "admin").await?;
    let user = user.ok_or_else(|| Error::internal("there is no admin"))?;
    Ok(Caller {
        user: Arc::new(user),
        credential: None,
        kind: CredentialKind::Session,
        scope: TokenScope::Admin,
    })
}

/// The secret in the value of `Authorization`, and the user name where there is one.
fn authorization(value: &str) -> Option<(Option<String>, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((None, rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    pair.split_once(':').map(|(name, secret)| (Some(name.to_owned()), secret.to_owned()))
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Who makes this GraphQL request.
pub fn actor<'a>(ctx: &Context<'a>) -> &'a Actor {
    ctx.data_unchecked()
}

const NOT_FOR_YOUR_ROLE: Error = Error::Forbidden("this is not shown to your role in the project");

/// Proof that the caller may read a project.
#[derive(Clone, Debug)]
pub struct Reader {
    project: Project,
    role: Role,
    /// None of nobody.
    scope: Option<TokenScope>,
    /// The robot of another project, which is in this one as nobody is.
    is_foreign: bool,
}

impl Reader {
    fn of(reader: Self) -> Result<Self> {
        Ok(reader)
    }

    pub fn project(&self) -> &Project {
        &self.project
    }

    /// What the caller may do.
    pub fn role(&self) -> Role {
        self.role.min(self.scope.unwrap_or(TokenScope::Read).most())
    }

    /// Refuses to show who is here to strangers, whom a public project lets in.
    pub fn check_knows_members(&self) -> Result<()> {
        match self.scope {
            None => Err(SIGN_IN_FIRST),
            Some(_) if self.is_foreign => Err(NOT_FOR_YOUR_ROLE),
            Some(_) => Ok(()),
        }
    }

    /// Refuses to show what is for those who have `role`, whatever the scope of their token.
    pub fn check_sees(&self, role: Role) -> Result<()> {
        match self.role >= role {
            true => Ok(()),
            false if self.scope.is_none() => Err(SIGN_IN_FIRST),
            false => Err(NOT_FOR_YOUR_ROLE),
        }
    }
}

macro_rules! stronger_proofs {
    ($($(#[$doc:meta])* $name:ident -> $weaker:ident, $function:ident, $role:ident, $needs:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($weaker);

        impl Deref for $name {
            type Target = $weaker;

            fn deref(&self) -> &$weaker {
                &self.0
            }
        }

        impl $name {
            /// Checks that whoever may read also has the role that this proves, within their scope.
            pub fn of(reader: Reader) -> Result<Self> {
                if reader.scope.is_none() {
                    return Err(SIGN_IN_FIRST);
                }
                if reader.role < Role::$role {
                    return Err(Error::Forbidden($needs));
                }
                if reader.role() < Role::$role {
                    return Err(SCOPE);
                }
                $weaker::of(reader).map(Self)
            }
        }

        /// Checks the caller's role in the project at `path`.
        pub async fn $function(conn: impl Into<Conn<'_>>, actor: &Actor, path: &str) -> Result<$name> {
            $name::of(reader(conn, actor, path).await?)
        }
    )*};
}

stronger_proofs! {
    /// Proof that the caller may change a project's models.
    Writer -> Reader, writer, Developer, "this needs the role DEVELOPER in the project";
    /// Proof that the caller may manage a project.
    Maintainer -> Writer, maintainer, Maintainer, "this needs the role MAINTAINER in the project";
    /// Proof that the caller may do with a project whatever they want.
    Owner -> Maintainer, owner, Owner, "this needs the role OWNER in the project";
}

/// Checks that the caller may read the project at `path`.
pub async fn reader(conn: impl Into<Conn<'_>>, actor: &Actor, path: &str) -> Result<Reader> {
    let found = project::find_with_role(conn, path, user_id(actor)).await?;
    prove(actor, found, path)
}

/// As [`maintainer`], and holds the project: whoever takes their role away does so before or after this.
pub async fn lone_maintainer(change: &mut Change, actor: &Actor, path: &str) -> Result<Maintainer> {
    let before = maintainer(&mut **change, actor, path).await?;
    project::touch(change, &before.project().id).await?;
    maintainer(&mut **change, actor, path).await
}

/// Checks that the caller may read the project with this id.
pub async fn reader_of(conn: impl Into<Conn<'_>>, actor: &Actor, id: &ProjectId) -> Result<Reader> {
    let found = project::find_by_id_with_role(conn, id, user_id(actor)).await?;
    prove(actor, found, id.raw())
}

/// Checks that the caller owns a project that is in the trash.
pub async fn owner_of_deleted(
    conn: impl Into<Conn<'_>>,
    actor: &Actor,
    project: Project,
) -> Result<Owner> {
    let membership = match user_id(actor) {
        Some(user) => member::role_of(conn, &project.id, user).await?,
        None => None,
    };
    let path = project.path.clone();
    // For everybody else it is not there.
    match actor.role(&project, membership) {
        Some(Role::Owner) => Owner::of(prove(actor, Some((project, membership)), &path)?),
        _ => Err(Error::not_found("deleted project", path)),
    }
}

/// As [`reader_of`], for a project that a resolver has at hand.
pub async fn reader_in(ctx: &Context<'_>, project: &Project) -> Result<Reader> {
    let actor = actor(ctx);
    let membership = match user_id(actor) {
        Some(user) if !actor.is_admin() => {
            let key = RoleIn { project: project.id.clone(), user: user.clone() };
            loaders(ctx).load_one(key).await?
        }
        _ => None,
    };
    prove(actor, Some((project.clone(), membership)), &project.path)
}

fn user_id(actor: &Actor) -> Option<&UserId> {
    actor.caller.as_ref().map(|caller| &caller.user.id)
}

fn prove(actor: &Actor, found: Option<(Project, Option<Role>)>, key: &str) -> Result<Reader> {
    if let Some((project, membership)) = found
        && let Some(role) = actor.role(&project, membership)
        // What is in the trash is there for its owners.
        && (project.deleted_at_ms.is_none() || role == Role::Owner)
    {
        let caller = actor.caller.as_ref();
        let scope = caller.map(|caller| caller.scope);
        let robot = caller.is_some_and(|caller| caller.user.is_robot());
        return Ok(Reader { project, role, scope, is_foreign: robot && membership.is_none() });
    }
    Err(Error::not_found("project", key))
}

/// Proof that the caller may make projects.
pub struct Creator(());

/// Checks that the caller is a person whose token may write.
pub fn creator(actor: &Actor) -> Result<Creator> {
    actor.person(TokenScope::Write).map(|_| Creator(()))
}

/// Proof that the caller may see who else is here.
pub struct Person(());

/// Checks that the caller is a person.
pub fn person(actor: &Actor) -> Result<Person> {
    actor.person(TokenScope::Read).map(|_| Person(()))
}

/// Proof that the caller may manage their own account.
pub struct Account(User);

impl Account {
    pub fn user(&self) -> &User {
        &self.0
    }
}

/// Checks that the caller is a person who came with a session or a token that may everything.
pub fn account(actor: &Actor) -> Result<Account> {
    actor.person(TokenScope::Admin).cloned().map(Account)
}

/// Proof that the caller may manage the whole registry.
pub struct Admin(());

/// Checks that the caller is an administrator.
pub fn admin(actor: &Actor) -> Result<Admin> {
    if !actor.person(TokenScope::Read)?.is_admin {
        return Err(Error::Forbidden("this needs an administrator"));
    }
    actor.person(TokenScope::Admin).map(|_| Admin(()))
}

/// Proof that the caller may see everything.
pub struct Auditor(());

/// Checks that the caller is an administrator, whatever the scope: this only reads.
pub fn auditor(actor: &Actor) -> Result<Auditor> {
    actor.user()?;
    if actor.is_admin() {
        Ok(Auditor(()))
    } else {
        Err(Error::Forbidden("this needs an administrator"))
    }
}
