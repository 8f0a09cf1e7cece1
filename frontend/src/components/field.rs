//! Form fields: a label, a control, a hint, and what is wrong with it.

use leptos::prelude::*;

/// What stands around a control. The message replaces the hint.
#[component]
pub fn Field(
    /// Of the control.
    id: &'static str,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: String,
    #[prop(optional)] required: bool,
    #[prop(into)] error: Signal<Option<String>>,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="space-y-1.5">
            <label class="block text-sm font-medium" for=id>
                {label}
                {(!required).then(|| view! { <span class="font-normal text-muted">" (optional)"</span> })}
            </label>
            {children()}
            <p id=format!("{id}-note") class="text-sm" aria-live="polite">
                {move || match error.get() {
                    Some(error) => view! { <span class="text-error">{error}</span> }.into_any(),
                    None => view! { <span class="text-muted">{hint.clone()}</span> }.into_any(),
                }}
            </p>
        </div>
    }
}

/// One line of text.
#[component]
pub fn TextField(
    id: &'static str,
    #[prop(into)] label: String,
    value: RwSignal<String>,
    #[prop(optional, into)] hint: String,
    #[prop(optional)] required: bool,
    /// Checked while typing.
    #[prop(optional)]
    check: Option<fn(&str) -> Option<String>>,
    /// What the server said about this field.
    #[prop(optional, into)]
    refused: Signal<Option<String>>,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] mono: bool,
    #[prop(optional)] autofocus: bool,
    #[prop(default = "off")] autocomplete: &'static str,
    #[prop(optional, into)] placeholder: String,
    /// What could be meant, each with a longer name.
    #[prop(optional)]
    suggestions: Option<Signal<Vec<(String, String)>>>,
) -> impl IntoView {
    let error = Signal::derive(move || {
        check.and_then(|check| check(&value.read())).or_else(|| refused.get())
    });
    let class = if mono { "input w-full font-mono text-sm" } else { "input w-full" };
    let node = NodeRef::<leptos::html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = node.get().filter(|_| autofocus) {
            // An input that is not shown cannot take focus; nothing is lost.
            let _ = input.focus();
        }
    });
    let note = format!("{id}-note");
    let list = suggestions.map(|_| format!("{id}-suggestions"));
    let suggested = suggestions.zip(list.clone()).map(|(suggestions, list)| {
        let option = |(value, name)| view! { <option value=value>{name}</option> };
        view! {
            <datalist id=list>
                {move || suggestions.get().into_iter().map(option).collect_view()}
            </datalist>
        }
    });
    view! {
        <Field id label hint required error>
            <input
                id=id
                name=id
                node_ref=node
                type=kind
                class=class
                class:input-error=move || error.read().is_some()
                required=required
                aria-invalid=move || error.read().is_some().then_some("true")
                aria-describedby=note
                autocomplete=autocomplete
                autocapitalize="off"
                spellcheck="false"
                placeholder=placeholder
                list=list
                prop:value=move || value.get()
                on:input:target=move |event| value.set(event.target().value())
            />
            {suggested}
        </Field>
    }
}

/// Yes or no.
#[component]
pub fn CheckField(#[prop(into)] label: String, value: RwSignal<bool>) -> impl IntoView {
    view! {
        <label class="flex w-fit cursor-pointer items-center gap-2 text-sm">
            <input
                type="checkbox"
                class="checkbox checkbox-sm"
                prop:checked=value
                on:change=move |_| value.update(|value| *value = !*value)
            />
            {label}
        </label>
    }
}

/// One of a few values.
#[component]
pub fn SelectField(
    id: &'static str,
    #[prop(into)] label: String,
    value: RwSignal<String>,
    /// Value and text.
    options: &'static [(&'static str, &'static str)],
    /// One more, whose text is not known before.
    #[prop(optional)]
    last: Option<(&'static str, String)>,
    #[prop(optional, into)] hint: String,
) -> impl IntoView {
    let note = format!("{id}-note");
    view! {
        <Field id label hint required=true error=Signal::stored(None::<String>)>
            <select
                id=id
                class="select w-full"
                aria-describedby=note
                prop:value=move || value.get()
                on:change:target=move |event| value.set(event.target().value())
            >
                {options
                    .iter()
                    .map(|(option, text)| view! {
                        <option value=*option selected=move || *value.read() == *option>{*text}</option>
                    })
                    .collect_view()}
                {last.map(|(option, text)| view! {
                    <option value=option selected=move || *value.read() == option>{text}</option>
                })}
            </select>
        </Field>
    }
}

/// The button that sends a form; it waits while the form is being sent.
#[component]
pub fn SubmitButton(
    #[prop(into)] text: String,
    #[prop(into)] pending: Signal<bool>,
    /// What keeps the form from being sent.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    #[prop(optional)] danger: bool,
) -> impl IntoView {
    let class = if danger { "btn btn-error" } else { "btn btn-primary" };
    view! {
        <button
            type="submit"
            class=class
            disabled=move || pending.get() || disabled.get()
        >
            <Show when=move || pending.get()>
                <span class="loading loading-spinner loading-sm" aria-hidden="true"></span>
            </Show>
            {text}
        </button>
    }
}
