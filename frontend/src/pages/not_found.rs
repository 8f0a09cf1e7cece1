//! An address that leads nowhere.

use leptos::prelude::*;

use crate::{
    components::{empty::Empty, failed::SignInOffer, icon, title::PageTitle},
    logic::address,
};

#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! {
        <PageTitle text="Not found"/>
        <h1 class="sr-only">"Not found"</h1>
        <Empty d=icon::SEARCH title="This page doesn't exist">
            <p>"It may have been renamed or deleted. Deleted items are in the trash of their project."</p>
            <div class="flex flex-wrap justify-center gap-2">
                <SignInOffer/>
                <a class="btn" href=address::at("/")>"All projects"</a>
            </div>
        </Empty>
    }
}
