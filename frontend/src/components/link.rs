//! Links that lead out of the registry.

use leptos::prelude::*;

/// Opens in a tab of its own. The address must be one that `address::external` let through, or made of
/// such: it is something that a client sent.
#[component]
pub fn ExternalLink(
    href: String,
    #[prop(into)] text: String,
    #[prop(default = "link break-words")] class: &'static str,
) -> impl IntoView {
    view! { <a class=class href=href target="_blank" rel="noopener noreferrer nofollow">{text}</a> }
}
