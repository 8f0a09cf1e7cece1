//! The single-page UI of Model Registry.
//!
//! `app` has the routes and the frame, `lazy` the pages that come when they are first opened; `pages` is one file a route;
//! `parts` what several pages share and that talks to the server; `components` what does not; `graphql` the operations;
//! `logic` plain functions.

mod api;
mod app;
mod components;
mod graphql;
mod lazy;
mod live;
mod logic;
mod pages;
mod parts;
mod picked;
mod reach;
mod session;
mod upload;

fn main() {
    console_error_panic_hook::set_once();
    // What index.html shows until now.
    if let Some(shell) = leptos::prelude::document().get_element_by_id("shell") {
        shell.remove();
    }
    leptos::mount::mount_to_body(app::App);
}
