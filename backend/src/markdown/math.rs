//! Mathematics in markdown: what stands between dollars, in LaTeX, as MathML, which browsers show by themselves.

use std::sync::LazyLock;

use ammonia::Builder;
use pulldown_latex::config::{DisplayMode, RenderConfig};
use pulldown_latex::{Parser, Storage, push_mathml};

/// In sanitised HTML: what stands before a formula, what after it, and whether it has a line of its own.
const PLACES: [(&str, &str, DisplayMode); 3] = [
    ("<span data-math-style=\"inline\">", "</span>", DisplayMode::Inline),
    ("<span data-math-style=\"display\">", "</span>", DisplayMode::Block),
    ("<pre><code data-math-style=\"display\">", "</code></pre>", DisplayMode::Block),
];
/// The longest formula, in bytes; a longer one is shown as it was written.
const MAX_LENGTH: usize = 2000;
const MAX_FORMULAS: usize = 300;
/// How many elements of MathML stand in each other at most: browsers lay them out level by level.
const MAX_DEPTH: usize = 50;
/// With these a short formula could become one without end.
const MACROS: [&str; 7] =
    ["\\def", "\\let", "\\gdef", "\\edef", "\\xdef", "\\newcommand", "\\renewcommand"];

static CLEAN: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .add_tags([
            "math",
            "mi",
            "mn",
            "mo",
            "mrow",
            "mfrac",
            "msup",
            "msub",
            "msubsup",
            "munder",
            "mover",
            "munderover",
            "msqrt",
            "mroot",
            "mtable",
            "mtr",
            "mtd",
            "mtext",
            "mspace",
            "mpadded",
            "mphantom",
            "mstyle",
            "mmultiscripts",
            "mprescripts",
        ])
        .add_generic_attributes([
            "accent",
            "accentunder",
            "display",
            "displaystyle",
            "fence",
            "form",
            "height",
            "largeop",
            "linethickness",
            "lspace",
            "mathvariant",
            "maxsize",
            "minsize",
            "movablelimits",
            "rspace",
            "scriptlevel",
            "separator",
            "stretchy",
            "symmetric",
            "width",
        ]);
    builder
});

/// Sanitised HTML, with its formulas as MathML. What is no LaTeX stays as it was written.
pub fn insert(html: String) -> String {
    if !html.contains("data-math-style") {
        return html;
    }
    let mut inserted = String::with_capacity(html.len() * 2);
    let mut rest = html.as_str();
    for _ in 0..MAX_FORMULAS {
        let found = PLACES
            .iter()
            .filter_map(|place| Some((rest.find(place.0)?, place)))
            .min_by_key(|(at, _)| *at);
        let Some((at, (open, close, mode))) = found else { break };
        let (before, formula) = (&rest[..at], &rest[at + open.len()..]);
        inserted.push_str(before);
        // Anything but text in it is not what markdown made of dollars.
        let end = formula.find('<').filter(|end| formula[*end..].starts_with(close));
        match end.and_then(|end| Some((end, to_mathml(&written(&formula[..end]), *mode)?))) {
            Some((end, mathml)) => {
                inserted.push_str(&mathml);
                rest = &formula[end + close.len()..];
            }
            None => {
                inserted.push_str(open);
                rest = formula;
            }
        }
    }
    inserted.push_str(rest);
    inserted
}

/// The text that escaped text in sanitised HTML stands for.
fn written(escaped: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", " "), ("&amp;", "&")];
    entities
        .iter()
        .fold(escaped.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

fn to_mathml(latex: &str, display_mode: DisplayMode) -> Option<String> {
    if latex.len() > MAX_LENGTH || MACROS.iter().any(|name| latex.contains(name)) {
        return None;
    }
    let storage = Storage::new();
    let events: Vec<_> = Parser::new(latex, &storage).collect::<Result<_, _>>().ok()?;
    let config = RenderConfig { display_mode, ..RenderConfig::default() };
    let mut mathml = String::new();
    let events = events.into_iter().map(Ok::<_, std::fmt::Error>);
    push_mathml(&mut mathml, events, config).ok()?;
    let mathml = CLEAN.clean(&mathml).to_string();
    (depth(&mathml) <= MAX_DEPTH).then_some(mathml)
}

/// How many elements stand in each other where it is deepest.
fn depth(mathml: &str) -> usize {
    let levels = mathml.split('<').skip(1).scan(0_usize, |level, tag| {
        *level = if tag.starts_with('/') { *level - 1 } else { *level + 1 };
        Some(*level)
    });
    levels.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_mathml_and_nothing_else_does() {
        let html =
            insert("<p><span data-math-style=\"inline\">a &lt; \\frac{1}{2}</span> x</p>".into());
        assert!(html.starts_with("<p><math"), "{html}");
        assert!(
            html.contains("<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>"),
            "{html}"
        );
        assert!(html.contains("&lt;") && html.ends_with("</math> x</p>"), "{html}");
        let block = insert("<pre><code data-math-style=\"display\">x^2\n</code></pre>".into());
        assert!(block.contains("display=\"block\"") && block.contains("<msup>"), "{block}");
        for kept in [
            "<span data-math-style=\"inline\">\\frac{</span>",
            "<span data-math-style=\"inline\">x <b>y</b></span>",
            "<span data-math-style=\"inline\">\\def\\a{\\a\\a}\\a</span>",
            &format!(
                "<span data-math-style=\"inline\">{}</span>",
                "x^{".repeat(600) + &"}".repeat(600)
            ),
        ] {
            assert_eq!(insert(kept.to_owned()), kept);
        }
    }

    #[test]
    fn only_so_much_stands_in_each_other() {
        let roots = |count| r"\sqrt{".repeat(count) + "x" + &"}".repeat(count);
        assert!(to_mathml(&roots(MAX_DEPTH / 3), DisplayMode::Inline).is_some());
        assert_eq!(to_mathml(&roots(MAX_DEPTH), DisplayMode::Inline), None);
        let row = r"\frac{1}{2}+".repeat(100) + "1";
        assert!(to_mathml(&row, DisplayMode::Inline).is_some());
    }

    #[test]
    fn nothing_runs_in_a_formula() {
        for latex in [
            r"\text{<img src=x onerror=alert(1)>}",
            r"\href{javascript:alert(1)}{x}",
            r"\class{btn}{x} \style{position:fixed}{x} \color{red} x",
            r#"\operatorname{" onmouseover="alert(1)}"#,
            r"\htmlId{a}{x}\mathrm{</math><script>alert(1)</script>}",
        ] {
            let mathml = to_mathml(latex, DisplayMode::Inline).unwrap_or_default();
            for part in mathml.split('<').skip(1) {
                let tag = &part[..part.find('>').unwrap()];
                assert!(
                    !["img", "script", "a ", "style", "onmouse"]
                        .iter()
                        .any(|bad| tag.contains(bad)),
                    "{mathml}"
                );
            }
        }
    }
}
