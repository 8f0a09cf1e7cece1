//! Who is signed in, what the operator lets them do, and whether the server takes files, for the whole app.

use leptos::prelude::*;

use crate::{
    components::loaded::Load,
    graphql::viewer::{self, Allowance, Session, Viewer},
    logic::error::ApiError,
};

/// What is known about who is signed in.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// The server was not asked before, and has not answered yet.
    Unknown,
    Failed(ApiError),
    /// The person; none for anybody.
    Known(Option<Viewer>),
}

/// Provided once, by the app.
#[derive(Clone, Copy)]
pub struct CurrentSession {
    load: Load<Session>,
    pub standing: Memo<Standing>,
    /// Whether the server has said that it has no room for more files.
    pub read_only: Memo<bool>,
    pub allowance: Memo<Allowance>,
    /// Whether programs need a token to do what they may; not where nobody signs in.
    pub needs_tokens: Memo<bool>,
}

impl CurrentSession {
    pub fn new() -> Self {
        let load = Load::new(viewer::session);
        let standing = Memo::new(move |_| {
            load.with(|session| match session {
                Some(Ok(session)) => Standing::Known(session.viewer.clone()),
                Some(Err(error)) => Standing::Failed(error.clone()),
                None => Standing::Unknown,
            })
        });
        let read_only = Memo::new(move |_| {
            load.with(|session| matches!(session, Some(Ok(Session { has_room: false, .. }))))
        });
        let allowance = Memo::new(move |_| {
            load.with(|session| session?.ok().map(|session| session.allowance.clone()))
                .unwrap_or_default()
        });
        let needs_tokens = Memo::new(move |_| {
            load.with(|session| session?.ok().map(|session| session.sign_in_methods.required))
                .unwrap_or(true)
        });
        Self { load, standing, read_only, allowance, needs_tokens }
    }

    /// Asks the server again.
    pub fn reload(self) {
        self.load.refetch();
    }

    pub fn viewer(self) -> Option<Viewer> {
        match self.standing.get() {
            Standing::Known(viewer) => viewer,
            _ => None,
        }
    }

    /// Whether the server has said who it is.
    pub fn is_known(self) -> bool {
        self.standing.with(|standing| matches!(standing, Standing::Known(_)))
    }

    pub fn signed_in(self) -> bool {
        self.standing.with(|standing| matches!(standing, Standing::Known(Some(_))))
    }

    pub fn anonymous(self) -> bool {
        self.standing.with(|standing| matches!(standing, Standing::Known(None)))
    }

    /// Whether they are signed in, and not kept from making projects.
    pub fn creates_projects(self) -> bool {
        self.signed_in() && self.allowance.read().create_projects
    }

    pub fn is_admin(self) -> bool {
        self.viewer().is_some_and(|viewer| viewer.is_admin == Some(true))
    }
}

pub fn use_session() -> CurrentSession {
    expect_context()
}
