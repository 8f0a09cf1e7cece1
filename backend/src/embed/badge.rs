//! Badges: `/badge/{project}/{model}/{ref}.svg`, an image of two words for a README, and `.json`, from which shields.io
//! draws one (<https://shields.io/badges/endpoint-badge>).
//!
//! An image of what is not shown is one that says so: browsers and mirrors of READMEs show nothing for a 404.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::text::{escaped, line, number};
use super::{Answer, Found, Visitor, is_absence, not_utf8, wrong_query};
use crate::app::App;
use crate::error::{Error, Result};
use crate::registry::catalog::version::support::VersionSupport;
use crate::registry::catalog::version::{ModelVersion, VersionState, facts};

const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
/// How long each of the two texts is, in characters.
const MAX_TEXT: usize = 64;

#[derive(serde::Deserialize)]
pub struct Options {
    metric: Option<String>,
    label: Option<String>,
    style: Option<String>,
}

/// What a badge says.
struct Badge {
    label: String,
    message: String,
    color: Color,
    is_error: bool,
}

/// By the names that shields.io has for them.
#[derive(Clone, Copy)]
enum Color {
    Blue,
    Grey,
    Orange,
    Red,
}

impl Color {
    fn name(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Grey => "lightgrey",
            Self::Orange => "orange",
            Self::Red => "red",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Blue => "#007ec6",
            Self::Grey => "#9f9f9f",
            Self::Orange => "#fe7d37",
            Self::Red => "#e05d44",
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    address: Result<Path<(String, String, String)>, PathRejection>,
    options: Result<Query<Options>, QueryRejection>,
    request: HeaderMap,
    visitor: Result<Visitor>,
) -> Result<Response> {
    let Path((project, model, file)) = address.map_err(not_utf8)?;
    let Query(options) = options.map_err(wrong_query)?;
    let (reference, is_svg) = match (file.strip_suffix(".svg"), file.strip_suffix(".json")) {
        (Some(reference), _) => (reference, true),
        (None, Some(reference)) => (reference, false),
        (None, None) => return Err(Error::not_found("badge", file)),
    };
    let found = async {
        let visitor = visitor?;
        let found = visitor.find(&app, &project, &model, Some(reference)).await?;
        let badge = badge(&app, &found, &options).await?;
        Ok::<_, Error>((visitor, found, badge))
    };
    let drawn = |badge: &Badge| match is_svg {
        true => ("image/svg+xml; charset=utf-8", badge.svg(options.style.as_deref())),
        false => ("application/json", badge.json().to_string()),
    };
    let answer = match found.await {
        Ok((visitor, found, badge)) => {
            let (content_type, body) = drawn(&badge);
            visitor.answer(&found.project, content_type, body)
        }
        Err(error) if is_absence(&error, &request) => {
            let (content_type, body) = drawn(&Badge::absent(&model, &options, &error));
            let mut answer = Answer::new(content_type, body);
            answer.headers = error.headers();
            // Nobody keeps that one for longer than it is so.
            let is_shown = is_svg && !matches!(error, Error::TooOften { .. });
            if is_shown { answer } else { answer.with_status(error.status()) }
        }
        Err(error) => return Err(error),
    };
    Ok(answer.with_policy(POLICY).into_response_to(&request))
}

/// The version, or one of its metrics.
async fn badge(app: &App, found: &Found, options: &Options) -> Result<Badge> {
    let version = found.version.as_ref().ok_or_else(|| Error::not_found("version", ""))?;
    let (label, message) = match &options.metric {
        Some(name) => {
            let metrics = facts::metrics(&app.db, version, &[name.as_str()]).await?;
            let metric = metrics.first().ok_or_else(|| Error::not_found("metric", name))?;
            (name, number(metric.value))
        }
        None => (&found.model.name, version.version.clone()),
    };
    let (color, state) = state(version);
    let message = match state {
        Some(state) => format!("{} {state}", line(&message, MAX_TEXT - 1 - state.len())),
        None => message,
    };
    Ok(Badge::new(options.label(label), &message, color))
}

fn state(version: &ModelVersion) -> (Color, Option<&'static str>) {
    match (version.support_state(), version.state) {
        (VersionSupport::Yanked, _) => (Color::Red, Some("yanked")),
        (VersionSupport::Deprecated, _) => (Color::Orange, Some("deprecated")),
        (VersionSupport::Active, VersionState::Draft) => (Color::Grey, Some("draft")),
        (VersionSupport::Active, VersionState::Published) => (Color::Blue, None),
    }
}

impl Options {
    /// What was asked for to stand on the left, or else `label`.
    fn label<'a>(&'a self, label: &'a str) -> &'a str {
        self.label.as_deref().filter(|label| !line(label, MAX_TEXT).is_empty()).unwrap_or(label)
    }
}

impl Badge {
    fn new(label: &str, message: &str, color: Color) -> Self {
        // Some old names may be of characters that are not shown.
        let some = |text: &str| Some(line(text, MAX_TEXT)).filter(|text| !text.is_empty());
        let (label, message) = (some(label), some(message));
        Self {
            label: label.unwrap_or_else(|| "model".to_owned()),
            message: message.unwrap_or_else(|| "?".to_owned()),
            color,
            is_error: false,
        }
    }

