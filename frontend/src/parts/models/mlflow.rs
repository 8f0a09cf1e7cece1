//! “Use with MLflow”: where the client finds a project, and code that works as it is.

use leptos::prelude::*;
use serde_json::json;

use crate::{
    components::{
        facts::SidePanel,
        snippets::{Snippet, Snippets},
    },
    graphql::scalar::Visibility,
    logic::address,
    parts::models::environment::{Environment, scope_for},
};

/// Flavours whose module of MLflow is called as they are and loads the model as its framework has it.
const LOADERS: [&str; 19] = [
    "catboost",
    "dspy",
    "fastai",
    "h2o",
    "keras",
    "langchain",
    "lightgbm",
    "llama_index",
    "onnx",
    "paddle",
    "prophet",
    "pytorch",
    "sentence_transformers",
    "sklearn",
    "spacy",
    "statsmodels",
    "tensorflow",
    "transformers",
    "xgboost",
];

/// What the environment of the client must say, and the snippets as tabs.
#[component]
pub fn MlflowGuide(
    /// The path of the project.
    #[prop(into)]
    project: Signal<String>,
    #[prop(into)] snippets: Signal<Vec<Snippet>>,
    /// Of the project.
    #[prop(into)]
    visibility: Signal<Visibility>,
    /// Whether the viewer may change what is in the project.
    #[prop(into)]
    writes: Signal<bool>,
    /// Tells several of these on one page apart.
    id: &'static str,
) -> impl IntoView {
    let settings = Signal::derive(move || {
        vec![("MLFLOW_TRACKING_URI", address::tracking_uri(&project.read()))]
    });
    let scope = Signal::derive(move || scope_for(visibility.get(), writes.get()));
    view! {
        <div class="space-y-2 text-left">
            <Environment settings variable="MLFLOW_TRACKING_TOKEN" scope purpose=project/>
            <Snippets snippets id/>
        </div>
    }
}

/// The guide beside a model or version.
#[component]
pub fn MlflowPanel(
    #[prop(into)] project: Signal<String>,
    #[prop(into)] snippets: Signal<Vec<Snippet>>,
    #[prop(into)] visibility: Signal<Visibility>,
    #[prop(into)] writes: Signal<bool>,
) -> impl IntoView {
    view! {
        <SidePanel title="Use with MLflow"><MlflowGuide project snippets visibility writes id="mlflow"/></SidePanel>
    }
}

/// The name of the experiment that the runs of a model are in unless told. Asking for it would make it.
pub fn experiment_of(model: &str) -> String {
    format!("[model]{model}")
}

/// From training to loading by alias, ready to be run: for a project that has nothing yet.
pub fn demo(experiment: &str, model: &str) -> Vec<Snippet> {
    let train = |last: &str| {
        format!(
            "import mlflow\n\
             from sklearn.datasets import load_iris\n\
             from sklearn.linear_model import LogisticRegression\n\n\
             X, y = load_iris(return_X_y=True)\n\
             mlflow.set_experiment({})\n\
             with mlflow.start_run():\n    \
             model = LogisticRegression(C=0.5, max_iter=500).fit(X, y)\n    \
             mlflow.log_param(\"C\", 0.5)\n    \
             mlflow.log_metric(\"accuracy\", model.score(X, y))\n    \
             {last}\n",
            json!(experiment)
        )
    };
    let register = format!(
        "mlflow.sklearn.log_model(\n        model, name=\"model\", registered_model_name={}\n    )",
        json!(model)
    );
    vec![
        Snippet { name: "Log", code: train("mlflow.sklearn.log_model(model, name=\"model\")") },
        Snippet { name: "Register", code: train(&register) },
        promote(model, "champion", 1),
        load("Load", &by_alias(model, "champion"), &["python_function".to_owned()]),
    ]
}

/// Logs a run, and registers what it trained: the reader's own model. Run as it is, it ends at `your_model`, before
/// anything is written.
pub fn logging(experiment: &str, model: &str) -> Vec<Snippet> {
    let log = |registered: &str| {
        format!(
            "import mlflow\n\n\
             model = your_model  # the model you trained\n\
             mlflow.set_experiment({})\n\
             with mlflow.start_run():\n    \
             # or mlflow.pytorch, mlflow.xgboost, …: the module of your framework\n    \
             mlflow.sklearn.log_model(model, name=\"model\"{registered})\n",
            json!(experiment)
        )
    };
    let registered = format!(", registered_model_name={}", json!(model));
    vec![
        Snippet { name: "Log", code: log("") },
        Snippet { name: "Register", code: log(&registered) },
    ]
}

