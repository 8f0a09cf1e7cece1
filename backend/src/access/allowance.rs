//! What the operator of this registry lets somebody do, beside their roles: who creates projects and makes them public,
//! and how long tokens and sessions last. Flags of `serve` say it; everything is allowed unless they do.

use async_graphql::SimpleObject;

use super::Actor;
use super::session::SESSION_SECONDS;
use crate::config::policy::{Policy, Who};
use crate::error::{Error, Result};
use crate::role::Visibility;
use crate::time::Timestamp;

const DAY: i64 = 24 * 3600;

/// What the operator of this registry allows you to do.
#[derive(Clone, Debug, SimpleObject)]
pub struct Allowance {
    /// Whether you may create projects.
    create_projects: bool,
    /// Whether you may make a project public.
    make_projects_public: bool,
    /// The longest time that a new token is valid, in days; null if there is no limit.
    max_token_days: Option<i32>,
    /// The longest time that you stay signed in, in days; null if there is no special limit.
    max_session_days: Option<i32>,
}

impl Default for Allowance {
    /// Everything: of who is at the server itself.
    fn default() -> Self {
        Self {
            create_projects: true,
            make_projects_public: true,
            max_token_days: None,
            max_session_days: None,
        }
    }
}

impl Allowance {
    pub fn of(policy: &Policy, actor: &Actor) -> Self {
        let may = |who: Who| who == Who::Everybody || actor.is_admin();
        Self {
            create_projects: may(policy.project_creators),
            make_projects_public: may(policy.public_projects),
            max_token_days: policy.max_token_days,
            max_session_days: policy.max_session_days,
        }
    }

    pub fn check_creates(&self) -> Result<()> {
        match self.create_projects {
            true => Ok(()),
            false => Err(Error::Forbidden(
                "Only administrators can create projects here. Ask an administrator.",
            )),
        }
    }

    /// Refuses to make public what is not.
    pub fn check_visibility(&self, old: Option<Visibility>, new: Visibility) -> Result<()> {
        if new == Visibility::Public && old != Some(new) && !self.make_projects_public {
            return Err(Error::Forbidden(
                "Only administrators can make projects public here. Ask an administrator.",
            ));
        }
        Ok(())
    }

    /// When a new token ends that is wanted until then.
    pub fn token_end(
        &self,
        now: Timestamp,
        wanted: Option<Timestamp>,
    ) -> Result<Option<Timestamp>> {
        let Some(days) = self.max_token_days else { return Ok(wanted) };
        let latest = now.plus_seconds(i64::from(days) * DAY);
        match wanted {
            Some(wanted) if wanted > latest => Err(Error::invalid(
                "expiresAt",
                format!(
                    "must be within {days} days, the longest that tokens are valid on this server"
                ),
            )),
            wanted => Ok(wanted.or(Some(latest))),
        }
    }

    /// When a session ends that begins now.
    pub fn session_end(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(session_seconds(self.max_session_days))
    }
}

/// How long a session lasts.
pub fn session_seconds(max_days: Option<i32>) -> i64 {
    max_days.map_or(SESSION_SECONDS, |days| SESSION_SECONDS.min(i64::from(days) * DAY))
}
