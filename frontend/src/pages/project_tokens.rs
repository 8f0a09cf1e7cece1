//! `/{project}/-/tokens`: the project's own access tokens, for CI and other robots.

use leptos::prelude::*;

use super::{MAINTAINERS, project::use_project};
use crate::{
    components::{failed::Allowed, loaded::Load, title::PageTitle},
    graphql::{
        scalar::Role,
        token::{self, CreateProjectTokenInput},
    },
    parts::access::{
        role::{ROLES, UP_TO_MAINTAINER, role_of},
        tokens::{Choice, Tokens, Wanted},
    },
};

#[component]
pub fn ProjectTokensTab() -> impl IntoView {
    let project = use_project();
    view! {
        <PageTitle text=move || format!("Access tokens of {}", project.path.get())/>
        <h2 class="sr-only">"Access tokens"</h2>
        <p class="mb-6 max-w-prose text-sm text-muted">
            "Project tokens belong to the project, not to a person: use them for CI and services."
        </p>
        <Allowed when=Signal::derive(move || project.allows(Role::Maintainer)) who=MAINTAINERS>
            <ProjectTokens/>
        </Allowed>
    }
}

#[component]
fn ProjectTokens() -> impl IntoView {
    let path = use_project().path;
    let tokens = Load::new(move || token::list_of(path.get()));
    let create = Callback::new(move |wanted: Wanted| {
        let input = CreateProjectTokenInput {
            project: path.get_untracked(),
            name: wanted.name,
            role: role_of(&wanted.may),
            expires_at: wanted.expires_at,
        };
        Box::pin(token::create_of(input)) as _
    });
    let choice = Choice {
        field: "token-role",
        label: "Role",
        options: &ROLES[..UP_TO_MAINTAINER],
        first: "developer",
    };
    view! { <Tokens tokens choice create/> }
}
