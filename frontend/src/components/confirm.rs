//! The question before something that is not taken back lightly.

use leptos::prelude::*;

use super::dialog::Dialog;

/// Asks once; `children` say what will happen.
#[component]
pub fn Confirm(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    /// What the button says: a verb, “Delete version”.
    #[prop(into)]
    action: String,
    #[prop(optional)] danger: bool,
    #[prop(into)] pending: Signal<bool>,
    #[prop(into)] on_confirm: Callback<()>,
    children: ChildrenFn,
) -> impl IntoView {
    let class = if danger { "btn btn-error" } else { "btn btn-primary" };
    let action = StoredValue::new(action);
    let children = StoredValue::new(children);
    view! {
        <Dialog open title>
            <div class="space-y-3 text-sm text-muted">{children.read_value()()}</div>
            <div class="modal-action">
                <button type="button" class="btn" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <button
                    type="button"
                    class=class
                    disabled=pending
                    on:click=move |_| on_confirm.run(())
                >
                    <Show when=move || pending.get()>
                        <span class="loading loading-spinner loading-sm" aria-hidden="true"></span>
                    </Show>
                    {action.get_value()}
                </button>
            </div>
        </Dialog>
    }
}
