//! Web addresses: where people and programs elsewhere find the pages and files of things.

use async_graphql::Context;
use model_registry_names as names;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::Serve;
use crate::loader::loaders;

/// One segment of a path, percent-encoded.
pub fn segment(text: &str) -> String {
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
    utf8_percent_encode(text, KEPT).to_string()
}

/// The address of what is at these segments; absolute if the server was told its public URL.
pub fn page(ctx: &Context<'_>, segments: &[&str]) -> String {
    at(&loaders(ctx).loader().app.config, segments)
}

/// As [`page`], outside GraphQL. The pages of a project whose path the server took for itself are below `/-/p/`.
pub fn at(config: &Serve, segments: &[&str]) -> String {
    let base = config.public_url.as_ref().map(ToString::to_string).unwrap_or_default();
    let moved = segments.first().is_some_and(|first| names::is_moved(first));
    let before: &[&str] = if moved { &["-", "p"] } else { &[] };
    let all = before.iter().chain(segments);
    all.fold(base, |address, text| format!("{address}/{}", segment(text)))
}

/// The address of the files of a version.
pub fn files(config: &Serve, project: &str, model: &str, version: &str) -> String {
    let base = config.public_url.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{base}/files/{}/{}/{}", segment(project), segment(model), segment(version))
}

/// The address of a card: of what `reference` names, or else of the latest version.
pub fn card(config: &Serve, project: &str, model: &str, reference: Option<&str>) -> String {
    let base = config.public_url.as_ref().map(ToString::to_string).unwrap_or_default();
    let reference = reference.map(|text| format!("@{}", segment(text))).unwrap_or_default();
    format!("{base}/embed/{}/{}{reference}", segment(project), segment(model))
}

/// The address of the feed of a project, or of one model.
pub fn feed(config: &Serve, project: &str, model: Option<&str>) -> String {
    let base = config.public_url.as_ref().map(ToString::to_string).unwrap_or_default();
    let model = model.map(|name| format!("/{}", segment(name))).unwrap_or_default();
    format!("{base}/feed/{}{model}.atom", segment(project))
}
