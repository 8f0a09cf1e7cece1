//! Feeds: `/feed/{project}.atom` and `/feed/{project}/{model}.atom`, the newest published versions as Atom (RFC 4287).

use async_graphql::ID;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use futures_util::future::try_join_all;

use super::text::{escaped, line, shown};
use super::{Visitor, not_utf8};
use crate::access;
use crate::access::project::Project;
use crate::app::App;
use crate::config::Serve;
use crate::error::{Error, Result};
use crate::markdown;
use crate::registry::address;
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::version::published::{self, MAX_NOTES, Published};
use crate::time::Timestamp;

const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// How long a title is, in characters.
const MAX_TITLE: usize = 200;

pub(super) async fn of_project(
    State(app): State<App>,
    address: Result<Path<String>, PathRejection>,
    request: HeaderMap,
    visitor: Visitor,
) -> Result<Response> {
    let Path(file) = address.map_err(not_utf8)?;
    let project = named(&file)?;
    let reader = access::reader(&app.db, &visitor.actor, project).await?;
    answer(&app, &visitor, reader.project(), None, &request).await
}

pub(super) async fn of_model(
    State(app): State<App>,
    address: Result<Path<(String, String)>, PathRejection>,
    request: HeaderMap,
    visitor: Visitor,
) -> Result<Response> {
    let Path((project, file)) = address.map_err(not_utf8)?;
    let path = format!("{project}/{}", named(&file)?);
    let (reader, model) = model::sql::readable(&app.db, &visitor.actor, &path).await?;
    answer(&app, &visitor, reader.project(), Some(&model), &request).await
}

/// What a feed is of, by its file name.
fn named(file: &str) -> Result<&str> {
    file.strip_suffix(".atom").ok_or_else(|| Error::not_found("feed", file))
}

async fn answer(
    app: &App,
    visitor: &Visitor,
    project: &Project,
    model: Option<&Model>,
    request: &HeaderMap,
) -> Result<Response> {
    let news = published::newest(&app.db, &project.id, model.map(|model| &model.id)).await?;
    // As many are rendered at once as may be (`App::rendering`); most have nothing to be rendered.
    let notes = try_join_all(news.iter().map(|news| rendered(app, &news.notes))).await?;
    let begun = model.map_or(project.created_at_ms, |model| model.created_at_ms);
    let id = model.map_or_else(|| ID::from(&project.id), |model| ID::from(&model.id));
    let model = model.map(|model| model.name.as_str());
    let feed = Feed { config: &app.config, project, model, id, begun };
    let atom = feed.atom(&news, &notes);
    let answer = visitor.answer(project, "application/atom+xml; charset=utf-8", atom);
    Ok(answer.with_policy(POLICY).into_response_to(request))
}

/// The release notes as sanitised HTML, or where they go on.
async fn rendered(app: &App, notes: &str) -> Result<String> {
    if notes.chars().count() <= MAX_NOTES {
        return markdown::rendered(app, notes).await;
    }
    // A line that is cut could open what is never closed.
    let kept: String = notes.chars().take(MAX_NOTES).collect();
    let kept = kept.rsplit_once('\n').map_or(kept.as_str(), |(lines, _)| lines);
    Ok(markdown::rendered(app, kept).await? + "<p>…</p>")
}

struct Feed<'a> {
    config: &'a Serve,
    project: &'a Project,
    model: Option<&'a str>,
    /// Of the model or project.
    id: ID,
    /// When there was no news yet.
    begun: Timestamp,
}

impl Feed<'_> {
    fn atom(&self, news: &[Published], notes: &[String]) -> String {
        let path = &self.project.path;
        let title = match self.model {
            Some(model) => format!("{path}/{model}"),
            None => line(&self.project.name, MAX_TITLE),
        };
        let itself = address::feed(self.config, path, self.model);
        let page = match self.model {
            Some(model) => address::at(self.config, &[path, model]),
            None => address::at(self.config, &[path]),
        };
        let updated = news.first().map_or(self.begun, |news| news.published_at_ms);
        let id = self.tag(self.begun, &self.id);
        let mut atom = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
             <id>{}</id>\n<title>{}</title>\n<updated>{}</updated>\n<author><name>{}</name></author>\n\
             <link rel=\"self\" type=\"application/atom+xml\" href=\"{}\"/>\n\
             <link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n",
            escaped(&id),
            shown(&format!("{title}: published versions"), MAX_TITLE),
            updated.to_rfc3339(),
            shown(&self.project.name, MAX_TITLE),
            escaped(&itself),
            escaped(&page),
        );
        for (news, notes) in news.iter().zip(notes) {
            atom.push_str(&self.entry(news, notes));
        }
        atom + "</feed>\n"
    }

    fn entry(&self, news: &Published, notes: &str) -> String {
        let Published { id, model, version, published_at_ms: at, .. } = news;
        let page = address::at(self.config, &[&self.project.path, model, "versions", version]);
        let content = match notes {
            "" => String::new(),
            html => format!("<content type=\"html\">{}</content>\n", escaped(html)),
        };
        format!(
            "<entry>\n<id>{}</id>\n<title>{}</title>\n<updated>{at}</updated>\n<published>{at}</published>\n\
             <link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n{content}</entry>\n",
            escaped(&self.tag(*at, &ID::from(id))),
            shown(&format!("{model} {version}"), MAX_TITLE),
            escaped(&page),
            at = at.to_rfc3339(),
        )
    }

    /// A name that stays the same wherever the entry is read (RFC 4151).
    fn tag(&self, at: Timestamp, id: &ID) -> String {
        let origin = self.config.public_url.as_ref().map(|url| url.origin.as_str());
        let host = origin.and_then(|origin| origin.split(['/', ':']).nth(3)).unwrap_or_default();
        let is_name = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        let host = if is_name { host } else { "localhost" };
        format!("tag:{host},{}:{}", at.to_civil().date(), id.as_str())
    }
}