    /// Of what is not shown. It names only what was asked for.
    fn absent(model: &str, options: &Options, error: &Error) -> Self {
        let message = match error {
            Error::OnlyYanked { .. } => "yanked",
            Error::Unauthenticated(_) => "token not valid",
            Error::Forbidden(_) => "not allowed",
            Error::TooOften { .. } => "try again later",
            _ => "not found",
        };
        let label = options.label(options.metric.as_deref().unwrap_or(model));
        Self { is_error: true, ..Self::new(label, message, Color::Grey) }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "schemaVersion": 1,
            "label": self.label,
            "message": self.message,
            "color": self.color.name(),
            "cacheSeconds": 300,
            "isError": self.is_error,
        })
    }

    /// As shields.io draws it, `flat` or `flat-square`.
    fn svg(&self, style: Option<&str>) -> String {
        let is_square = style == Some("flat-square");
        let (label, message) = (escaped(&self.label), escaped(&self.message));
        let (left, right) = (width(&self.label), width(&self.message));
        // Ten pixels beside each text.
        let (left_box, right_box) = (left + 10, right + 10);
        let whole = left_box + right_box;
        let round = if is_square { 0 } else { 3 };
        let color = self.color.code();
        let shine = match is_square {
            true => String::new(),
            false => format!("<rect width=\"{whole}\" height=\"20\" fill=\"url(#s)\"/>"),
        };
        let text = |text: &str, middle: usize, width: usize| {
            let at = |y: u32, paint: &str| {
                format!(
                    "<text x=\"{middle}\" y=\"{y}\" {paint}textLength=\"{width}\">{text}</text>"
                )
            };
            // A shadow, and the text.
            match is_square {
                true => at(14, ""),
                false => {
                    at(15, "aria-hidden=\"true\" fill=\"#010101\" fill-opacity=\".3\" ")
                        + &at(14, "")
                }
            }
        };
        let texts =
            text(&label, left_box / 2, left) + &text(&message, left_box + right_box / 2, right);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" \
             aria-label=\"{label}: {message}\"><title>{label}: {message}</title>\
             <linearGradient id=\"s\" x2=\"0\" y2=\"100%\"><stop offset=\"0\" stop-color=\"#bbb\" stop-opacity=\".1\"/>\
             <stop offset=\"1\" stop-opacity=\".1\"/></linearGradient>\
             <clipPath id=\"r\"><rect width=\"{whole}\" height=\"20\" rx=\"{round}\" fill=\"#fff\"/></clipPath>\
             <g clip-path=\"url(#r)\"><rect width=\"{left_box}\" height=\"20\" fill=\"#555\"/>\
             <rect x=\"{left_box}\" width=\"{right_box}\" height=\"20\" fill=\"{color}\"/>{shine}</g>\
             <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,Geneva,DejaVu Sans,sans-serif\" \
             text-rendering=\"geometricPrecision\" font-size=\"11\">{texts}</g></svg>"
        )
    }
}

/// How wide Verdana draws `' '..='~'`, in 2048ths of its size.
const WIDTHS: [u32; 95] = [
    720, 806, 940, 1676, 1302, 2204, 1488, 550, 930, 930, 1302, 1676, 745, 930, 745,
    930, // to /
    1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 1302, 930, 930, 1676, 1676, 1676,
    1117, // to ?
    2048, 1400, 1404, 1430, 1578, 1295, 1177, 1588, 1539, 862, 931, 1419, 1140, 1726, 1532,
    1612, // to O
    1235, 1612, 1424, 1400, 1262, 1499, 1400, 2025, 1403, 1260, 1403, 930, 930, 930, 1676,
    1302, // to _
    1302, 1230, 1276, 1067, 1276, 1220, 720, 1276, 1296, 562, 705, 1212, 562, 1992, 1296,
    1243, // to o
    1276, 1276, 874, 1067, 807, 1296, 1212, 1676, 1212, 1212, 1076, 1300, 930, 1300, 1676,
];

/// About how wide a text is at a size of 11, in pixels. It is drawn as wide as that, in whatever font there is.
fn width(text: &str) -> usize {
    let of = |character: char| match character {
        ' '..='~' => WIDTHS[character as usize - ' ' as usize],
        // Letters with marks, Greek, Cyrillic, and then those that are as wide as high.
        '\u{7f}'..'\u{1100}' => 1300,
        _ => 2048,
    };
    let units: u32 = text.chars().map(of).sum();
    (units * 11).div_ceil(2048) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_as_wide_as_its_texts() {
        assert_eq!(width(""), 0);
        assert_eq!(width("1.2.0"), 29);
        assert!(width("ocr") < width("OCR"));
        let badge = Badge::new("</text><script>", &"漢".repeat(100), Color::Blue);
        let svg = badge.svg(None);
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"), "{svg}");
        assert!(svg.len() < 8000 && badge.message.chars().count() == MAX_TEXT, "{}", svg.len());
        assert!(!badge.svg(Some("flat-square")).contains("url(#s)"));
    }
}
