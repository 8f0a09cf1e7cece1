//! One file a route: what it asks, what it shows, and its private parts.

pub mod candidate;
pub mod candidates;
pub mod compare;
pub mod model;
pub mod model_card;
pub mod model_edit;
pub mod model_new;
pub mod not_found;
pub mod project;
pub mod project_edit;
pub mod project_new;
pub mod projects;
pub mod sign_in;
pub mod tokens;
pub mod trash;
pub mod version;
pub mod version_new;
pub mod versions;

use leptos::prelude::*;

use crate::{
    address,
    components::pager::Neighbours,
    graphql::{
        page::{PageInfo, Place},
        scalar::Visibility,
        viewer::Author,
    },
};

/// The place in a list that the address names.
fn use_place() -> Memo<Place> {
    let after = address::use_query("after");
    let before = address::use_query("before");
    Memo::new(move |_| Place { after: after.get(), before: before.get() })
}

fn neighbours(info: &PageInfo, total: i32, shown: usize) -> Neighbours {
    Neighbours {
        previous: info.start_cursor.clone().filter(|_| info.has_previous_page),
        next: info.end_cursor.clone().filter(|_| info.has_next_page),
        total,
        shown,
    }
}

/// An author as the component wants it.
fn person(author: Option<Author>) -> Option<(String, String)> {
    author.map(|author| (author.name, author.username))
}

/// What a visibility is called, and what it means.
const VISIBILITIES: &[(&str, &str)] = &[
    ("private", "Private: its members"),
    ("internal", "Internal: everyone who is signed in"),
    ("public", "Public: everyone who can reach this server"),
];

fn visibility_name(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Private => "private",
        Visibility::Internal => "internal",
        Visibility::Public => "public",
    }
}

fn visibility_of(name: &str) -> Visibility {
    match name {
        "internal" => Visibility::Internal,
        "public" => Visibility::Public,
        _ => Visibility::Private,
    }
}
