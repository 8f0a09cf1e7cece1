//! The server's markdown renderer, for previews.

use cynic::QueryBuilder;

use super::schema;
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::QueryVariables)]
struct RenderVariables {
    text: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "RenderVariables")]
struct Render {
    #[arguments(text: $text)]
    render_markdown: String,
}

/// Sanitised HTML, exactly as the text will look when it is saved.
pub async fn render(text: String) -> Result<String, ApiError> {
    Ok(run(Render::build(RenderVariables { text })).await?.render_markdown)
}
