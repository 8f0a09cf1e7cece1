//! Who did something.

use leptos::prelude::*;

/// A name, with the user name on hover; a person who is gone is “someone”.
#[component]
pub fn Person(
    /// Name and user name.
    person: Option<(String, String)>,
) -> impl IntoView {
    match person {
        Some((name, username)) => {
            let shown = if name.is_empty() { username.clone() } else { name };
            view! { <span title=format!("@{username}")>{shown}</span> }.into_any()
        }
        None => view! { <span class="text-muted">"someone"</span> }.into_any(),
    }
}
