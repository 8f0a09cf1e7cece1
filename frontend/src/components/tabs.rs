//! Links between the pages of one thing: tabs above them, or a list at their side.

use leptos::{html, prelude::*};
use leptos_router::{hooks::use_location, location::Url};

use super::icon::Icon;
use crate::logic::format;

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    pub href: String,
    pub d: &'static str,
    pub text: &'static str,
    /// How many things are there, where that is worth a look.
    pub count: Option<i32>,
}

impl Tab {
    pub fn new(href: impl Into<String>, d: &'static str, text: &'static str) -> Self {
        Self { href: href.into(), d, text, count: None }
    }
}

/// Above the page; at its side on a desk where `side` is set.
#[component]
pub fn Tabs(
    /// What the pages are of, for screen readers.
    label: &'static str,
    #[prop(into)] tabs: Signal<Vec<Tab>>,
    #[prop(optional)] side: bool,
) -> impl IntoView {
    let (nav, list) = if side {
        (
            "relative overflow-x-auto overflow-y-hidden border-b border-base-300 lg:border-b-0",
            "-mb-px flex gap-5 lg:mb-0 lg:flex-col lg:gap-1",
        )
    } else {
        (
            "relative mb-6 mt-4 overflow-x-auto overflow-y-hidden border-b border-base-300",
            "-mb-px flex gap-5",
        )
    };
    view! {
        <nav aria-label=label class=nav>
            <ul class=list>
                {move || tabs.get().into_iter().map(|tab| view! { <TabLink tab side/> }).collect_view()}
            </ul>
        </nav>
    }
}

#[component]
fn TabLink(tab: Tab, side: bool) -> impl IntoView {
    let Tab { href, d, text, count } = tab;
    let location = use_location();
    let node = NodeRef::<html::A>::new();
    // Addresses are compared decoded: browsers differ in which characters they encode.
    let decoded = |path: &str| Url::unescape(path.trim_end_matches('/'));
    let target = decoded(&href);
    let active = Memo::new(move |_| decoded(&location.pathname.read()) == target);
    // On a phone the tabs are wider than the screen.
    Effect::new(move |_| {
        let Some(link) = node.get().filter(|_| active.get()) else { return };
        if let Ok(Some(nav)) = link.closest("nav") {
            nav.set_scroll_left(link.offset_left() - 24);
        }
    });
    let class = if side {
        "flex items-center gap-2 whitespace-nowrap border-b-2 px-1 pb-2.5 pt-1 text-sm font-medium \
         lg:rounded-field lg:border-b-0 lg:px-3 lg:py-2"
    } else {
        "flex items-center gap-2 whitespace-nowrap border-b-2 px-1 pb-2.5 pt-1 text-sm font-medium"
    };
    view! {
        <li>
            <a
                node_ref=node
                href=href
                class=class
                class=("border-primary", active)
                class=("border-transparent", move || !active.get())
                class=("text-muted", move || !active.get())
                class=("lg:bg-base-300/70", move || side && active.get())
                aria-current=move || active.get().then_some("page")
                data-noscroll
            >
                <Icon d/>
                {text}
                {count.map(|count| view! {
                    <span class="badge badge-sm border-base-300 bg-base-200 tabular-nums">
                        {format::count(count.into())}
                    </span>
                })}
            </a>
        </li>
    }
}
