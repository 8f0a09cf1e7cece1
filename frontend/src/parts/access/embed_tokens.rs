//! Embed tokens: make one for pages of other sites, see its secret once, list and revoke them.

use std::future::Future;

use leptos::prelude::*;

use super::{
    revocable::{Revocable, RevocableList},
    tokens::{EndField, Ends, LastUsed, NewSecret},
};
use crate::{
    components::{
        badge::Badge,
        failed::FormError,
        field::{CheckField, Field, SubmitButton, TextField},
        form::Submit,
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
    },
    graphql::embed_token::{self, CreateEmbedTokenInput, EmbedToken, RevokeEmbedTokenInput},
    logic::{address, error::ApiError, format, listed::listed},
    parts::models::embed,
};

/// A new token's secret, and what it is for: all models if there are none, and all queries if there is none.
#[derive(Clone)]
struct Made {
    secret: String,
    models: Vec<String>,
    query: Option<String>,
}

/// The embed tokens of a project.
#[component]
pub fn EmbedTokens(#[prop(into)] project: Signal<String>) -> impl IntoView {
    let tokens = Load::new(move || embed_token::list_of(project.get()));
    let made = RwSignal::new(None::<Made>);
    let changed = Callback::new(move |()| tokens.refetch());
    view! {
        <div class="grid grid-cols-[minmax(0,1fr)] items-start gap-6 xl:grid-cols-[20rem_minmax(0,1fr)]">
            <CreateEmbedToken project made on_change=changed/>
            <div class="space-y-4">
                {move || made.get().map(|made| {
                    let example = example(&address::registry(), &project.get(), &made);
                    view! { <NewSecret secret=made.secret introduction="In a page of one of its origins:" example/> }
                })}
                <Loaded from=tokens fallback=|| view! { <SkeletonRows rows=2/> } let:list>
                    <RevocableList list on_change=changed/>
                </Loaded>
            </div>
        </div>
    }
}

/// How a page asks with a token, which may be for some models only.
fn example(registry: &str, project: &str, Made { secret, models, query }: &Made) -> String {
    let fields = "name latestVersion { version }";
    let query = match query {
        Some(query) => query.clone(),
        None if models.is_empty() => format!("{{ models {{ nodes {{ {fields} }} }} }}"),
        None => {
            let path = |name: &String| embed::literal(&format!("{project}/{name}"));
            let paths = models.iter().map(path).collect::<Vec<_>>().join(", ");
            format!("{{ modelsByPath(paths: [{paths}]) {{ {fields} }} }}")
        }
    };
    embed::script(registry, Some(secret), &query)
}

/// The operations that a token is for: a query, or those of a manifest, which is JSON; all where nothing was written.
#[derive(Debug, PartialEq)]
enum Only {
    All,
    Query(String),
    Manifest(String),
}

impl Only {
    fn written(text: &str) -> Self {
        let text = text.trim();
        // No query goes on with a quote.
        let is_json = text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'));
        match text {
            "" => Self::All,
            _ if is_json => Self::Manifest(text.to_owned()),
            _ => Self::Query(text.to_owned()),
        }
    }

    /// What the token can be tried with.
    fn example(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Query(query) if !query.contains('$') && !query.starts_with("subscription") => {
                Some(query.clone())
            }
            Self::Query(_) | Self::Manifest(_) => {
                Some("the text of one of its operations".to_owned())
            }
        }
    }
}

