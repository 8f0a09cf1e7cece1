//! `/{project}/{model}/-/audit`: what happened to the model and all that it has.

use leptos::prelude::*;

use super::model::use_model;
use crate::{
    components::title::PageTitle,
    graphql::{event::Source, scalar::Role},
    parts::events::Events,
};

#[component]
pub fn ModelAuditTab() -> impl IntoView {
    let model = use_model();
    view! {
        <PageTitle text=move || format!("Audit log of {}", model.path.get())/>
        <h2 class="sr-only">"Audit log"</h2>
        <Events
            source=Signal::derive(move || Source::Model(model.path.get()))
            in_full=Signal::derive(move || model.allows(Role::Maintainer))
        />
    }
}
