//! A list of what can be revoked: one line each, with a button that asks first.

use std::future::Future;

use leptos::prelude::*;

use crate::{
    components::{confirm::Confirm, empty::Empty, form::Submit, icon, toast::use_toasts},
    logic::error::ApiError,
    parts::tags::report,
};

/// What can be revoked, and the words for it.
pub trait Revocable: Clone + PartialEq + Send + Sync + 'static {
    /// What one is called: `Token`.
    const KIND: &'static str;
    /// What the list is called where there are some, and where there are none.
    const LIST: &'static str;
    const NONE: &'static str;
    /// Why one would make one.
    const PURPOSE: &'static str;
    /// What stops.
    const WARNING: &'static str;

    fn id(&self) -> &cynic::Id;
    fn name(&self) -> String;
    /// What the line says of it.
    fn view(self) -> AnyView;
    fn revoke(id: cynic::Id) -> impl Future<Output = Result<Self, ApiError>> + 'static;
}

#[component]
pub fn RevocableList<T: Revocable>(
    list: Memo<Vec<T>>,
    #[prop(into)] on_change: Callback<()>,
) -> impl IntoView {
    let kind = T::KIND.to_lowercase();
    let asked = RwSignal::new(None::<T>);
    let open = RwSignal::new(false);
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let revoke = move |()| {
        let Some(one) = asked.get_untracked() else {
            return;
        };
        submit.run(T::revoke(one.id().clone()), move |one| {
            open.set(false);
            toasts.success(format!("{} “{}” revoked.", T::KIND, one.name()));
            on_change.run(());
        });
    };
    let ask = move |one: &T| {
        asked.set(Some(one.clone()));
        open.set(true);
    };
    let name = move || asked.with(|one| one.as_ref().map(T::name)).unwrap_or_default();
    view! {
        <Show
            when=move || !list.read().is_empty()
            fallback=|| view! { <Empty d=icon::KEY title=T::NONE><p>{T::PURPOSE}</p></Empty> }
        >
            <ul class="panel divide-y divide-base-300" aria-label=T::LIST>
                <For each=move || list.get() key=|one| one.id().inner().to_owned() let:one>
                    <li class="flex items-center justify-between gap-4 p-4">
                        <div class="min-w-0">{one.clone().view()}</div>
                        <button
                            type="button"
                            class="btn btn-sm btn-outline btn-error"
                            on:click=move |_| ask(&one)
                        >
                            "Revoke"
                        </button>
                    </li>
                </For>
            </ul>
        </Show>
        <Confirm
            open
            title=Signal::derive(move || format!("Revoke “{}”?", name()))
            action=format!("Revoke {kind}")
            danger=true
            pending=submit.pending
            on_confirm=revoke
        >
            <p>{T::WARNING} " This can't be undone."</p>
        </Confirm>
    }
}
