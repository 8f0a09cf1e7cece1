//! The dashboards that docs/grafana has: they ask only for what the server answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::embeds::{start, text};

fn dashboard(name: &str) -> Value {
    let path = format!("{}/../docs/grafana/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All objects in a document.
fn objects(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().flat_map(objects).collect(),
        Value::Object(fields) => {
            std::iter::once(value).chain(fields.values().flat_map(objects)).collect()
        }
        _ => Vec::new(),
    }
}

/// That all data is asked of the one source that whoever imports it chooses.
fn check_sources(dashboard: &Value, source: &str) {
    assert_eq!(dashboard["__inputs"].as_array().unwrap().len(), 1);
    assert_eq!(dashboard["__inputs"][0]["name"], source);
    let asked = objects(dashboard).into_iter().filter_map(|object| object.get("datasource"));
    let expected =
        json!({ "type": dashboard["__inputs"][0]["pluginId"], "uid": format!("${{{source}}}") });
    for asked in asked {
        assert_eq!(*asked, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_of_facts_shows_all_metrics_and_no_others() {
    let (_server, admin) = start().await;
    let page = text(&admin, "/api/facts?project=open", 200).await;
    let printed: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"))
        .collect();
    assert_eq!(printed.len(), 8, "{page}");
    let dashboard = dashboard("models.json");
    check_sources(&dashboard, "DS_PROMETHEUS");
    let texts = |name: &'static str| {
        objects(&dashboard).into_iter().filter_map(move |object| object.get(name)?.as_str())
    };
    let queries: Vec<&str> = texts("expr").chain(texts("query")).collect();
    assert!(queries.len() > 8, "{queries:?}");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = queries.iter().flat_map(|query| query.split(|c| !is_name(c)));
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("model_registry")).collect();
    assert_eq!(named, printed);
}

/// What a selector of names finds, as JSONata does: of a list, what all in it have.
fn select<'a>(value: &'a Value, selector: &str) -> Vec<&'a Value> {
    let mut found = vec![value];
    for name in selector.split('.') {
        let inner = found.into_iter().filter_map(|value| value.get(name));
        found = inner
            .flat_map(|value| match value {
                Value::Array(values) => values.iter().collect(),
                other => vec![other],
            })
            .collect();
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn each_query_of_the_graphql_dashboard_finds_what_its_columns_show() {
    let (_server, admin) = start().await;
    let dashboard = dashboard("models-graphql.json");
    check_sources(&dashboard, "DS_INFINITY");
    let asked = objects(&dashboard);
    let asked: Vec<&Value> =
        asked.into_iter().filter(|object| object["type"] == "graphql").collect();
    assert!(asked.len() >= 5, "{}", asked.len());
    for asked in asked {
        let options = &asked["url_options"];
        assert_eq!(
            (&asked["url"], &options["method"], &options["body_type"], &asked["parser"]),
            (&json!("/graphql"), &json!("POST"), &json!("graphql"), &json!("backend"))
        );
        let query = options["body_graphql_query"].as_str().unwrap();
        let variables = options["body_graphql_variables"].as_str().unwrap();
        let variables = variables
            .replace("${project:doublequote}", "\"open\"")
            .replace("${model:doublequote}", "\"open/ocr\"");
        let data = admin.ok(query, serde_json::from_str(&variables).unwrap()).await;
        let answer = json!({ "data": data });
        let rows = select(&answer, asked["root_selector"].as_str().unwrap());
        assert!(!rows.is_empty(), "{query}\n{answer}");
        for column in asked["columns"].as_array().unwrap() {
            let values = select(rows[0], column["selector"].as_str().unwrap());
            assert!(!values.is_empty() && !values[0].is_object(), "{column}: {}", rows[0]);
            let is_right = match column["type"].as_str().unwrap() {
                "number" => values[0].is_number(),
                "timestamp" => values[0].as_str().is_some_and(|at| at.ends_with('Z')),
                _ => values[0].is_string(),
            };
            assert!(is_right, "{column}: {}", values[0]);
        }
    }
}
