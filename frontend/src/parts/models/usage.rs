//! “Use this version”: commands that work as they are, with a token in `$TOKEN` where one is needed.

use leptos::prelude::*;
use serde_json::json;

use crate::{
    components::{
        facts::SidePanel,
        snippets::{Snippet, Snippets},
    },
    graphql::scalar::Visibility,
    logic::{address, check, contents::Contents},
    parts::models::environment::{Environment, scope_for},
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
    /// What its files are, as far as that is known.
    #[prop(optional, into)]
    contents: MaybeProp<Contents>,
    /// Of its project.
    #[prop(into)]
    visibility: Signal<Visibility>,
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
    let scope = Signal::derive(move || scope_for(visibility.get(), false));
    let snippets = Signal::derive(move || {
        let place = Place {
            origin: address::origin(),
            model: model.get(),
            reference: reference.get(),
            needs_token: scope.get().is_some(),
        };
        let mut all = place.snippets(&contents.get().unwrap_or(Contents::Files));
        all.extend(run_id.get().map(|run_id| place.mlflow(&run_id)));
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
            <div class="mt-2"><Environment variable="TOKEN" scope purpose=model/></div>
        </SidePanel>
    }
}

/// What is fetched, and whether that takes a token.
struct Place {
    /// Where the browser reached the server: the addresses of files begin with it.
    origin: String,
    model: String,
    reference: String,
    needs_token: bool,
}

impl Place {
    fn snippets(&self, contents: &Contents) -> Vec<Snippet> {
        let loading = self.loading(contents);
        let general = [
            Snippet { name: "curl", code: self.curl() },
            Snippet { name: "GraphQL", code: self.graphql() },
            Snippet { name: "Python", code: self.python() },
            Snippet { name: "CI", code: self.ci() },
        ];
        loading.into_iter().chain(general).collect()
    }

    /// Where its files are.
    fn files(&self) -> String {
        format!("{}{}", self.origin, address::files(&self.model, &self.reference))
    }

    /// The folder that they are put into.
    fn folder(&self) -> String {
        match check::slug(self.model.rsplit('/').next().unwrap_or_default()) {
            slug if slug.is_empty() => "model".to_owned(),
            slug => slug,
        }
    }

    /// A part of a command that is there only where a token is needed.
    fn with_token<'a>(&self, part: &'a str) -> &'a str {
        if self.needs_token { part } else { "" }
    }

    /// How what has just been fetched is loaded, where that is known. MLflow's own models are loaded with MLflow.
    fn loading(&self, contents: &Contents) -> Option<Snippet> {
        let folder = self.folder();
        let inside = |path: &str| json!(format!("{folder}/{path}")).to_string();
        let python = |lines: String| format!("{}\n{lines}", self.python());
        let (name, code) = match contents {
            Contents::Mlflow | Contents::Files => return None,
            Contents::OnnxRuntime { path } => {
                let lines = format!(
                    "import onnxruntime\n\nsession = onnxruntime.InferenceSession({})\n\
                     print([(input.name, input.shape) for input in session.get_inputs()])\n",
                    inside(path)
                );
                ("ONNX Runtime", python(lines))
            }
            Contents::Safetensors { path } => {
                let lines = format!(
                    "from safetensors.torch import load_file\n\nweights = load_file({})\n\
                     # your_model.load_state_dict(weights)\n",
                    inside(path)
                );
                ("PyTorch", python(lines))
            }
            Contents::Transformers { folder: inner, has_tokenizer } => {
                let place = inside(inner);
                let place = place.replace("/\"", "\"");
                let (import, load) = if *has_tokenizer {
                    (
                        ", AutoTokenizer",
                        format!("tokenizer = AutoTokenizer.from_pretrained({place})\n"),
                    )
                } else {
                    ("", String::new())
                };
                let lines = format!(
                    "from transformers import AutoModel{import}\n\n{load}\
                     model = AutoModel.from_pretrained({place})\n"
                );
                ("Transformers", python(lines))
            }
            Contents::LlamaCpp { path } => {
                let path = format!("{folder}/{path}").replace('\'', "'\\''");
                ("llama.cpp", format!("{}llama-cli -m '{path}' -p \"Hello\"\n", self.curl()))
            }
        };
        Some(Snippet { name, code })
    }

    /// A job of GitLab's CI, whose commands are those of any other.
    fn ci(&self) -> String {
        let (files, folder) = (self.files(), self.folder());
        let header = self.with_token("-H \"Authorization: Bearer $TOKEN\" ");
        // Within single quotes YAML takes all but these as they are.
        let fetch = format!("curl -fsSL {header}\"{files}?archive=tar\" | tar -x -C {folder}");
        format!(
            "fetch-model:\n  image: debian:stable\n  before_script:\n    - apt-get update && apt-get install -y curl\n  \
             script:\n    - mkdir -p {folder}\n    - '{}'\n  artifacts:\n    paths: [\"{folder}/\"]\n    expire_in: 1 hour\n",
            fetch.replace('\'', "''")
        )
    }

    fn curl(&self) -> String {
        let (files, folder) = (self.files(), self.folder());
        let header = self.with_token("-H \"Authorization: Bearer $TOKEN\" \\\n");
        format!(
            "mkdir -p {folder}\n\
             curl -fsSL \\\n\
             {header}\
             '{files}?archive=tar' \\\n| tar -x -C {folder}\n"
        )
    }

    /// All files of a run, with MLflow's client.
    fn mlflow(&self, run_id: &str) -> Snippet {
        let uri = address::tracking_uri(self.model.split('/').next().unwrap_or_default());
        let hint = self.with_token("# Set MLFLOW_TRACKING_TOKEN to an access token first.\n");
        let code = format!(
            "import mlflow\n\n{hint}\
             mlflow.set_tracking_uri(\"{uri}\")\n\
             folder = mlflow.artifacts.download_artifacts(run_id=\"{run_id}\")\n"
        );
        Snippet { name: "MLflow", code }
    }

    fn graphql(&self) -> String {
        let Self { origin, model, reference, .. } = self;
        let endpoint = address::at("/graphql");
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
        let header = self.with_token("-H \"Authorization: Bearer $TOKEN\" \\\n");
        format!(
            "curl -fsS '{origin}{endpoint}' \\\n\
             {header}\
             -H 'Content-Type: application/json' \\\n-d '{body}'\n"
        )
    }

    fn python(&self) -> String {
        let (files, folder) = (self.files(), self.folder());
        let import = self.with_token("os, ");
        let headers = self
            .with_token("    headers={\"Authorization\": \"Bearer \" + os.environ[\"TOKEN\"]},\n");
        format!(
            "import {import}tarfile, urllib.request\n\n\
             request = urllib.request.Request(\n    \"{files}?archive=tar\",\n\
             {headers})\n\
             with urllib.request.urlopen(request) as response:\n    \
             with tarfile.open(fileobj=response, mode=\"r|\") as archive:\n        \
             archive.extractall(\"{folder}\", filter=\"data\")\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(model: &str, reference: &str, needs_token: bool) -> Place {
        let (model, reference) = (model.to_owned(), reference.to_owned());
        Place { origin: "http://localhost:8080".to_owned(), model, reference, needs_token }
    }

    #[test]
    fn snippets_survive_a_shell() {
        let all = place("vision/it's a model", "@champion", true).snippets(&Contents::Files);
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
        let run = place("vision/-", "run:ab12", true).snippets(&Contents::Files);
        assert!(run[0].code.contains("/files/vision/-/run:ab12?archive=tar"));
        assert!(run[1].code.contains(r#""variables":{"project":"vision","run":"ab12"}"#));
    }

    #[test]
    fn only_where_a_token_is_needed_there_is_one() {
        let path = "a's.gguf".to_owned();
        for contents in [Contents::Files, Contents::LlamaCpp { path }] {
            for needs_token in [true, false] {
                for Snippet { name, code } in place("v/m", "1.0.0", needs_token).snippets(&contents)
                {
                    let names_one = code.contains("Authorization") && code.contains("TOKEN");
                    assert_eq!(names_one, needs_token, "{name}: {code}");
                    assert!(needs_token || !code.contains("import os"), "{name}: {code}");
                }
            }
        }
    }

    #[test]
    fn files_are_loaded_as_what_they_are() {
        let first = |contents: Contents| place("v/m", "latest", true).snippets(&contents).remove(0);
        let path = || "a/it's.x".to_owned();
        let onnx = first(Contents::OnnxRuntime { path: path() });
        assert_eq!(onnx.name, "ONNX Runtime");
        assert!(onnx.code.contains("InferenceSession(\"m/a/it's.x\")"), "{}", onnx.code);
        let torch = first(Contents::Safetensors { path: path() });
        assert!(torch.code.contains("load_file(\"m/a/it's.x\")"));
        let llama = first(Contents::LlamaCpp { path: path() });
        assert!(llama.code.ends_with("llama-cli -m 'm/a/it'\\''s.x' -p \"Hello\"\n"));
        let folder = |folder: &str| Contents::Transformers {
            folder: folder.to_owned(),
            has_tokenizer: folder.is_empty(),
        };
        let top = first(folder("")).code;
        assert!(top.contains("AutoModel.from_pretrained(\"m\")"), "{top}");
        assert!(top.contains("AutoTokenizer.from_pretrained(\"m\")"));
        let inner = first(folder("a/b")).code;
        assert!(inner.contains("AutoModel.from_pretrained(\"m/a/b\")"));
        assert!(!inner.contains("AutoTokenizer"));
        assert_eq!(first(Contents::Mlflow).name, "curl");
    }
}
