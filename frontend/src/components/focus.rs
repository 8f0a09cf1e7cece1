//! Where focus goes when what had it is gone.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// The id of the main part of the page, which has a tabindex, so that it takes focus.
pub const MAIN: &str = "main";

pub fn to_main() {
    let main = document().get_element_by_id(MAIN);
    if let Some(main) = main.and_then(|main| main.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = main.focus();
    }
}

/// Has the next key press and screen readers go on from the start of the content where, after a change of the page,
/// nothing has focus any more.
pub fn keep() {
    let refocus = || {
        if is_nowhere() {
            to_main();
        }
    };
    set_timeout(refocus, Duration::from_millis(80));
}

/// As [`keep`], unless nothing has focus now.
pub fn keep_if_any() {
    if !is_nowhere() {
        keep();
    }
}

fn is_nowhere() -> bool {
    document().active_element().is_none_or(|active| active.tag_name() == "BODY")
}
