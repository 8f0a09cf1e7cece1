//! Small labels: states, aliases, tags.

use leptos::prelude::*;

use super::{
    icon::{self, Icon},
    link::ExternalLink,
};
use crate::logic::address;

/// A version that is still being filled.
#[component]
pub fn DraftBadge() -> impl IntoView {
    view! { <span class="badge badge-sm badge-warning badge-soft text-base-content">"Draft"</span> }
}

/// `Latest`: the highest version by SemVer precedence.
#[component]
pub fn LatestBadge() -> impl IntoView {
    view! { <span class="badge badge-sm badge-primary badge-soft text-base-content">"Latest"</span> }
}

/// A plain word about something: a role, a state, a visibility.
#[component]
pub fn Badge(#[prop(into)] text: String) -> impl IntoView {
    view! { <span class="badge badge-sm whitespace-nowrap border-base-300 bg-base-200">{text}</span> }
}

/// A word that asks for attention: `Refused`, `Blocked`.
#[component]
pub fn AlarmBadge(text: &'static str) -> impl IntoView {
    view! {
        <span class="badge badge-sm badge-error badge-soft whitespace-nowrap text-base-content">{text}</span>
    }
}

/// The status of a training run.
#[component]
pub fn StatusBadge(
    /// `Finished`
    text: &'static str,
    /// A full daisyUI class.
    dot: &'static str,
) -> impl IntoView {
    view! {
        <span class="inline-flex items-center gap-1.5 whitespace-nowrap text-sm">
            <span class=format!("status {dot}") aria-hidden="true"></span>
            {text}
        </span>
    }
}

/// `@champion`, perhaps with where it leads.
#[component]
pub fn AliasChip(
    #[prop(into)] name: String,
    /// Where the chip leads; empty for nowhere.
    #[prop(optional, into)]
    href: String,
    /// What the alias names; empty to leave it out.
    #[prop(optional, into)]
    version: String,
    /// Whether only maintainers move it.
    #[prop(optional)]
    protected: bool,
    /// What a click does, instead of leading somewhere.
    #[prop(optional)]
    on_click: Option<Callback<()>>,
    /// What that is.
    #[prop(optional, into)]
    title: String,
) -> impl IntoView {
    const CLASS: &str = "badge badge-sm h-auto max-w-full gap-1 border-secondary/30 bg-secondary/10 py-0.5 font-medium text-base-content";
    let text = view! {
        <span class="text-secondary"><Icon d=icon::BOOKMARK class="size-3 shrink-0"/></span>
        <span class="min-w-0 truncate">{name}</span>
        {(!version.is_empty()).then(|| view! { <span class="text-muted">{version}</span> })}
        {protected.then(|| view! {
            <span title="Protected: only maintainers can move this alias">
                <Icon d=icon::LOCK class="size-3 shrink-0"/>
                <span class="sr-only">"protected"</span>
            </span>
        })}
    };
    if let Some(on_click) = on_click {
        view! {
            <button
                type="button" class=format!("{CLASS} cursor-pointer hover:bg-secondary/20") title=title
                on:click=move |_| on_click.run(())
            >
                {text}
            </button>
        }
        .into_any()
    } else if href.is_empty() {
        view! { <span class=CLASS>{text}</span> }.into_any()
    } else {
        view! { <a class=format!("{CLASS} hover:bg-secondary/20") href=href>{text}</a> }.into_any()
    }
}

/// `framework: pytorch`; a value that is an address of the web leads there.
#[component]
pub fn TagChip(#[prop(into)] key: String, #[prop(into)] value: String) -> impl IntoView {
    let title = format!("{key}: {value}");
    let shown = match address::external(&value).map(str::to_owned) {
        Some(href) => {
            view! { <ExternalLink href text=value class="link max-w-56 truncate font-medium"/> }
                .into_any()
        }
        None if value.is_empty() => ().into_any(),
        None => view! { <span class="max-w-56 truncate font-medium">{value}</span> }.into_any(),
    };
    view! {
        <span class="badge badge-sm h-auto min-w-0 max-w-full shrink gap-1 border-base-300 bg-base-200 py-0.5" title=title>
            <span class="max-w-40 truncate text-muted">{key}</span>
            {shown}
        </span>
    }
}
