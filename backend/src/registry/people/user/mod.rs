//! People who use the registry, and robots: what the tokens of projects act as.
//!
//! Never forgets anybody: who is deleted cannot come in any more, but what they did still names them.

pub mod graphql;
pub mod mutation;
pub mod rules;

use async_graphql::Context;

use crate::access::user::{User, columns};
use crate::error::Result;
use crate::id::UserId;
use crate::loader::{load_by_id, load_by_owner, loaders};

/// The user with this id, by the request's loader.
pub async fn load(ctx: &Context<'_>, id: Option<&UserId>) -> Result<Option<User>> {
    match id {
        Some(id) => loaders(ctx).load_one(id.clone()).await,
        None => Ok(None),
    }
}

load_by_id!(UserId => User, concat!("SELECT ", columns!(), " FROM users u WHERE "), "u.id");

load_by_owner!(
    /// The person with this username.
    PersonNamed => User,
    concat!("SELECT u.username AS owner_id, ", columns!(), " FROM users u WHERE u.kind = 'PERSON' AND "),
    "u.username",
    ""
);
