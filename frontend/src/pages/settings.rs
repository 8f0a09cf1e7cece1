//! `/settings/…`: the frame of the pages about oneself.

use leptos::prelude::*;
use leptos_router::components::Outlet;

use crate::{
    components::{
        icon,
        tabs::{Tab, Tabs},
    },
    logic::address,
    parts::access::signed_in::SignedIn,
};

#[component]
pub fn SettingsFrame() -> impl IntoView {
    let tabs = StoredValue::new(vec![
        Tab::new(address::at("/settings/account"), icon::USER, "Account"),
        Tab::new(address::at("/settings/sessions"), icon::MONITOR, "Sessions"),
        Tab::new(address::at("/settings/tokens"), icon::KEY, "Access tokens"),
    ]);
    view! {
        <SignedIn>
            <div class="grid grid-cols-[minmax(0,1fr)] gap-6 lg:grid-cols-[12rem_minmax(0,1fr)] lg:gap-8">
                <Tabs label="Settings" tabs=tabs.get_value() side=true/>
                <div><Outlet/></div>
            </div>
        </SignedIn>
    }
}
