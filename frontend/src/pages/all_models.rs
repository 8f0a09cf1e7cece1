//! `/-/models`: the models of all projects.

use leptos::prelude::*;

use crate::{
    components::{
        empty::Empty,
        failed::SignInOffer,
        icon::{self, Icon},
        tabs::{Tab, Tabs},
        title::PageTitle,
    },
    logic::address,
    parts::models::list::ModelList,
    session::use_session,
};

#[component]
pub fn AllModelsPage() -> impl IntoView {
    let session = use_session();
    let nothing = move || {
        if session.signed_in() {
            view! {
                <Empty d=icon::BOX title="No models yet">
                    <p>"Models live in projects. Publish the first one from a training script or in the browser."</p>
                    <a class="btn btn-primary" href=address::at("/")><Icon d=icon::LAYERS/>"All projects"</a>
                </Empty>
            }
            .into_any()
        } else {
            view! {
                <Empty d=icon::BOX title="No public models">
                    <p>"Sign in to see the models of your own projects and those of your teams."</p>
                    <SignInOffer/>
                </Empty>
            }
            .into_any()
        }
    };
    view! {
        <PageTitle text=|| "Models".to_owned()/>
        // As high as with the buttons of the projects: the tabs stay where they are.
        <div class="flex min-h-10 items-center">
            <h1 class="text-2xl font-semibold tracking-tight">"Models"</h1>
        </div>
        <HomeTabs/>
        <ModelList project=None any=true nothing on_change=|()| {}/>
    }
}

/// All projects, all models.
#[component]
pub fn HomeTabs() -> impl IntoView {
    let tabs = vec![
        Tab::new(address::at("/"), icon::LAYERS, "Projects"),
        Tab::new(address::at("/-/models"), icon::BOX, "Models"),
    ];
    view! { <Tabs label="Home" tabs/> }
}
