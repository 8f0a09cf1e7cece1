//! Rows that are selected, to be compared above all: the boxes in front of them, and what stands above.

use leptos::prelude::*;

use crate::components::icon::{self, Icon};

/// The most that fit side by side.
pub const MOST_COMPARED: usize = 12;

/// Says how many are selected, and leads to their comparison.
#[component]
pub fn SelectionBar(
    selected: RwSignal<Vec<String>>,
    /// What they are called.
    many: &'static str,
    /// The address of the comparison.
    compare: Callback<Vec<String>, String>,
    /// What else can be done with them.
    #[prop(optional, into)]
    actions: ViewFnOnce,
    /// What there is besides.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let count = move || selected.read().len();
    let href = move || compare.run(selected.read().iter().take(MOST_COMPARED).cloned().collect());
    let hint = move || match count() {
        0 => format!("Select {many} to compare them."),
        1 => "1 selected. Select another to compare.".to_owned(),
        n if n > MOST_COMPARED => {
            format!("{n} selected. Only the first {MOST_COMPARED} will be compared.")
        }
        n => format!("{n} selected."),
    };
    view! {
        <div class="mb-2 flex min-h-9 flex-wrap items-center justify-between gap-2 text-sm">
            <p class="text-muted" role="status">{hint}</p>
            <div class="flex flex-wrap gap-2">
                <Show when=move || count() != 0>
                    <button type="button" class="btn btn-sm btn-ghost" on:click=move |_| selected.update(Vec::clear)>
                        "Clear selection"
                    </button>
                </Show>
                <Show when=move || 2 <= count()>
                    <a class="btn btn-sm btn-primary" href=href>
                        <Icon d=icon::COMPARE/>
                        "Compare"
                    </a>
                </Show>
                {actions.run()}
                {children.map(|children| children())}
            </div>
        </div>
    }
}

#[component]
pub fn SelectBox(
    selected: RwSignal<Vec<String>>,
    key: StoredValue<String>,
    #[prop(into)] label: Signal<String>,
) -> impl IntoView {
    view! {
        <input
            type="checkbox"
            class="checkbox checkbox-sm align-middle"
            aria-label=label
            prop:checked=move || selected.read().contains(&*key.read_value())
            on:change=move |_| selected.update(|selected| {
                let key = key.get_value();
                match selected.iter().position(|chosen| *chosen == key) {
                    Some(place) => drop(selected.remove(place)),
                    None => selected.push(key),
                }
            })
        />
    }
}
