//! A modal dialog: the browser's own `<dialog>`, so focus moves in, stays in, and comes back.

use leptos::{html, prelude::*};

use super::{
    focus,
    icon::{self, Icon},
};

/// Shows `children` while `open` is true; they are made anew each time it opens.
#[component]
pub fn Dialog(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    /// Wider than usual, for forms with long texts.
    #[prop(optional)]
    wide: bool,
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    // It may go as it is, with the part of the page that it is in.
    let is_shown = StoredValue::new(false);
    on_cleanup(move || {
        if is_shown.try_get_value() == Some(true) {
            focus::keep();
        }
    });
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        is_shown.set_value(open.get());
        if open.get() && !dialog.open() {
            // Fails only where the dialog is not in the document; then there is nothing to show.
            let _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
            // The button that opened it may be gone, with what was deleted.
            focus::keep();
        }
    });
    let width = if wide { "modal-box max-w-3xl" } else { "modal-box max-w-lg" };
    view! {
        <dialog
            node_ref=node
            class="modal modal-bottom sm:modal-middle"
            aria-label=move || title.get()
            // Before it closes by Esc, so that whatever opens it next finds it closed.
            on:cancel=move |event: web_sys::Event| {
                // Of the dialog itself: a file field in it is cancelled, too.
                if event.target() == event.current_target() {
                    open.set(false);
                }
            }
            on:close=move |_| {
                // Said some time after it was closed: by now it may have been opened again.
                if node.get_untracked().is_some_and(|dialog| !dialog.open()) {
                    open.set(false);
                    focus::keep();
                }
            }
        >
            <div class=width>
                <Show when=move || open.get()>
                    <div class="mb-4 flex items-start justify-between gap-4">
                        <h2 class="text-lg font-semibold">{move || title.get()}</h2>
                        <button
                            type="button"
                            class="btn btn-ghost btn-sm btn-square -mr-2 -mt-1"
                            aria-label="Close"
                            on:click=move |_| open.set(false)
                        >
                            <Icon d=icon::CROSS/>
                        </button>
                    </div>
                    {children()}
                </Show>
            </div>
            <div class="modal-backdrop" on:click=move |_| open.set(false)></div>
        </dialog>
    }
}
