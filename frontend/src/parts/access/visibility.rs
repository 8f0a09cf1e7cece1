//! What a visibility is called and means, and the field that chooses one.

use leptos::prelude::*;

use crate::{components::field::SelectField, graphql::scalar::Visibility, session::use_session};

/// From closed to open; the key is what forms hold.
const VISIBILITIES: &[(&str, &str)] = &[
    ("private", "Private – members only"),
    ("internal", "Internal – everyone who is signed in"),
    ("public", "Public – everyone who can reach this server"),
];

/// Those that everybody can choose, whatever the operator says.
const UP_TO_INTERNAL: usize = 2;

pub fn visibility_name(visibility: Visibility) -> &'static str {
    VISIBILITIES[visibility as usize].0
}

pub fn visibility_of(name: &str) -> Visibility {
    match name {
        "internal" => Visibility::Internal,
        "public" => Visibility::Public,
        _ => Visibility::Private,
    }
}

/// Who can see a project. Public is offered where the operator lets the viewer choose that, and where it is so already.
#[component]
pub fn VisibilityField(
    value: RwSignal<String>,
    /// Whether the project is public.
    #[prop(optional, into)]
    is_public: Signal<bool>,
) -> impl IntoView {
    let session = use_session();
    let with_public =
        Memo::new(move |_| session.allowance.read().make_projects_public || is_public.get());
    move || {
        let (options, hint) = if with_public.get() {
            (VISIBILITIES, "")
        } else {
            (&VISIBILITIES[..UP_TO_INTERNAL], "Only administrators can make projects public here.")
        };
        view! { <SelectField id="visibility" label="Visibility" value options hint/> }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visibilities_keep_their_names() {
        for visibility in [Visibility::Private, Visibility::Internal, Visibility::Public] {
            assert_eq!(visibility_of(visibility_name(visibility)), visibility);
        }
    }
}
