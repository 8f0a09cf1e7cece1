//! What was read of who may what, for as long as nobody changes it: most requests come from the same
//! callers and are about the same projects.
//!
//! What `model-registry token` writes beside the server is only more than was there: nobody has asked for the secret
//! that it makes.

use std::fmt;
use std::sync::Arc;

use super::credential::Recognised;
use super::embed::Embed;
use super::project::Project;
use super::user::User;
use crate::cache::Cache;
use crate::role::Role;
use crate::time::Timestamp;

/// The caches of all requests.
#[derive(Default)]
pub struct AccessCache {
    /// Who holds a credential, by the hash of its secret.
    pub credentials: Cache<Recognised>,
    /// Embed tokens, by the hash of their secret.
    pub embeds: Cache<Arc<Embed>>,
    /// Until when pages are told of their embed tokens, by origin.
    pub origins: Cache<Timestamp>,
    /// Projects by path and the id of a person, with the role of their membership.
    pub projects: Cache<(Project, Option<Role>)>,
    /// By username.
    pub users: Cache<User>,
}

impl fmt::Debug for AccessCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessCache")
    }
}
