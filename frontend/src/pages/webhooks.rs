//! `/{project}/-/webhooks` and `/admin/webhooks`: who else is told of what happens.

use leptos::prelude::*;

use super::{MAINTAINERS, project::use_project};
use crate::{
    components::{failed::Allowed, title::PageTitle},
    graphql::scalar::Role,
    parts::webhooks::Webhooks,
};

#[component]
pub fn ProjectWebhooksTab() -> impl IntoView {
    let project = use_project();
    view! {
        <PageTitle text=move || format!("Webhooks of {}", project.path.get())/>
        <h2 class="sr-only">"Webhooks"</h2>
        <p class="mb-6 max-w-prose text-sm text-muted">
            "A webhook tells another service what happens in this project: a CI job that deploys what @production names, or a chat. "
            "Each message is signed, and is sent again until it arrives."
        </p>
        <Allowed when=Signal::derive(move || project.allows(Role::Maintainer)) who=MAINTAINERS>
            <Webhooks project=Signal::derive(move || Some(project.path.get()))/>
        </Allowed>
    }
}

#[component]
pub fn AdminWebhooksPage() -> impl IntoView {
    view! {
        <PageTitle text="Webhooks"/>
        <h1 class="text-2xl font-semibold tracking-tight">"Webhooks"</h1>
        <p class="mb-6 mt-1 max-w-prose text-sm text-muted">
            "These webhooks tell another service what happens in all projects and, if they name it, what happens to users, sessions and "
            "storages, and what was refused. Those of one project are on its own page."
        </p>
        <Webhooks project=Signal::stored(None)/>
    }
}
