//! Link previews: what chats and search engines are told of a page that somebody links to, by Open Graph (<https://ogp.me>)
//! and the discovery of oEmbed. They run no script, so it stands in the page as it is sent.
//!
//! Only of what everybody may see, whoever asks: a page of a private project is sent as one that is not there.

use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::text::{escaped, line};
use crate::access::{self, Actor};
use crate::app::App;
use crate::config::Serve;
use crate::error::{Error, Result};
use crate::markdown::summary::summary;
use crate::registry::address;
use crate::registry::catalog::{model, version};
use crate::role::Visibility;

/// How long a title and a description are, in characters.
const MAX_TEXT: usize = 200;
pub(super) const SITE_NAME: &str = "Model Registry";

/// A page of the UI that has a preview.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    project: String,
    model: Option<String>,
    version: Option<String>,
}

impl Page {
    /// The page at a path, as the UI's router reads it; none for all others.
    pub(super) fn at(path: &str) -> Option<Self> {
        let segments = path.trim_matches('/').split('/');
        let decoded: Vec<_> = segments
            .map(|segment| percent_decode_str(segment).decode_utf8().ok())
            .collect::<Option<_>>()?;
        let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        let segments = match segments.as_slice() {
            ["-", "p", rest @ ..] => rest,
            [first, ..] if model_registry_names::is_reserved(first) => return None,
            all => all,
        };
        let (project, model, version) = match segments {
            [project] => (project, None, None),
            [_, "-", ..] => return None,
            [project, model] => (project, Some(model), None),
            [project, model, "versions", version] => (project, Some(model), Some(version)),
            _ => return None,
        };
        // What cannot be a project or version is not looked for.
        let is_version = version.is_none_or(|version| semver::Version::parse(version).is_ok());
        (model_registry_names::is_slug(project) && is_version).then(|| Self {
            project: (*project).to_owned(),
            model: model.map(|name| (*name).to_owned()),
            version: version.map(|version| (*version).to_owned()),
        })
    }
}

/// What a preview says.
pub(super) struct Preview {
    pub is_public: bool,
    pub title: String,
    description: String,
    page: String,
    feed: String,
    /// Of the card; a project has none.
    pub card: Option<String>,
}

impl Preview {
    /// Of a page that the caller may see.
    pub(super) async fn of(app: &App, actor: &Actor, page: &Page) -> Result<Self> {
        let config = &app.config;
        let Some(model) = &page.model else {
            let reader = access::reader(&app.db, actor, &page.project).await?;
            let project = reader.project();
            return Ok(Self {
                is_public: project.visibility == Visibility::Public,
                title: line(&project.name, MAX_TEXT),
                description: summary(&project.description, MAX_TEXT),
                page: address::at(config, &[&project.path]),
                feed: address::feed(config, &project.path, None),
                card: None,
            });
        };
        let path = format!("{}/{model}", page.project);
        let (reader, model) = model::sql::readable(&app.db, actor, &path).await?;
        let project = reader.project();
        let (project_path, name) = (project.path.as_str(), model.name.as_str());
        let version = match &page.version {
            Some(version) => Some(version::sql::get(&app.db, &model, version).await?),
            None => None,
        };
        let number = version.as_ref().map(|version| version.version.as_str());
        let notes = version.as_ref().map(|version| summary(&version.description, MAX_TEXT));
        let notes = notes.filter(|notes| !notes.is_empty());
        let mut segments = vec![project_path, name];
        segments.extend(number.iter().flat_map(|number| ["versions", *number]));
        let title = format!("{project_path}/{name} {}", number.unwrap_or_default());
        Ok(Self {
            is_public: project.visibility == Visibility::Public,
            title: line(&title, MAX_TEXT),
            description: notes.unwrap_or_else(|| summary(&model.description, MAX_TEXT)),
            page: address::at(config, &segments),
            feed: address::feed(config, project_path, Some(name)),
            card: Some(address::card(config, project_path, name, number)),
        })
    }

    fn tags(&self, config: &Serve) -> String {
        let (title, page) = (escaped(&self.title), escaped(&self.page));
        let mut tags = String::new();
        let mut say = |name: &str, content: &str| {
            tags.push_str(&format!("<meta property=\"{name}\" content=\"{content}\">"));
        };
        say("og:type", "website");
        say("og:site_name", SITE_NAME);
        say("og:title", &title);
        let description = escaped(&line(&self.description, MAX_TEXT));
        if !description.is_empty() {
            say("og:description", &description);
        }
        say("og:url", &page);
        tags.push_str("<meta name=\"twitter:card\" content=\"summary\">");
        let feed = escaped(&self.feed);
        tags.push_str(&format!(
            "<link rel=\"alternate\" type=\"application/atom+xml\" title=\"{title}\" href=\"{feed}\">"
        ));
        if self.card.is_some() {
            let base = config.public_url.as_ref().map(ToString::to_string).unwrap_or_default();
            let oembed = format!("{base}/oembed?format=json&url={}", address::segment(&self.page));
            tags.push_str(&format!(
                "<link rel=\"alternate\" type=\"application/json+oembed\" title=\"{title}\" href=\"{}\">",
                escaped(&oembed)
            ));
        }
        tags
    }
}

/// What stands in the head of the page at a path, where everybody may see what it is of. Without a public URL nobody knows
/// where that page is.
pub async fn tags(app: &App, request: &Parts, path: &str) -> Option<String> {
    app.config.public_url.as_ref()?;
    let page = Page::at(path)?;
    let nobody = Actor::of_network(&app.access, request);
    match Preview::of(app, &nobody, &page).await {
        Ok(preview) => preview.is_public.then(|| preview.tags(&app.config)),
        Err(Error::NotFound { .. }) => None,
        // The page itself is there, whatever else is not.
        Err(error) => {
            error.log();
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_known_by_their_paths() {
        let page = |project: &str, model: Option<&str>, version: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Some(Page { project: project.into(), model: owned(model), version: owned(version) })
        };
        for (path, expected) in [
            ("/vision", page("vision", None, None)),
            ("/vision/", page("vision", None, None)),
            ("/vision/a%20b", page("vision", Some("a b"), None)),
            ("/vision/ocr/versions/1.2.0", page("vision", Some("ocr"), Some("1.2.0"))),
            ("/-/p/feed/ocr", page("feed", Some("ocr"), None)),
            ("/", None),
            ("/feed", None),
            ("/settings/account", None),
            ("/-/models", None),
            ("/vision/-/members", None),
            ("/vision/-", None),
            ("/vision/ocr/versions/latest", None),
            ("/vision/ocr/versions", None),
            ("/Vision", None),
            ("/%ff", None),
        ] {
            assert_eq!(Page::at(path), expected, "{path}");
        }
    }
}
