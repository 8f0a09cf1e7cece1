//! A field for a user name that suggests people while it is typed.

use leptos::prelude::*;

use crate::{
    graphql::user,
    parts::suggest_field::{SuggestField, Suggestions},
};

#[component]
pub fn UserField(
    id: &'static str,
    value: RwSignal<String>,
    #[prop(into)] refused: Signal<Option<String>>,
) -> impl IntoView {
    view! { <SuggestField id label="Username" value ask=people refused/> }
}

fn people(_: String, typed: String) -> Suggestions {
    Box::pin(async move {
        if typed.is_empty() {
            return Ok(Vec::new());
        }
        let people = user::suggest(typed).await?;
        Ok(people.into_iter().map(|person| (person.username, person.name)).collect())
    })
}
