//! Markdown that users write, as HTML that is safe to show: comrak renders, ammonia sanitises.

mod code;
pub mod front_matter;
mod math;
pub mod summary;

use async_graphql::{Context, Object};
use comrak::options::Plugins;
use comrak::{Options, markdown_to_html_with_plugins};

use crate::access::actor;
use crate::app::App;
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::page::LOOK_UP;
use crate::text;

#[derive(Default)]
pub struct MarkdownQuery;

#[Object]
impl MarkdownQuery {
    /// A preview of a description: Markdown as sanitised HTML.
    #[graphql(complexity = "LOOK_UP")]
    async fn render_markdown(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Markdown, at most 64 KiB.")] text: String,
    ) -> Result<String> {
        actor(ctx).user()?;
        render(ctx, &text::description("text", Some(text))?).await
    }
}

/// Renders on a thread that may take its time, of which few are used at once.
pub async fn render(ctx: &Context<'_>, markdown: &str) -> Result<String> {
    rendered(&loaders(ctx).loader().app, markdown).await
}

/// As [`render`], outside GraphQL.
pub async fn rendered(app: &App, markdown: &str) -> Result<String> {
    if markdown.is_empty() {
        return Ok(String::new());
    }
    let permits = app.rendering.clone();
    let permit = permits.acquire_owned().await.map_err(Error::internal)?;
    let markdown = markdown.to_owned();
    let rendered = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        to_html(&markdown)
    });
    rendered.await.map_err(Error::internal)
}

/// In bytes; memory is taken for what is used of it. A formula of the greatest length needs a third.
const STACK: usize = 64 << 20;

/// Whether a text nests so deeply that rendering it would take time in the square of its length.
fn is_too_nested(markdown: &str) -> bool {
    let marks =
        |line: &str| line.bytes().take_while(|b| b" \t>-+*0123456789.)".contains(b)).count();
    let runs = markdown.as_bytes().chunk_by(|a, b| a == b);
    markdown.lines().any(|line| marks(line) > 200)
        || runs.into_iter().any(|run| run.len() > 200 && b"*_~[]!`<&".contains(&run[0]))
        || markdown.matches('<').count() > 2000
        || markdown.matches("[^").count() > 500
}

/// GitHub-flavoured markdown as HTML without scripts, styles, forms or foreign frames.
fn to_html(markdown: &str) -> String {
    if is_too_nested(markdown) {
        return format!("<pre>{}</pre>", ammonia::clean_text(markdown));
    }
    // The parsers call themselves for what stands in something else, and a stack that ends, ends the server.
    stacker::grow(STACK, || to_rich_html(markdown))
}

fn to_rich_html(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.front_matter_delimiter = Some("---".to_owned());
    options.extension.math_dollars = true;
    options.render.r#unsafe = true; // ammonia decides what may stay, for all HTML alike
    let mut plugins = Plugins::default();
    let colours = code::Colours::new();
    plugins.render.codefence_syntax_highlighter = Some(&colours);
    let html = markdown_to_html_with_plugins(markdown, &options, &plugins);
    let html = ammonia::Builder::default()
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
        .add_allowed_classes("span", code::CLASSES)
        .add_tag_attributes("span", ["data-math-style"])
        .add_tag_attributes("code", ["data-math-style"])
        .id_prefix(Some("user-content-"))
        .link_rel(Some("noopener noreferrer nofollow"))
        .clean(&html)
        .to_string();
    front_matter::to_html(markdown) + &math::insert(html)
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

    #[test]
    fn code_is_coloured_and_mathematics_is_set() {
        let html = to_html("```rust\nfn main() {} // <b>\n```\n\n$\\frac{1}{2}$ and $5 or $6\n");
        assert!(html.contains("hl-storage") && html.contains("hl-comment"), "{html}");
        assert!(html.contains("&lt;b&gt;") && !html.contains("hl-source"), "{html}");
        assert!(html.contains("<mfrac>") && html.contains("$5 or $6"), "{html}");
        assert!(!to_html("<span class=\"btn fixed\">x</span>").contains("btn"));
    }

    #[test]
    fn no_formula_ends_the_server() {
        for piece in [
            r"\sqrt",
            r"\frac",
            r"\hat",
            r"\not",
            r"\pmod",
            r"\stackrel",
            r"\cfrac",
            r"\mathop",
            r"\H",
            r"\b",
            r"\left(",
            r"\begin{matrix}",
            r"\begin{array}{c}",
            r"\text{",
            r"\binom",
            r"\xrightarrow[",
            "{",
            "x^{",
            "x_{",
            "^",
            "'",
        ] {
            let formula = piece.repeat(1990 / piece.len());
            let closed = "}".repeat(formula.matches('{').count());
            to_html(&format!("$x{formula}$ and $x{formula} x$"));
            to_html(&format!("$x{}$", formula.replace('{', "{x") + &closed));
        }
    }

    #[test]
    fn what_would_take_for_ever_is_shown_as_it_is() {
        for piece in [">", "> ", "- ", "*", "<div>", "[^1]", "[", "`", "1) "] {
            let text = piece.repeat(65_536 / piece.len());
            assert!(to_html(&text).starts_with("<pre>"), "{piece}");
        }
        assert!(!is_too_nested(&"> a quote\n- a list\n".repeat(2000)));
        assert!(!is_too_nested(&format!("a\n{}\n", "-".repeat(120))));
    }
}
