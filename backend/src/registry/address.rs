//! Web addresses: where people and programs elsewhere find the pages and files of things.

use async_graphql::Context;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::loader::loaders;

/// One segment of a path, percent-encoded.
pub fn segment(text: &str) -> String {
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
    utf8_percent_encode(text, KEPT).to_string()
}

/// The address of what is at these segments; absolute if the server was told its public URL.
pub fn page(ctx: &Context<'_>, segments: &[&str]) -> String {
    let url = loaders(ctx).loader().app.config.public_url.as_ref();
    let base = url.map(ToString::to_string).unwrap_or_default();
    segments.iter().fold(base, |address, text| format!("{address}/{}", segment(text)))
}
