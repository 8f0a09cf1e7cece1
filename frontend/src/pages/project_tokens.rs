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
        embed_tokens::EmbedTokens,
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
            "Project tokens belong to the project, not to a person: use them for CI and services. Put none into a page: "
            "whoever can open the page can read it."
        </p>
        <Allowed when=Signal::derive(move || project.allows(Role::Maintainer)) who=MAINTAINERS>
            <ProjectTokens/>
            <h2 id="embed" class="mb-1 mt-10 text-lg font-semibold">"Embed tokens"</h2>
            <p class="mb-6 max-w-prose text-sm text-muted">
                "Embed tokens are for pages of other sites. They show the project as everybody sees a public one, and change nothing. "
                "Whoever can open such a page can read the token."
            </p>
            <EmbedTokens project=project.path/>
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
