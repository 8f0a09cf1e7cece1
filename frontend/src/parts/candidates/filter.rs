//! The filter expression above a table of training runs: completed while it is typed, and explained.

use leptos::prelude::*;

use crate::{
    components::{
        icon::{self, Icon},
        menu::Menu,
        search::SearchBox,
    },
    logic::filter::{self, Names},
};

#[component]
pub fn CandidateFilter(
    /// What runs were logged with.
    names: Signal<Names>,
    /// Why the server did not take the filter.
    #[prop(into)]
    refused: Signal<Option<String>>,
) -> impl IntoView {
    let complete = Callback::new(move |text: String| filter::complete(&text, &names.read()));
    view! {
        <div class="mb-4 flex flex-wrap items-start gap-3">
            <SearchBox
                name="filter"
                label="metrics.accuracy > 0.9 and status = 'FINISHED'"
                d=icon::FILTER mono=true class="min-w-0 grow" error=refused complete
            />
            <FilterHelp/>
        </div>
    }
}

#[component]
fn FilterHelp() -> impl IntoView {
    view! {
        <Menu
            label="How to filter"
            class="btn btn-square"
            button=|| view! { <Icon d=icon::INFO/> }
        >
            <li class="pointer-events-none max-w-xs">
                <div class="block space-y-2 whitespace-normal text-sm">
                    <p class="font-medium">"Filter expressions"</p>
                    <p><code>"metrics.accuracy > 0.9"</code></p>
                    <p><code>"params.lr = '0.01'"</code></p>
                    <p><code>"tags.team = 'vision'"</code></p>
                    <p><code>"status = 'FINISHED'"</code></p>
                    <p class="text-muted">"Combine conditions with " <code>"and"</code> "."</p>
                </div>
            </li>
        </Menu>
    }
}
