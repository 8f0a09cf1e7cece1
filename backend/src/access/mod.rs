//! Who is calling, and the proofs that they may.
//!
//! Rules take a proof ([`Reader`], [`Writer`], [`Maintainer`], [`Owner`] of a project, [`Creator`],
//! [`Account`], [`Admin`]), and only this file can make one, so a rule cannot be called without the
//! check. What a caller may not see is not found, with the same words as what is not there.
//!
//! A person's role says how much of a project they see; what they may *do* is the role within the scope
//! of the token that they came with.

mod actor;
pub mod allowance;
mod cache;
pub mod credential;
pub mod embed;
pub mod guesses;
pub mod member;
pub mod password;
pub mod project;
pub mod session;
pub mod user;

use std::ops::Deref;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use cache::AccessCache;
use password::Passwords;
use project::Project;
use user::User;

use crate::config::Serve;
use crate::db::{Conn, Db};
use crate::deprecation::Deprecation;
use crate::error::{Error, Result};
use crate::id::{ProjectId, UserId};
use crate::role::{Role, TokenScope};
use crate::time::Clock;

pub use actor::{Actor, Shown, actor};

/// In the context of an operation that must not change anything, whoever asks.
pub struct ReadOnly;

/// What deciding needs: it reads, and notes when somebody was seen. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    pub db: Db,
    pub config: Arc<Serve>,
    pub clock: Clock,
    pub cache: Arc<AccessCache>,
    pub passwords: Arc<Passwords>,
    /// What goes on beside the answers.
    pub beside: TaskTracker,
}

impl Access {
    pub fn new(db: Db, config: Arc<Serve>, clock: Clock, beside: TaskTracker) -> Self {
        Self { db, config, clock, cache: Arc::default(), passwords: Arc::default(), beside }
    }
}

const SIGN_IN_FIRST: Error =
    Error::Unauthenticated("Sign in, or send a token: Authorization: Bearer TOKEN");

const SCOPE: Error = Error::Forbidden(
    "The scope of this token doesn't allow this. READ can only read, WRITE can change models, ADMIN can also change \
     members, tokens and settings.",
);

const NOT_FOR_YOUR_ROLE: Error = Error::Forbidden(
    "Your role in the project doesn't allow you to see this. Ask a maintainer of the project.",
);

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

    /// The project.
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

/// Checks that the caller may read the project at `path`. Where it has another path by now, the answer says so.
pub async fn reader(conn: impl Into<Conn<'_>>, actor: &Actor, path: &str) -> Result<Reader> {
    let reader = reader_around(conn, actor, path).await?;
    match actor.embed().and_then(|embed| embed.models.as_ref()) {
        Some(_) => Err(Error::not_found("project", path)),
        None => Ok(reader),
    }
}

/// As [`reader`], also for a caller who may see only some of its models: which, [`Actor::check_shows`] says.
pub async fn reader_around(conn: impl Into<Conn<'_>>, actor: &Actor, path: &str) -> Result<Reader> {
    let (mut conn, user) = (conn.into(), user_id(actor));
    let generation = conn.access_generation();
    let key = format!("{}\0{path}", user.map_or("", UserId::raw));
    let found = match actor.cache.projects.get(generation, &key) {
        Some(found) => found,
        None => {
            let found = project::find_with_role(conn.again(), path, user).await?;
            actor.cache.projects.keep(generation, key, found.as_ref());
            found
        }
    };
    let reader = prove(actor, found, path)?;
    if reader.project.path != path
        && let Some(since) = project::had_path_until(conn, &reader.project, path).await?
    {
        actor.deprecations.add(Deprecation::renamed(path, &reader.project.path, since));
    }
    Ok(reader)
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

fn user_id(actor: &Actor) -> Option<&UserId> {
    actor.caller.as_ref().map(|caller| &caller.user.id)
}

/// Checks that the caller may read a project, of which their membership is known.
pub fn reader_with(actor: &Actor, project: &Project, membership: Option<Role>) -> Result<Reader> {
    prove(actor, Some((project.clone(), membership)), &project.path)
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
        return Err(Error::Forbidden("Only administrators can do this."));
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
        Err(Error::Forbidden("Only administrators can do this."))
    }
}
