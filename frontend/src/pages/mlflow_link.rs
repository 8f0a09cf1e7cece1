//! `/mlflow/{project}/#/…` and `/#/…`: where the links lead that MLflow's client prints after a run.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::projects::ProjectsPage;
use crate::{
    components::{moved::Moved, skeleton::SkeletonPage},
    logic::address,
};

#[component]
pub fn MlflowLinkPage() -> impl IntoView {
    let project = address::use_param("project");
    let hash = use_location().hash;
    // Once: on the way to another page the address changes before this one is gone.
    let to = address::of_mlflow(&project.read_untracked(), &hash.read_untracked());
    view! { <Moved to=Signal::derive(move || Some(to.clone()))><SkeletonPage/></Moved> }
}

/// `/`, which is also the tracking URI of the project `default`.
#[component]
pub fn HomePage() -> impl IntoView {
    let hash = use_location().hash;
    let to = Signal::derive(move || {
        let hash = hash.read();
        hash.starts_with("#/").then(|| address::of_mlflow("default", &hash))
    });
    view! { <Moved to><ProjectsPage/></Moved> }
}
