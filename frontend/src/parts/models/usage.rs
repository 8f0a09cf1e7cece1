//! “Use this version”: commands that work as they are, with a token in `$TOKEN`.

use leptos::prelude::*;
use serde_json::json;

use crate::{
    components::{
        facts::SidePanel,
        snippets::{Snippet, Snippets},
    },
    logic::{address, check},
};

#[component]
pub fn Usage(
    #[prop(into)] title: String,
    /// `vision/ocr`
    #[prop(into)]
    model: Signal<String>,
    /// The ways to refer to it, the exact one first: `1.2.0`, `@champion`, `latest`.
    #[prop(into)]
    references: Signal<Vec<String>>,
    /// Of a training run: its MLflow run id.
    #[prop(optional, into)]
    run_id: MaybeProp<String>,
) -> impl IntoView {
    let chosen = RwSignal::new(None::<String>);
    let reference = Memo::new(move |_| {
        references.with(|references| {
            chosen
                .get()
                .filter(|chosen| references.contains(chosen))
                .or_else(|| references.first().cloned())
                .unwrap_or_default()
        })
    });
    let snippets = Signal::derive(move || {
        let mut all = snippets(&address::origin(), &model.read(), &reference.read());
        all.extend(run_id.get().map(|run_id| mlflow(&model.read(), &run_id)));
        all
    });
    view! {
        <SidePanel title>
            <Show when=move || references.read().len() != 1>
                <label class="mb-2 flex items-center justify-between gap-3 text-sm">
                    <span class="text-muted">"Version"</span>
                    <select
                        class="select select-sm w-auto max-w-48 font-mono"
                        on:change:target=move |event| chosen.set(Some(event.target().value()))
                    >
                        {move || references
                            .get()
                            .into_iter()
                            .map(|reference| view! { <option value=reference.clone()>{reference.clone()}</option> })
                            .collect_view()}
                    </select>
                </label>
            </Show>
            <Snippets snippets id="usage"/>
            <p class="mt-2 text-xs text-muted">
                "Set " <code>"$TOKEN"</code> " to an access token. "
                <a class="link" href=address::at("/settings/tokens")>"Create one"</a> ". For CI, use a project token."
            </p>
        </SidePanel>
    }
}

fn snippets(origin: &str, model: &str, reference: &str) -> Vec<Snippet> {
    let files = format!("{origin}{}", address::files(model, reference));
    let folder = match check::slug(model.rsplit('/').next().unwrap_or_default()) {
        slug if slug.is_empty() => "model".to_owned(),
        slug => slug,
    };
    vec![
        Snippet { name: "curl", code: curl(&files, &folder) },
        Snippet { name: "GraphQL", code: graphql(origin, model, reference) },
        Snippet { name: "Python", code: python(&files, &folder) },
        Snippet { name: "CI", code: ci(&files, &folder) },
    ]
}

/// A job of GitLab's CI, whose commands are those of any other.
fn ci(files: &str, folder: &str) -> String {
    // Within single quotes YAML takes all but these as they are.
    let fetch = format!(
        "curl -fsSL -H \"Authorization: Bearer $TOKEN\" \"{files}?archive=tar\" | tar -x -C {folder}"
    );
    format!(
        "fetch-model:\n  image: debian:stable\n  before_script:\n    - apt-get update && apt-get install -y curl\n  \
         script:\n    - mkdir -p {folder}\n    - '{}'\n  artifacts:\n    paths: [\"{folder}/\"]\n    expire_in: 1 hour\n",
        fetch.replace('\'', "''")
    )
}

fn curl(files: &str, folder: &str) -> String {
    format!(
        "mkdir -p {folder}\n\
         curl -fsSL \\\n\
         -H \"Authorization: Bearer $TOKEN\" \\\n\
         '{files}?archive=tar' \\\n| tar -x -C {folder}\n"
    )
}

/// All files of a run, with MLflow's client.
fn mlflow(model: &str, run_id: &str) -> Snippet {
    let uri = address::tracking_uri(model.split('/').next().unwrap_or_default());
    let code = format!(
        "import mlflow\n\n# Set MLFLOW_TRACKING_TOKEN to an access token first.\n\
         mlflow.set_tracking_uri(\"{uri}\")\n\
         folder = mlflow.artifacts.download_artifacts(run_id=\"{run_id}\")\n"
    );
    Snippet { name: "MLflow", code }
}

fn graphql(origin: &str, model: &str, reference: &str) -> String {
    let (query, variables) = match reference.split_once(':') {
        Some(("candidate", number)) => (
            "query($model: String!, $number: Int!) { model(path: $model) { candidate(number: $number) \
             { name status metrics { name value } files(first: 100) { nodes { path size sha256 downloadUrl } } } } }",
            json!({ "model": model, "number": number.parse::<i32>().unwrap_or_default() }),
        ),
        Some((_, run)) => (
            "query($project: String!, $run: String!) { project(path: $project) { run(runId: $run) \
             { name status metrics { name value } files(first: 100) { nodes { path size sha256 downloadUrl } } } } }",
            json!({ "project": model.trim_end_matches("/-"), "run": run }),
        ),
        None => (
            "query($model: String!, $ref: String!) { model(path: $model) { version(ref: $ref) \
             { version digest files(first: 100) { nodes { path size sha256 downloadUrl } } } } }",
            json!({ "model": model, "ref": reference }),
        ),
    };
    // A single quote cannot stand in a single-quoted shell word, but its JSON escape can.
    let body =
        json!({ "query": query, "variables": variables }).to_string().replace('\'', "\\u0027");
    format!(
        "curl -fsS '{origin}{}' \\\n\
         -H \"Authorization: Bearer $TOKEN\" \\\n\
         -H 'Content-Type: application/json' \\\n-d '{body}'\n",
        address::at("/graphql"),
    )
}

fn python(files: &str, folder: &str) -> String {
    format!(
        "import os, tarfile, urllib.request\n\n\
         request = urllib.request.Request(\n    \"{files}?archive=tar\",\n    \
         headers={{\"Authorization\": \"Bearer \" + os.environ[\"TOKEN\"]}},\n)\n\
         with urllib.request.urlopen(request) as response:\n    \
         with tarfile.open(fileobj=response, mode=\"r|\") as archive:\n        \
         archive.extractall(\"{folder}\", filter=\"data\")\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_survive_a_shell() {
        let all = snippets("http://localhost:8080", "vision/it's a model", "@champion");
        assert!(all[0].code.contains(
            "'http://localhost:8080/files/vision/it%27s%20a%20model/@champion?archive=tar'"
        ));
        assert!(all[1].code.contains("vision/it\\u0027s a model"));
        assert_eq!(all[1].code.matches('\'').count(), 6);
        assert!(all[2].code.contains("archive.extractall(\"it-s-a-model\""));
        assert!(all[3].code.contains(
            "'curl -fsSL -H \"Authorization: Bearer $TOKEN\" \
             \"http://localhost:8080/files/vision/it%27s%20a%20model/@champion?archive=tar\" | tar"
        ));
        let run = snippets("http://localhost:8080", "vision/-", "run:ab12");
        assert!(run[0].code.contains("/files/vision/-/run:ab12?archive=tar"));
        assert!(run[1].code.contains(r#""variables":{"project":"vision","run":"ab12"}"#));
    }
}
