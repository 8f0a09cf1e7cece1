//! Pages of lists: MLflow's page tokens are our cursors.

use super::error::{Failure, Result};
use super::message::Message;
use crate::app::App;
use crate::connection;
use crate::db::Row;
use crate::page::{Cursor, List, Page};

/// The page that a request asks for.
pub fn page(message: &Message, size: i64) -> Result<Page> {
    let token = message.text("page_token")?.filter(|token| !token.is_empty());
    let after = token.map(|token| Cursor::parse("page_token", &token)).transpose();
    let after =
        after.map_err(|_| Failure::invalid("Invalid page token, could not base64-decode"))?;
    Ok(Page { size, backward: false, after, before: None })
}

/// The rows of a page, and the token of the next.
pub async fn fetch<T: Row>(
    app: &App,
    list: &List,
    page: &Page,
    parent: Option<&str>,
) -> Result<(Vec<T>, Option<String>)> {
    let (rows, next) = connection::fetch(&app.db, list, page, parent).await?;
    Ok((rows, next.map(|cursor| cursor.encode())))
}
