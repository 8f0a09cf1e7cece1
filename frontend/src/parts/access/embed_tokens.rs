//! Embed tokens: make one for pages of other sites, see its secret once, list and revoke them.

use leptos::prelude::*;

use super::tokens::{EndField, Ends, NewSecret};
use crate::{
    components::{
        badge::Badge,
        confirm::Confirm,
        empty::Empty,
        failed::FormError,
        field::{CheckField, SubmitButton, TextField},
        form::Submit,
        icon,
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
        time::Time,
        toast::use_toasts,
    },
    graphql::embed_token::{self, CreateEmbedTokenInput, EmbedToken, RevokeEmbedTokenInput},
    logic::{address, format},
    parts::tags::report,
};

/// A new token's secret, and the models that it is for; all if there are none.
#[derive(Clone)]
struct Made {
    secret: String,
    models: Vec<String>,
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
                    <EmbedTokenList list on_change=changed/>
                </Loaded>
            </div>
        </div>
    }
}

/// How a page asks with a token, which may be for some models only.
fn example(registry: &str, project: &str, Made { secret, models }: &Made) -> String {
    let fields = "name latestVersion { version }";
    let query = match models.is_empty() {
        true => format!("{{ models {{ nodes {{ {fields} }} }} }}"),
        false => {
            let paths: Vec<_> = models.iter().map(|name| format!("{project}/{name}")).collect();
            format!("{{ modelsByPath(paths: {paths:?}) {{ {fields} }} }}")
        }
    };
    format!(
        "const answer = await fetch(\"{registry}/graphql\", {{\n  method: \"POST\",\n  headers: {{\n    \
         \"Content-Type\": \"application/json\",\n    Authorization: \"Bearer {secret}\",\n  }},\n  \
         body: JSON.stringify({{ query: `{query}` }}),\n}});\n"
    )
}

/// What was written between commas and spaces.
fn listed(text: &str) -> Vec<String> {
    let parts = text.split([',', ' ', '\n']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
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
    let files = RwSignal::new(false);
    let ends = Ends::new();
    let submit = Submit::naming("name");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let only = listed(&models.read_untracked());
        let input = CreateEmbedTokenInput {
            project: project.get_untracked(),
            name: name.get_untracked().trim().to_owned(),
            origins: listed(&origins.read_untracked()),
            expires_at: ends.at_latest(365),
            models: (!only.is_empty()).then(|| only.clone()),
            files: files.get_untracked(),
            manifest: None,
        };
        submit.run(embed_token::create(input), move |secret| {
            made.set(Some(Made { secret, models: only }));
            for field in [name, origins, models] {
                field.set(String::new());
            }
            on_change.run(());
        });
    };
    let blocked =
        Signal::derive(move || name.read().trim().is_empty() || listed(&origins.read()).is_empty());
    view! {
        <form class="panel space-y-4 p-5" on:submit=send>
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
            <CheckField label="Pages can download files" value=files/>
            <EndField ends id="embed-expiry" is_endless=false/>
            <FormError error=submit.general(&["name", "origins", "models"])/>
            <SubmitButton text="Create embed token" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn EmbedTokenList(list: Memo<Vec<EmbedToken>>, on_change: Callback<()>) -> impl IntoView {
    let asked = RwSignal::new(None::<EmbedToken>);
    let open = RwSignal::new(false);
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let revoke = move |()| {
        let Some(token) = asked.get_untracked() else {
            return;
        };
        submit.run(embed_token::revoke(RevokeEmbedTokenInput { id: token.id }), move |token| {
            open.set(false);
            toasts.success(format!("Embed token “{}” revoked.", token.name));
            on_change.run(());
        });
    };
    let ask = Callback::new(move |token: EmbedToken| {
        asked.set(Some(token));
        open.set(true);
    });
    let name = move || asked.with(|token| token.as_ref().map(|token| token.name.clone()));
    view! {
        <Show
            when=move || !list.read().is_empty()
            fallback=|| view! {
                <Empty d=icon::KEY title="No embed tokens yet">
                    <p>"Create one to show this project in a dashboard or on an intranet page."</p>
                </Empty>
            }
        >
            <ul class="panel divide-y divide-base-300" aria-label="Embed tokens">
                <For each=move || list.get() key=|token| token.id.inner().to_owned() let:token>
                    <EmbedTokenLine token ask/>
                </For>
            </ul>
        </Show>
        <Confirm
            open
            title=Signal::derive(move || format!("Revoke “{}”?", name().unwrap_or_default()))
            action="Revoke embed token"
            danger=true
            pending=submit.pending
            on_confirm=revoke
        >
            <p>"Pages that use this token stop showing the project immediately. This can't be undone."</p>
        </Confirm>
    }
}

#[component]
fn EmbedTokenLine(token: EmbedToken, ask: Callback<EmbedToken>) -> impl IntoView {
    let shown = match &token.models {
        Some(models) if models.is_empty() => "no models".to_owned(),
        Some(models) => {
            models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ")
        }
        None => "all models".to_owned(),
    };
    let operations = token.operation_count.map(|count| {
        format!(" · only {}", format::plural(count.into(), "operation", "operations"))
    });
    let origins = token.origins.join(", ");
    let until = token.expires_at.0.get(..10).unwrap_or_default().to_owned();
    let last_used = token.last_used_at.clone();
    let (name, files) = (token.name.clone(), token.files);
    view! {
        <li class="flex items-center justify-between gap-4 p-4">
            <div class="min-w-0">
                <p class="flex items-center gap-2">
                    <span class="truncate font-medium">{name}</span>
                    {files.then(|| view! { <Badge text="with files"/> })}
                </p>
                <p class="break-all font-mono text-sm">{origins}</p>
                <p class="text-sm text-muted">
                    {shown} {operations} " · "
                    {match last_used {
                        Some(at) => view! { "last used " <Time at=at.0/> }.into_any(),
                        None => view! { "never used" }.into_any(),
                    }}
                    " · expires on " {until}
                </p>
            </div>
            <button
                type="button"
                class="btn btn-sm btn-outline btn-error"
                on:click=move |_| ask.run(token.clone())
            >
                "Revoke"
            </button>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_asks_for_what_the_token_is_for() {
        let of = |models: &[&str]| {
            let models = models.iter().map(|name| (*name).to_owned()).collect();
            example("https://r.example.org", "vision", &Made { secret: "mre_x".into(), models })
        };
        assert!(of(&[]).contains("`{ models { nodes { name latestVersion { version } } } }`"));
        assert!(
            of(&["a", "b c"])
                .contains(r#"`{ modelsByPath(paths: ["vision/a", "vision/b c"]) { name"#)
        );
        assert!(of(&[]).contains("Bearer mre_x"));
    }

    #[test]
    fn origins_are_separated_by_commas_or_spaces() {
        assert_eq!(
            listed(" https://a, https://b:8443\nhttps://c ,"),
            ["https://a", "https://b:8443", "https://c"]
        );
        assert!(listed(" , ").is_empty());
    }
}
