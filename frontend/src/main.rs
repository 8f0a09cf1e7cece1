//! The single-page UI of Model Registry.
//!
//! `app` has the routes and the frame; `pages` one file a route; `parts` what several pages share
//! and that talks to the server; `components` what does not; `graphql` the operations.

mod address;
mod api;
mod app;
mod check;
mod components;
mod diff;
mod error;
mod filter;
mod form;
mod format;
mod graphql;
mod later;
mod live;
mod pages;
mod parts;
mod picked;
mod preview;
mod session;
mod upload;

fn main() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(app::App);
}
