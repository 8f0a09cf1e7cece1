//! oEmbed (<https://oembed.com>): `/oembed?url=…` gives who finds a link to a page of ours the card that can stand in its
//! place. It needs `--public-url`, which says what pages are ours.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::text::escaped;
use super::unfurl::{Page, Preview, SITE_NAME};
use super::{Answer, Visitor, wrong_query};
use crate::app::App;
use crate::config::public_url::PublicUrl;
use crate::error::{Error, Result};

/// The size of a card unless less is asked for, in pixels.
const WIDTH: u32 = 420;
const HEIGHT: u32 = 200;

#[derive(serde::Deserialize)]
pub struct Wanted {
    #[serde(default)]
    url: String,
    maxwidth: Option<u32>,
    maxheight: Option<u32>,
    format: Option<String>,
}

pub(super) async fn describe(
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: HeaderMap,
    visitor: Visitor,
) -> Result<Response> {
    let Query(wanted) = wanted.map_err(wrong_query)?;
    if !matches!(wanted.format.as_deref(), None | Some("json")) {
        let mut response = Error::invalid("format", "must be json").into_response();
        *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
        return Ok(response);
    }
    // Whatever the reason, the words are the same.
    let missing = || Error::not_found("page", wanted.url.as_str());
    let url = app.config.public_url.as_ref().ok_or_else(missing)?;
    let page = page_of(url, &wanted.url).ok_or_else(missing)?;
    let preview = match Preview::of(&app, &visitor.actor, &page).await {
        Err(Error::NotFound { .. }) => return Err(missing()),
        preview => preview?,
    };
    let card = preview.card.as_ref().ok_or_else(missing)?;
    let width = wanted.maxwidth.unwrap_or(WIDTH).min(WIDTH);
    let height = wanted.maxheight.unwrap_or(HEIGHT).min(HEIGHT);
    let html = format!(
        "<iframe src=\"{}\" title=\"{}\" width=\"{width}\" height=\"{height}\" frameborder=\"0\" loading=\"lazy\" \
         referrerpolicy=\"no-referrer\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\"></iframe>",
        escaped(card),
        escaped(&preview.title),
    );
    let described = serde_json::json!({
        "version": "1.0",
        "type": "rich",
        "html": html,
        "width": width,
        "height": height,
        "title": preview.title,
        "provider_name": SITE_NAME,
        "provider_url": url.to_string(),
        "cache_age": 300,
    });
    let answer = Answer {
        is_for_all: preview.is_public && visitor.actor.user().is_err(),
        headers: visitor.actor.deprecations.headers(),
        ..Answer::new("application/json", described.to_string())
    };
    Ok(answer.into_response_to(&request))
}

/// The page of ours that an address is of.
fn page_of(url: &PublicUrl, address: &str) -> Option<Page> {
    let (begin, _) = address.split_at_checked(url.origin.len())?;
    // Scheme and host are the same in whatever case; what follows is not.
    if !begin.eq_ignore_ascii_case(&url.origin) {
        return None;
    }
    let path = address[begin.len()..].strip_prefix(&url.base)?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path.starts_with('/') { Page::at(path) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_are_described() {
        let url: PublicUrl = "https://example.org/registry".parse().unwrap();
        for (address, is_ours) in [
            ("https://example.org/registry/vision/ocr", true),
            ("HTTPS://Example.org/registry/vision/ocr?x#y", true),
            ("https://example.org/vision/ocr", false),
            ("https://example.org/registryvision/ocr", false),
            ("https://example.org.evil.example/registry/vision/ocr", false),
            ("https://example.org@evil.example/registry/vision/ocr", false),
            ("https://evil.example/registry/vision/ocr", false),
            ("http://example.org/registry/vision/ocr", false),
            ("//example.org/registry/vision/ocr", false),
            ("javascript:alert(1)", false),
            ("", false),
            ("é", false),
        ] {
            assert_eq!(page_of(&url, address).is_some(), is_ours, "{address}");
        }
    }
}