/// As [`logging`], and how it is loaded then, for a model that has no version yet.
pub fn first_version(experiment: &str, model: &str) -> Vec<Snippet> {
    let mut steps = logging(experiment, model);
    let latest = format!("models:/{model}/latest");
    steps.push(load("Load", &latest, &["python_function".to_owned()]));
    steps
}

/// Moves an alias to a version, by the number that MLflow gives it.
pub fn promote(model: &str, alias: &str, number: i32) -> Snippet {
    let (model, alias) = (json!(model), json!(alias));
    let code = format!(
        "from mlflow import MlflowClient\n\nclient = MlflowClient()\n\
         client.set_registered_model_alias(\n    {model}, {alias}, \"{number}\"\n)\n"
    );
    Snippet { name: "Promote", code }
}

pub fn by_number(model: &str, number: i32) -> String {
    format!("models:/{model}/{number}")
}

pub fn by_alias(model: &str, alias: &str) -> String {
    format!("models:/{model}@{alias}")
}

/// Loads a model as its MLmodel file says that it can be; the files themselves where there is none.
pub fn load(name: &'static str, uri: &str, flavors: &[String]) -> Snippet {
    let mut code = format!("import mlflow\n\nuri = {}\n", json!(uri));
    let own = flavors.iter().find(|flavor| LOADERS.contains(&flavor.as_str()));
    let any = flavors.iter().any(|flavor| flavor == "python_function");
    if let Some(module) = own {
        code += &format!("model = mlflow.{module}.load_model(uri)\n");
    }
    if any && own.is_some() {
        code += "\n# Or, for any framework:\n";
    }
    if any {
        code += "model = mlflow.pyfunc.load_model(uri)\n";
    }
    if own.is_none() && !any {
        code += "folder = mlflow.artifacts.download_artifacts(uri)\n";
    }
    Snippet { name, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flavors(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_model_is_loaded_as_what_it_is() {
        let code = |names: &[&str]| load("Load", "models:/ocr/3", &flavors(names)).code;
        let both = code(&["python_function", "sklearn"]);
        assert!(
            both.contains("\nuri = \"models:/ocr/3\"\nmodel = mlflow.sklearn.load_model(uri)\n")
        );
        assert!(both.contains("\nmodel = mlflow.pyfunc.load_model(uri)\n"));
        let unknown = code(&["a_plugin", "python_function"]);
        assert!(unknown.contains("pyfunc") && !unknown.contains("a_plugin"));
        let framework_only = code(&["keras"]);
        assert!(framework_only.contains("mlflow.keras") && !framework_only.contains("pyfunc"));
        let none = code(&[]);
        assert!(none.contains("download_artifacts(uri)"));
    }

    #[test]
    fn what_is_about_a_model_that_is_there_trains_no_other() {
        for snippet in first_version("[model]ocr", "ocr") {
            assert!(!snippet.code.contains("iris") && !snippet.code.contains("set_registered"));
            let log = snippet.code.find("start_run");
            assert!(log.is_none() || snippet.code.find("your_model") < log, "{}", snippet.code);
        }
    }

    #[test]
    fn names_stay_inside_their_quotes() {
        let steps = [demo("[model]a \"b\"", "a \"b\""), logging("[model]a \"b\"", "a \"b\"")];
        for steps in steps {
            let all: String = steps.iter().map(|step| step.code.as_str()).collect();
            assert!(all.contains(r#"set_experiment("[model]a \"b\"")"#));
            assert!(all.contains(r#"registered_model_name="a \"b\"""#));
        }
        let steps = demo("my-experiment", "a \"b\"");
        let all: String = steps.iter().map(|step| step.code.as_str()).collect();
        assert!(all.contains(r#"uri = "models:/a \"b\"@champion""#));
        assert!(all.contains(r#"    "a \"b\"", "champion", "1""#));
        assert_eq!(
            steps.iter().map(|s| s.name).collect::<Vec<_>>().join(" "),
            "Log Register Promote Load"
        );
    }
}
