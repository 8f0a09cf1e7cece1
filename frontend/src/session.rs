//! Who is signed in, for the whole app.

use leptos::prelude::*;

use crate::{
    components::loaded::Load,
    graphql::viewer::{self, Session, Viewer},
};

/// Provided once, by the app.
#[derive(Clone, Copy)]
pub struct CurrentSession(pub Load<Session>);

impl CurrentSession {
    pub fn new() -> Self {
        Self(LocalResource::new(viewer::session))
    }

    pub fn viewer(self) -> Option<Viewer> {
        self.0.with(|session| match session {
            Some(Ok(session)) => session.viewer.clone(),
            _ => None,
        })
    }
}

pub fn use_session() -> CurrentSession {
    expect_context()
}
