//! `/-/models` and `/-/prompts`: the models and prompts of all projects.

use leptos::prelude::*;

use crate::{
    components::{
        empty::Empty,
        failed::SignInOffer,
        icon::{self, Icon},
        tabs::{Tab, Tabs},
        title::PageTitle,
    },
    graphql::kind::ModelKind,
    logic::address,
    parts::models::list::ModelList,
    session::use_session,
};

#[component]
pub fn AllModelsPage(kind: ModelKind) -> impl IntoView {
    let session = use_session();
    let (d, title) = match kind {
        ModelKind::Model => (icon::BOX, "Models"),
        ModelKind::Prompt => (icon::MESSAGE, "Prompts"),
    };
    let (_, many) = kind.words();
    let nothing = move || {
        if session.signed_in() {
            view! {
                <Empty d title=format!("No {many} yet")>
                    <p>{title}" live in projects. Publish the first one from a script or in the browser."</p>
                    <a class="btn btn-primary" href=address::at("/")><Icon d=icon::LAYERS/>"All projects"</a>
                </Empty>
            }
            .into_any()
        } else {
            view! {
                <Empty d title=format!("No public {many}")>
                    <p>"Sign in to see the "{many}" of your own projects and those of your teams."</p>
                    <SignInOffer/>
                </Empty>
            }
            .into_any()
        }
    };
    view! {
        <PageTitle text=title/>
        // As high as with the buttons of the projects: the tabs stay where they are.
        <div class="flex min-h-10 items-center">
            <h1 class="text-2xl font-semibold tracking-tight">{title}</h1>
        </div>
        <HomeTabs/>
        <ModelList kind project=None any=true nothing on_change=|()| {}/>
    }
}

/// All projects, all models, all prompts.
#[component]
pub fn HomeTabs() -> impl IntoView {
    let tabs = vec![
        Tab::new(address::at("/"), icon::LAYERS, "Projects"),
        Tab::new(address::at("/-/models"), icon::BOX, "Models"),
        Tab::new(address::at("/-/prompts"), icon::MESSAGE, "Prompts"),
    ];
    view! { <Tabs label="Home" tabs/> }
}
