//! What tags say about where a run or version came from, as facts with links.

use leptos::prelude::*;

use super::provenance::{self, Known};
use crate::{
    components::{facts::Fact, link::ExternalLink, person::Person},
    graphql::{tag::Tag, viewer::Author},
};

/// Stands among the other [`Fact`]s.
#[component]
pub fn RunFacts(tags: Vec<Tag>) -> impl IntoView {
    let fact = |Known { term, text, title, href }: Known| {
        let shown = match href {
            Some(href) => view! { <ExternalLink href text/> }.into_any(),
            None => text.into_any(),
        };
        view! { <Fact term><span class="wrap-anywhere" title=title>{shown}</span></Fact> }
    };
    provenance::known(&tags).into_iter().map(fact).collect_view()
}

/// Who ran it: as their machine calls them, or else who logged it.
#[component]
pub fn RunUser(tags: Vec<Tag>, author: Option<Author>) -> impl IntoView {
    match provenance::user(&tags) {
        Some(user) => user.to_owned().into_any(),
        None => {
            let person = author.map(|author| (author.name, author.username));
            view! { <Person person/> }.into_any()
        }
    }
}
