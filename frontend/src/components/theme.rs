//! Light, dark, or what the system says.

use leptos::prelude::*;

use super::{
    icon::{self, Icon},
    menu::Menu,
};

const KEY: &str = "theme";

/// What the person chose: `light`, `dark`, or nothing for what the system says.
#[derive(Clone, Copy)]
pub struct Theme(RwSignal<String>);

/// Sets what was chosen last time. Storage may be refused; then the system decides.
pub fn provide() {
    let theme = stored();
    set(&theme);
    provide_context(Theme(RwSignal::new(theme)));
}

fn stored() -> String {
    window()
        .local_storage()
        .ok()
        .flatten()
        .and_then(|storage| storage.get_item(KEY).ok().flatten())
        .unwrap_or_default()
}

fn set(theme: &str) {
    let Some(root) = document().document_element() else {
        return;
    };
    // Neither call fails for these names.
    let _ = if theme.is_empty() {
        root.remove_attribute("data-theme")
    } else {
        root.set_attribute("data-theme", theme)
    };
}

#[component]
pub fn ThemeMenu() -> impl IntoView {
    let Theme(theme) = expect_context();
    let choose = move |choice: &'static str| {
        set(choice);
        if let Ok(Some(storage)) = window().local_storage() {
            // Full or refused storage: the choice holds for this visit.
            let _ = storage.set_item(KEY, choice);
        }
        theme.set(choice.to_owned());
    };
    let item = move |choice: &'static str, d: &'static str, name: &'static str| {
        view! {
            <li>
                <button
                    type="button"
                    aria-pressed=move || (*theme.read() == choice).to_string()
                    on:click=move |_| choose(choice)
                >
                    <Icon d/>
                    <span class="grow">{name}</span>
                    <Show when=move || *theme.read() == choice><Icon d=icon::CHECK/></Show>
                </button>
            </li>
        }
    };
    view! {
        <Menu
            label="Theme"
            class="btn btn-ghost btn-square"
            button=move || view! {
                {move || match theme.read().as_str() {
                    "light" => view! { <Icon d=icon::SUN class="size-5"/> }.into_any(),
                    "dark" => view! { <Icon d=icon::MOON class="size-5"/> }.into_any(),
                    _ => view! { <Icon d=icon::MONITOR class="size-5"/> }.into_any(),
                }}
            }
        >
            {item("light", icon::SUN, "Light")}
            {item("dark", icon::MOON, "Dark")}
            {item("", icon::MONITOR, "System")}
        </Menu>
    }
}
