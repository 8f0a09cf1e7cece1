//! “Embed”: what to paste into other pages to show a model of a public project.

use leptos::prelude::*;

use crate::{
    components::{
        facts::SidePanel,
        snippets::{Snippet, Snippets},
    },
    graphql::scalar::Visibility,
    logic::address,
};

/// What shows a model or one of its versions elsewhere; nothing where only members see it.
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
    let snippets = Signal::derive(move || {
        snippets(&address::registry(), &model.read(), version.get().as_deref())
    });
    view! {
        <Show when=move || visibility.get() == Visibility::Public>
            <SidePanel title="Embed">
                <p class="mb-2 text-sm text-muted">"Anybody can see these: the project is public."</p>
                <Snippets snippets id="embed"/>
            </SidePanel>
        </Show>
    }
}

fn snippets(registry: &str, model: &str, version: Option<&str>) -> Vec<Snippet> {
    let path = address::encoded_path(model);
    let name = model.rsplit('/').next().unwrap_or(model);
    let reference = version.map_or_else(|| "latest".to_owned(), address::segment);
    let (page, at) = match version {
        Some(_) => (format!("{registry}/{path}/versions/{reference}"), format!("@{reference}")),
        None => (format!("{registry}/{path}"), String::new()),
    };
    // What means something in Markdown is no part of a text there.
    let shown = name.replace(['[', ']', '\\'], "");
    let badge = format!("[![{shown}]({registry}/badge/{path}/{reference}.svg)]({page})\n");
    let card = format!(
        "<iframe src=\"{registry}/embed/{path}{at}\" title=\"{}\"\n  width=\"420\" height=\"200\" style=\"border: 0\"></iframe>\n",
        address::segment(name)
    );
    vec![
        Snippet { name: "Badge", code: badge },
        Snippet { name: "Card", code: card },
        Snippet { name: "Feed", code: format!("{registry}/feed/{path}.atom\n") },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_names_the_model_and_its_version() {
        let code = |version| {
            let snippets = snippets("https://r.example.org", "vision/my ocr", version);
            snippets.into_iter().map(|snippet| snippet.code).collect::<String>()
        };
        let all = code(None);
        assert!(all.contains("(https://r.example.org/badge/vision/my%20ocr/latest.svg)](https://r.example.org/vision/my%20ocr)"), "{all}");
        assert!(all.contains("src=\"https://r.example.org/embed/vision/my%20ocr\""), "{all}");
        assert!(all.contains("\nhttps://r.example.org/feed/vision/my%20ocr.atom\n"), "{all}");
        let one = code(Some("1.0.0+a"));
        assert!(one.contains("/embed/vision/my%20ocr@1.0.0%2Ba\""), "{one}");
        assert!(one.contains("/badge/vision/my%20ocr/1.0.0%2Ba.svg)](https://r.example.org/vision/my%20ocr/versions/1.0.0%2Ba)"), "{one}");
    }
}
