//! `/settings/tokens`: the viewer's own access tokens.

use leptos::prelude::*;

use crate::{
    components::{loaded::Load, title::PageTitle},
    graphql::token::{self, CreateTokenInput},
    parts::access::{
        role::{SCOPES, scope_of},
        tokens::{Choice, Tokens, Wanted},
    },
};

#[component]
pub fn TokensPage() -> impl IntoView {
    let tokens = Load::new(token::list);
    let create = Callback::new(move |wanted: Wanted| {
        let input = CreateTokenInput {
            name: wanted.name,
            scope: Some(scope_of(&wanted.may)),
            expires_at: wanted.expires_at,
        };
        Box::pin(token::create(input)) as _
    });
    let choice = Choice { field: "token-scope", label: "Access", options: SCOPES, first: "write" };
    view! {
        <PageTitle text="Access tokens"/>
        <h1 class="text-2xl font-semibold tracking-tight">"Access tokens"</h1>
        <p class="mb-6 mt-1 max-w-prose text-sm text-muted">
            "A token lets a script or a client act as you. It can never do more than you can."
        </p>
        <Tokens tokens choice create/>
    }
}
