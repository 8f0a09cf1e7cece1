//! “Embed”: what to paste into other pages to show a model.

use leptos::prelude::*;

use crate::{
    components::{
        facts::SidePanel,
        snippets::{Snippet, Snippets},
    },
    graphql::scalar::Visibility,
    logic::address,
};

/// What shows a model or one of its versions elsewhere; with an embed token where not everybody sees it.
#[component]
pub fn EmbedPanel(
    /// The path of the model.
    #[prop(into)]
    model: Signal<String>,
    /// Which version; the latest one without.
    #[prop(optional, into)]
    version: MaybeProp<String>,
    #[prop(into)] visibility: Signal<Visibility>,
) -> impl IntoView {
    let is_public = Signal::derive(move || visibility.get() == Visibility::Public);
    let snippets = Signal::derive(move || {
        let token = (!is_public.get()).then_some(TOKEN);
        snippets(&address::registry(), &model.read(), version.get().as_deref(), token)
    });
    let tokens = move || {
        let project = model.read().split('/').next().unwrap_or_default().to_owned();
        address::project_page(&project, "tokens#embed")
    };
    view! {
        <SidePanel title="Embed">
            <p class="mb-2 text-sm text-muted">
                {move || match is_public.get() {
                    true => "Anybody can see these: the project is public. A page's script needs an embed token, or a server that allows its origin.".into_any(),
                    false => view! {
                        "Pages show these with an embed token. Maintainers "
                        <a class="link" href=tokens>"make one"</a>
                        "; put it in the place of EMBED_TOKEN."
                    }.into_any(),
                }}
            </p>
            <Snippets snippets id="embed"/>
        </SidePanel>
    }
}

/// What stands in the place of an embed token: no token of a person or of CI is offered for a page.
const TOKEN: &str = "EMBED_TOKEN";

/// A text as JavaScript, JSON and GraphQL write it, which can stand in a page: names may hold any character.
pub fn literal(text: &str) -> String {
    serde_json::json!(text).to_string().replace('<', "\\u003c")
}

/// A page's script that sends a query, with a token where one is needed.
pub fn script(registry: &str, token: Option<&str>, query: &str) -> String {
    let authorization =
        token.map(|token| format!("    Authorization: \"Bearer {token}\",\n")).unwrap_or_default();
    format!(
        "const answer = await fetch(\"{registry}/graphql\", {{\n  method: \"POST\",\n  headers: {{\n    \
         \"Content-Type\": \"application/json\",\n{authorization}  }},\n  \
         body: JSON.stringify({{ query: {} }}),\n}});\n",
        literal(query)
    )
}

fn snippets(
    registry: &str,
    model: &str,
    version: Option<&str>,
    token: Option<&str>,
) -> Vec<Snippet> {
    let fields = match version {
        Some(version) => {
            format!("version(ref: {}) {{ version publishedAt }}", literal(version))
        }
        None => "name latestVersion { version publishedAt }".to_owned(),
    };
    let query = format!("{{ modelsByPath(paths: [{}]) {{ {fields} }} }}", literal(model));
    let asked = script(registry, token, &query);
    let token = token.map(|token| format!("?token={token}")).unwrap_or_default();
    let path = address::encoded_path(model);
    let name = model.rsplit('/').next().unwrap_or(model);
    let reference = version.map_or_else(|| "latest".to_owned(), address::segment);
    let (page, at) = match version {
        Some(version) => (address::version(model, version), format!("@{reference}")),
        None => (address::model(model), String::new()),
    };
    let server = registry.strip_suffix(address::base()).unwrap_or(registry);
    // What means something in Markdown is no part of a text there.
    let shown = name.replace(['[', ']', '\\', '`', '<', '&', '*', '_', '!'], "");
    let badge =
        format!("[![{shown}]({registry}/badge/{path}/{reference}.svg{token})]({server}{page})\n");
    let card = format!(
        "<iframe src=\"{registry}/embed/{path}{at}{token}\" title=\"{}\"\n  width=\"420\" height=\"200\" style=\"border: 0\"></iframe>\n",
        address::segment(name)
    );
    vec![
        Snippet { name: "Badge", code: badge },
        Snippet { name: "Card", code: card },
        Snippet { name: "Feed", code: format!("{registry}/feed/{path}.atom{token}\n") },
        Snippet { name: "GraphQL", code: asked },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_names_the_model_and_its_version() {
        let code = |version| {
            let snippets = snippets("https://r.example.org", "vision/my ocr", version, None);
            snippets.into_iter().map(|snippet| snippet.code).collect::<String>()
        };
        let all = code(None);
        assert!(all.contains("(https://r.example.org/badge/vision/my%20ocr/latest.svg)](https://r.example.org/vision/my%20ocr)"), "{all}");
        assert!(all.contains("src=\"https://r.example.org/embed/vision/my%20ocr\""), "{all}");
        assert!(all.contains("\nhttps://r.example.org/feed/vision/my%20ocr.atom\n"), "{all}");
        let one = code(Some("1.0.0+a"));
        let query = r#""{ modelsByPath(paths: [\"vision/my ocr\"]) { version(ref: \"1.0.0+a\") { "#;
        assert!(one.contains(query), "{one}");
        assert_eq!(literal("a\"</script>"), r#""a\"\u003c/script>""#);
        assert!(
            script("https://r.example.org", Some("mre_x"), "{ a }")
                .contains("Bearer mre_x\",\n  },")
        );
        assert!(one.contains("/embed/vision/my%20ocr@1.0.0%2Ba\""), "{one}");
        assert!(one.contains("/badge/vision/my%20ocr/1.0.0%2Ba.svg)](https://r.example.org/vision/my%20ocr/versions/1.0.0%2Ba)"), "{one}");
    }
}
