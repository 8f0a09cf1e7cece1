//! Who is calling, and the proofs that they may.
//!
//! Rules take a proof ([`Reader`], [`Writer`], [`Maintainer`] of a project, [`Admin`]), and only this
//! file can make one, so a rule cannot be called without the check. What a caller may not see is not
//! found, with the same words as what is not there.

use std::ops::Deref;
use std::sync::Arc;

use async_graphql::Context;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};

use crate::app::App;
use crate::db::{Conn, Sql};
use crate::error::{Error, Result};
use crate::id::{CredentialId, ProjectId};
use crate::registry::credential::{self, CredentialKind};
use crate::registry::project::{self, Project, Role};
use crate::registry::user::User;

/// The name of the session cookie.
pub const SESSION_COOKIE: &str = "model_registry_session";

/// Who makes a request.
#[derive(Clone, Debug)]
pub enum Actor {
    Anonymous,
    User { user: Arc<User>, credential: CredentialId, by_cookie: bool },
}

impl Actor {
    /// Reads the `Authorization: Bearer TOKEN` header or else the session cookie. A token that is
    /// wrong, expired or revoked is an error; a stale cookie is nobody.
    pub async fn of_request(app: &App, headers: &HeaderMap) -> Result<Self> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            let token = value
                .to_str()
                .ok()
                .and_then(|value| value.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, token)| token.trim());
            let found = match token {
                Some(token) => {
                    credential::find_by_secret(app, CredentialKind::Token, token).await?
                }
                None => None,
            };
            return match found {
                Some((user, credential)) => {
                    Ok(Self::User { user: Arc::new(user), credential, by_cookie: false })
                }
                None => Err(Error::Unauthenticated(
                    "the token is not valid: send Authorization: Bearer TOKEN with one that was \
                     not revoked and has not expired",
                )),
            };
        }
        if let Some(secret) = session_secret(headers)
            && let Some((user, credential)) =
                credential::find_by_secret(app, CredentialKind::Session, secret).await?
        {
            return Ok(Self::User { user: Arc::new(user), credential, by_cookie: true });
        }
        Ok(Self::Anonymous)
    }

    /// The person, or an error that asks to sign in.
    pub fn user(&self) -> Result<&User> {
        match self {
            Self::User { user, .. } => Ok(user),
            Self::Anonymous => Err(Error::Unauthenticated(
                "sign in first, or send a token: Authorization: Bearer TOKEN",
            )),
        }
    }

    /// The condition, over a column that holds a project's id, that the caller may read the project.
    pub fn may_read(&self, _project_column: &str) -> Result<Sql> {
        Ok(Sql::new(if self.user()?.is_admin { "TRUE" } else { "FALSE" }))
    }

    /// What the caller may do in a project; nothing where they may not even see it.
    pub fn role_in(&self, _project: &Project) -> Result<Option<Role>> {
        Ok(self.user()?.is_admin.then_some(Role::Owner))
    }
}

fn session_secret(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, secret)| secret)
}

/// Who makes this GraphQL request.
pub fn actor<'a>(ctx: &Context<'a>) -> &'a Actor {
    ctx.data_unchecked()
}

/// Proof that the caller may read a project.
#[derive(Clone, Debug)]
pub struct Reader {
    project: Project,
    role: Role,
}

impl Reader {
    fn of(reader: Self) -> Result<Self> {
        Ok(reader)
    }

    pub fn project(&self) -> &Project {
        &self.project
    }

    pub fn role(&self) -> Role {
        self.role
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
            /// Checks that whoever may read also has the role that this proves.
            pub fn of(reader: Reader) -> Result<Self> {
                if reader.role < Role::$role {
                    return Err(Error::Forbidden($needs));
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
}

/// Checks that the caller may read the project at `path`.
pub async fn reader(conn: impl Into<Conn<'_>>, actor: &Actor, path: &str) -> Result<Reader> {
    actor.user()?;
    let project = project::find(conn, path).await?;
    prove(actor, project, path)
}

/// Checks that the caller may read the project with this id.
pub async fn reader_of(conn: impl Into<Conn<'_>>, actor: &Actor, id: &ProjectId) -> Result<Reader> {
    actor.user()?;
    let project = project::find_by_id(conn, id).await?;
    prove(actor, project, id.raw())
}

fn prove(actor: &Actor, project: Option<Project>, key: &str) -> Result<Reader> {
    if let Some(project) = project
        && let Some(role) = actor.role_in(&project)?
    {
        return Ok(Reader { project, role });
    }
    Err(Error::not_found("project", key))
}

/// Proof that the caller may manage the whole registry.
pub struct Admin(());

/// Checks that the caller is an administrator.
pub fn admin(actor: &Actor) -> Result<Admin> {
    if actor.user()?.is_admin {
        Ok(Admin(()))
    } else {
        Err(Error::Forbidden("this needs an administrator"))
    }
}
