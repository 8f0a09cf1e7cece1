//! `/{project}/-/audit`: what happened in the project.

use leptos::prelude::*;

use super::project::use_project;
use crate::{
    components::title::PageTitle,
    graphql::{event::Source, scalar::Role},
    parts::events::Events,
};

#[component]
pub fn ProjectAuditTab() -> impl IntoView {
    let project = use_project();
    view! {
        <PageTitle text=move || format!("Audit log of {}", project.path.get())/>
        <h2 class="sr-only">"Audit log"</h2>
        <Events
            source=Signal::derive(move || Source::Project(project.path.get()))
            in_full=Signal::derive(move || project.allows(Role::Maintainer))
        />
    }
}