#[component]
fn CreateEmbedToken(
    project: Signal<String>,
    made: RwSignal<Option<Made>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let origins = RwSignal::new(String::new());
    let models = RwSignal::new(String::new());
    let operations = RwSignal::new(String::new());
    let files = RwSignal::new(false);
    let ends = Ends::new();
    let submit = Submit::naming("name");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let only = listed(&models.read_untracked());
        let named = Only::written(&operations.read_untracked());
        let query = named.example();
        let (only_query, manifest) = match named {
            Only::All => (None, None),
            Only::Query(query) => (Some(vec![query]), None),
            Only::Manifest(manifest) => (None, Some(manifest)),
        };
        let input = CreateEmbedTokenInput {
            project: project.get_untracked(),
            name: name.get_untracked().trim().to_owned(),
            origins: listed(&origins.read_untracked()),
            expires_at: ends.at_latest(365),
            models: (!only.is_empty()).then(|| only.clone()),
            files: files.get_untracked(),
            operations: only_query,
            manifest,
        };
        submit.run(embed_token::create(input), move |secret| {
            made.set(Some(Made { secret, models: only, query }));
            for field in [name, origins, models, operations] {
                field.set(String::new());
            }
            on_change.run(());
        });
    };
    let blocked =
        Signal::derive(move || name.read().trim().is_empty() || listed(&origins.read()).is_empty());
    let (named, listed_in) = (submit.field("operations"), submit.field("manifest"));
    let refused = Signal::derive(move || named.get().or_else(|| listed_in.get()));
    view! {
        <form class="panel space-y-4 p-5" aria-label="New embed token" on:submit=send>
            <h3 class="font-semibold">"New embed token"</h3>
            <TextField
                id="embed-name" label="Name" value=name required=true
                hint="Which page it is for." refused=submit.field("name")
            />
            <TextField
                id="embed-origins" label="Origins" value=origins required=true mono=true
                placeholder="https://dash.example.org"
                hint="Whose pages may use it, separated by commas." refused=submit.field("origins")
            />
            <TextField
                id="embed-models" label="Models" value=models mono=true
                hint="Only these models, separated by commas; all of the project if empty."
                refused=submit.field("models")
            />
            <Field
                id="embed-operations" label="Operations" error=refused
                hint="Only these: a GraphQL query, or a persisted query manifest; all queries if empty."
            >
                <textarea
                    id="embed-operations"
                    rows="3"
                    class="textarea w-full font-mono text-sm"
                    aria-describedby="embed-operations-note"
                    spellcheck="false"
                    prop:value=operations
                    on:input:target=move |event| operations.set(event.target().value())
                ></textarea>
            </Field>
            <CheckField label="Pages can download files" value=files/>
            <EndField ends id="embed-expiry" is_endless=false/>
            <FormError error=submit.general(&["name", "origins", "models", "operations", "manifest"])/>
            <SubmitButton text="Create embed token" pending=submit.pending disabled=blocked/>
        </form>
    }
}

impl Revocable for EmbedToken {
    const KIND: &'static str = "Embed token";
    const LIST: &'static str = "Embed tokens";
    const NONE: &'static str = "No embed tokens yet";
    const PURPOSE: &'static str =
        "Create one to show this project in a dashboard or on an intranet page.";
    const WARNING: &'static str = "Pages that use this token stop showing the project immediately.";

    fn id(&self) -> &cynic::Id {
        &self.id
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn revoke(id: cynic::Id) -> impl Future<Output = Result<Self, ApiError>> + 'static {
        embed_token::revoke(RevokeEmbedTokenInput { id })
    }

    fn view(self) -> AnyView {
        let shown = match &self.models {
            Some(models) if models.is_empty() => "no models".to_owned(),
            Some(models) => {
                models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ")
            }
            None => "all models".to_owned(),
        };
        let operations = self.operation_count.map(|count| {
            format!(" · only {}", format::plural(count.into(), "operation", "operations"))
        });
        let until = self.expires_at.0.get(..10).unwrap_or_default().to_owned();
        view! {
            <p class="flex items-center gap-2">
                <span class="truncate font-medium">{self.name}</span>
                {self.files.then(|| view! { <Badge text="with files"/> })}
            </p>
            <p class="break-all font-mono text-sm">{self.origins.join(", ")}</p>
            <p class="text-sm text-muted">
                {shown} {operations} " · " <LastUsed at=self.last_used_at/> " · expires on " {until}
            </p>
        }
        .into_any()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_asks_for_what_the_token_is_for() {
        let of = |models: &[&str]| {
            let models = models.iter().map(|name| (*name).to_owned()).collect();
            let made = Made { secret: "mre_x".into(), models, query: None };
            example("https://r.example.org", "vision", &made)
        };
        assert!(of(&[]).contains(r#""{ models { nodes { name latestVersion { version } } } }""#));
        assert!(
            of(&["a", "b c"])
                .contains(r#""{ modelsByPath(paths: [\"vision/a\", \"vision/b c\"]) { name"#)
        );
        assert!(of(&[]).contains("Bearer mre_x"));
    }

    #[test]
    fn operations_are_a_query_or_a_manifest() {
        let query = " { models { totalCount } }\n";
        assert_eq!(Only::written(query), Only::Query(query.trim().to_owned()));
        let manifest = r#"{"ab": "{ a }"}"#;
        assert_eq!(Only::written(manifest), Only::Manifest(manifest.to_owned()));
        assert_eq!(Only::written(" \n"), Only::All);
    }
}
