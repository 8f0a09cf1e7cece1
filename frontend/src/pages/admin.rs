//! `/admin/…`: the frame of the pages for administrators, and the log of the whole registry.

use leptos::prelude::*;
use leptos_router::components::Outlet;

use crate::{
    components::{
        failed::Allowed,
        icon,
        tabs::{Tab, Tabs},
        title::PageTitle,
    },
    graphql::event::Source,
    logic::address,
    parts::{access::signed_in::SignedIn, events::Events},
    session::use_session,
};

#[component]
pub fn AdminFrame() -> impl IntoView {
    let session = use_session();
    let tabs = StoredValue::new(vec![
        Tab::new(address::at("/admin/users"), icon::USERS, "Users"),
        Tab::new(address::at("/admin/audit"), icon::HISTORY, "Audit log"),
        Tab::new(address::at("/admin/webhooks"), icon::SEND, "Webhooks"),
        Tab::new(address::at("/admin/operations"), icon::SERVER, "Operations"),
    ]);
    let is_admin = Memo::new(move |_| session.is_admin());
    view! {
        <PageTitle text="Administration"/>
        <SignedIn>
            <Allowed when=is_admin who="administrators" page=true>
                <div class="grid grid-cols-[minmax(0,1fr)] gap-6 lg:grid-cols-[12rem_minmax(0,1fr)] lg:gap-8">
                    <Tabs label="Administration" tabs=tabs.get_value() side=true/>
                    <div><Outlet/></div>
                </div>
            </Allowed>
        </SignedIn>
    }
}

#[component]
pub fn AdminAuditPage() -> impl IntoView {
    view! {
        <PageTitle text="Audit log"/>
        <h1 class="text-2xl font-semibold tracking-tight">"Audit log"</h1>
        <p class="mb-6 mt-1 max-w-prose text-sm text-muted">
            "Every change in the registry, and every attempt that was refused. Events can't be edited or deleted; only the values of tags can be redacted."
        </p>
        <Events source=Source::Registry in_full=true/>
    }
}
