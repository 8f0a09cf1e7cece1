//! People and their passwords.
//!
//! Never stores a password: only its argon2id hash.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};

use crate::app::App;
use crate::auth::actor;
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{UserId, random_text};
use crate::loader::{load_by_id, loaders};
use crate::page::LOOK_UP;
use crate::registry::credential::{self, Token};
use crate::time::Timestamp;

/// Longer ones would only keep the hash busy.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// A person who uses the registry.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct User {
    #[graphql(skip)]
    pub id: UserId,
    /// The name to sign in with.
    pub username: String,
    /// The name to show.
    pub name: String,
    #[graphql(skip)]
    pub password_hash: String,
    /// Whether they manage the whole registry.
    pub is_admin: bool,
    /// When they were added.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
}

#[ComplexObject]
impl User {
    /// Their opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Their personal access tokens that were not revoked, newest first; null for everybody but
    /// themselves.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn tokens(&self, ctx: &Context<'_>) -> Result<Option<Vec<Token>>> {
        if actor(ctx).user()?.id != self.id {
            return Ok(None);
        }
        let tokens = credential::tokens(&loaders(ctx).loader().app.db, self).await?;
        Ok(Some(tokens))
    }
}

#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// Who is asking; null without a session or token.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<User> {
        actor(ctx).user().ok().cloned()
    }
}

/// Makes `admin` at the very first start. Returns the password if it was chosen here.
pub async fn create_admin(app: &App) -> Result<Option<String>> {
    if find_by_username(&app.db, "admin").await?.is_some() {
        return Ok(None);
    }
    let chosen = app.config.admin_password.clone();
    let password = chosen.clone().unwrap_or_else(|| random_text(20));
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
        let reason = format!("must be 1 to {MAX_PASSWORD_BYTES} bytes");
        return Err(Error::invalid("admin password", reason));
    }
    let hash = hash_password(app, password.clone()).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let made = query(
        "INSERT INTO users (id, username, name, password_hash, is_admin, created_at_ms)
         VALUES ($1, 'admin', 'Administrator', $2, TRUE, $3)
         ON CONFLICT (username) DO NOTHING",
    )
    .bind(UserId::new(now))
    .bind(hash)
    .bind(now)
    .execute(&mut tx)
    .await?;
    tx.commit().await?;
    Ok((made == 1 && chosen.is_none()).then_some(password))
}

/// The hash of a password that nobody knows.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                            2ZyYoCzTaTk6QYFQqQ2TnDFkU9UZ7RCJZlKZvFQwWno";

async fn hash_password(app: &App, password: String) -> Result<String> {
    let permit = app.password_hashing.clone().acquire_owned().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(Error::internal)
    })
    .await
    .map_err(Error::internal)?
}

/// Whether a password is the user's; takes as long where there is no user.
pub async fn verify_password(app: &App, user: Option<&User>, password: String) -> Result<bool> {
    let hash = user.map_or(NOBODYS_HASH, |user| &user.password_hash).to_owned();
    let permit = app.password_hashing.clone().acquire_owned().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let hash = PasswordHash::new(&hash).map_err(Error::internal)?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
    .map_err(Error::internal)?
}

pub async fn find_by_username(conn: impl Into<Conn<'_>>, username: &str) -> Result<Option<User>> {
    let user = query(
        "SELECT id, username, name, password_hash, is_admin, created_at_ms
         FROM users WHERE username = $1",
    )
    .bind(username)
    .fetch_optional(conn)
    .await?;
    Ok(user)
}

/// The user with this id, by the request's loader.
pub async fn load(ctx: &Context<'_>, id: Option<&UserId>) -> Result<Option<User>> {
    match id {
        Some(id) => loaders(ctx).load_one(id.clone()).await,
        None => Ok(None),
    }
}

load_by_id!(
    UserId => User,
    "SELECT id, username, name, password_hash, is_admin, created_at_ms FROM users WHERE ",
    "id"
);
