//! Markdown that users write, as HTML that is safe to show: comrak renders, ammonia sanitises.

use async_graphql::Object;
use comrak::{Options, markdown_to_html};

use crate::error::Result;
use crate::text;

#[derive(Default)]
pub struct MarkdownQuery;

#[Object]
impl MarkdownQuery {
    /// What a description would look like: markdown as sanitised HTML.
    async fn render_markdown(
        &self,
        #[graphql(desc = "Markdown, at most 64 KiB.")] text: String,
    ) -> Result<String> {
        Ok(to_html(&text::description("text", Some(text))?))
    }
}

/// GitHub-flavoured markdown as HTML without scripts, styles, forms or foreign frames.
pub fn to_html(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.front_matter_delimiter = Some("---".to_owned());
    options.render.r#unsafe = true; // ammonia decides what may stay, for all HTML alike
    let html = markdown_to_html(markdown, &options);
    ammonia::Builder::default()
        .add_generic_attributes(["align"])
        .add_tags(["input", "section"])
        .add_tag_attributes("input", ["checked", "disabled"])
        .set_tag_attribute_value("input", "type", "checkbox")
        .set_tag_attribute_value("input", "disabled", "")
        .add_allowed_classes(
            "div",
            [
                "markdown-alert",
                "markdown-alert-note",
                "markdown-alert-tip",
                "markdown-alert-important",
                "markdown-alert-warning",
                "markdown-alert-caution",
            ],
        )
        .add_allowed_classes("p", ["markdown-alert-title"])
        .add_allowed_classes("section", ["footnotes"])
        .id_prefix(Some("user-content-"))
        .link_rel(Some("noopener noreferrer nofollow"))
        .clean(&html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_tasks_stay_and_scripts_go() {
        let html = to_html(
            "| a |\n|---|\n| 1 |\n\n- [x] done\n\n<script>alert(1)</script><b onclick=x>b</b>",
        );
        assert!(html.contains("<td>1</td>"), "{html}");
        assert!(html.contains("checkbox"), "{html}");
        assert!(!html.contains("script") && !html.contains("onclick"), "{html}");
        assert!(!to_html("[x](javascript:alert(1))").contains("javascript"));
    }
}
