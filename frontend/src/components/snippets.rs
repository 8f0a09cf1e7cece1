//! Commands to copy, in several languages.

use leptos::prelude::*;

use super::copy::CopyButton;

/// One way to do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// What the tab says: `curl`.
    pub name: &'static str,
    pub code: String,
}

/// The snippets as tabs; the first is shown.
#[component]
pub fn Snippets(
    #[prop(into)] snippets: Signal<Vec<Snippet>>,
    /// Tells several of these on one page apart.
    id: &'static str,
) -> impl IntoView {
    let chosen = RwSignal::new(0_usize);
    let code = Memo::new(move |_| {
        snippets.with(|snippets| {
            snippets.get(chosen.get()).or(snippets.first()).map(|s| s.code.clone())
        })
    });
    let tab = move |index: usize, name: &'static str| {
        view! {
            <button
                type="button"
                role="tab"
                id=format!("{id}-tab-{index}")
                class="tab"
                class:tab-active=move || chosen.get() == index
                aria-selected=move || (chosen.get() == index).to_string()
                aria-controls=format!("{id}-panel")
                on:click=move |_| chosen.set(index)
            >
                {name}
            </button>
        }
    };
    view! {
        <div>
            <div class="flex items-center justify-between gap-2">
                <div role="tablist" class="tabs tabs-border tabs-sm" aria-label="Language">
                    {move || {
                        snippets
                            .read()
                            .iter()
                            .enumerate()
                            .map(|(index, snippet)| tab(index, snippet.name))
                            .collect_view()
                    }}
                </div>
                <CopyButton
                    text=Signal::derive(move || code.get().unwrap_or_default())
                    label="Copy the snippet"
                    class="btn btn-ghost btn-sm btn-square"
                />
            </div>
            <pre
                role="tabpanel"
                id=format!("{id}-panel")
                aria-labelledby=move || format!("{id}-tab-{}", chosen.get())
                class="mt-1.5 overflow-x-auto break-words rounded-field bg-base-200 p-3 text-left font-mono text-xs leading-relaxed"
                class:whitespace-pre-wrap=move || wraps(code.read().as_deref())
                tabindex="0"
            >
                <code>{move || code.get()}</code>
            </pre>
        </div>
    }
}

/// Indentation means something in Python: its long lines scroll instead.
fn wraps(code: Option<&str>) -> bool {
    code.is_some_and(|code| !code.starts_with("import ") && !code.starts_with("from "))
}
