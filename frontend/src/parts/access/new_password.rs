//! A new password, typed twice.

use leptos::prelude::*;

use crate::{components::field::TextField, logic::check};

/// What was typed, and whether it will do.
#[derive(Clone, Copy)]
pub struct NewPassword {
    pub value: RwSignal<String>,
    pub repeated: RwSignal<String>,
}

impl NewPassword {
    pub fn new() -> Self {
        Self { value: RwSignal::new(String::new()), repeated: RwSignal::new(String::new()) }
    }

    pub fn ready(self) -> bool {
        !self.value.read().is_empty()
            && check::password(&self.value.read()).is_none()
            && *self.value.read() == *self.repeated.read()
    }

    pub fn clear(self) {
        self.value.set(String::new());
        self.repeated.set(String::new());
    }
}

#[component]
pub fn NewPasswordFields(
    password: NewPassword,
    /// What the server said about it.
    #[prop(into)]
    refused: Signal<Option<String>>,
) -> impl IntoView {
    let NewPassword { value, repeated } = password;
    let differs = Signal::derive(move || {
        (!repeated.read().is_empty() && *repeated.read() != *value.read())
            .then(|| "The passwords don't match.".to_owned())
    });
    view! {
        <TextField
            id="new-password" label="New password" value required=true kind="password"
            autocomplete="new-password" check=check::password refused
            hint="At least 12 characters."
        />
        <TextField
            id="repeat-password" label="Repeat the new password" value=repeated required=true kind="password"
            autocomplete="new-password" refused=differs
        />
    }
}
