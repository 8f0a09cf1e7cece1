//! The table of who may do what, and whether it names all that the schema and the routes have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::mlflow::{route_of, routes};
use super::operations::{OTHER_TYPES, QUERIES, SUBSCRIPTIONS, TYPES};
use super::requests::REQUESTS;
use crate::harness::Caller;

pub struct Table {
    pub actors: Vec<&'static str>,
    /// By rule and visibility, what each actor gets.
    rules: BTreeMap<(&'static str, &'static str), Vec<&'static str>>,
    /// By kind and name, the rule.
    operations: BTreeMap<(&'static str, &'static str), &'static str>,
    pub mutations: Vec<Mutation>,
}

/// How a mutation is tried.
pub struct Mutation {
    pub name: &'static str,
    /// What is laid out for it.
    pub before: String,
    pub tries: String,
    /// What takes it back.
    pub after: String,
}

impl Table {
    pub fn read() -> Self {
        let mut lines = lines_of(include_str!("access.table"));
        let actors = lines.next().unwrap().split_whitespace().skip(1).collect();
        let (mut rules, mut operations) = (BTreeMap::new(), BTreeMap::new());
        for line in lines.by_ref().take_while(|line| *line != "operations:") {
            let mut words = line.split_whitespace();
            let (rule, visibility) = (words.next().unwrap(), words.next().unwrap());
            rules.insert((rule, visibility), words.collect());
        }
        for line in lines {
            let (kind, rest) = line.split_once(' ').unwrap();
            let (name, rule) = rest.rsplit_once(' ').unwrap();
            assert!(operations.insert((kind, name.trim()), rule).is_none(), "twice: {line}");
        }
        let mut mutations = Vec::<Mutation>::new();
        for line in lines_of(include_str!("mutations.table")) {
            let (word, rest) = line.trim_start().split_once(' ').unwrap();
            if !line.starts_with(' ') {
                assert!(
                    operations.insert(("mutation", word), rest.trim()).is_none(),
                    "twice: {line}"
                );
                let [before, tries, after] = Default::default();
                mutations.push(Mutation { name: word, before, tries, after });
                continue;
            }
            let mutation = mutations.last_mut().unwrap();
            let text = match word {
                "before" => &mut mutation.before,
                "tries" => &mut mutation.tries,
                "after" => &mut mutation.after,
                _ => panic!("no word of the table: {line}"),
            };
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(rest.trim());
        }
        Self { actors, rules, operations, mutations }
    }

    pub fn names(&self, kind: &str) -> BTreeSet<&'static str> {
        let of_kind = self.operations.keys().filter(|(found, _)| *found == kind);
        of_kind.map(|(_, name)| *name).collect()
    }

    /// What each actor gets. A field without a line of its own is read as its type is.
    pub fn expected(&self, kind: &str, name: &str, visibility: &str) -> &[&'static str] {
        let of_type = name.split('.').next().map(|name| format!("{name}.*")).unwrap_or_default();
        let line = |name: &str| self.operations.iter().find(|(key, _)| **key == (kind, name));
        let (_, rule) = line(name)
            .or_else(|| line(&of_type))
            .unwrap_or_else(|| panic!("no line {kind} {name}"));
        let row =
            |visibility: &str| self.rules.iter().find(|(key, _)| **key == (*rule, visibility));
        row(visibility).or_else(|| row("any")).unwrap_or_else(|| panic!("no rule {rule}")).1
    }
}

/// The lines of a table.
fn lines_of(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The types of the schema and their fields, with what each field's own fields are.
pub async fn walk(admin: &Caller) -> BTreeMap<String, Vec<(String, String)>> {
    let query = include_str!("../introspection.graphql");
    let schema = admin.ok(query, json!({})).await["__schema"].take();
    let mut kinds = BTreeMap::new();
    for found in schema["types"].as_array().unwrap() {
        kinds.insert(
            found["name"].as_str().unwrap().to_owned(),
            found["kind"].as_str().unwrap().to_owned(),
        );
    }
    let selection = |mut kind: &Value| {
        while kind["name"].is_null() {
            kind = &kind["ofType"];
        }
        let name = kind["name"].as_str().unwrap();
        match kinds[name].as_str() {
            "SCALAR" | "ENUM" => "",
            _ if name.ends_with("Connection") => "{ totalCount nodes { __typename } }",
            _ => "{ __typename }",
        }
        .to_owned()
    };
    let objects =
        schema["types"].as_array().unwrap().iter().filter(|found| found["kind"] == "OBJECT");
    objects
        .map(|found| {
            let fields = found["fields"].as_array().unwrap().iter();
            let fields = fields.map(|field| {
                (field["name"].as_str().unwrap().to_owned(), selection(&field["type"]))
            });
            (found["name"].as_str().unwrap().to_owned(), fields.collect())
        })
        .collect()
}

/// That the table, this file and the program know the same operations.
pub fn check_complete(table: &Table, types: &BTreeMap<String, Vec<(String, String)>>) {
    let names = |of: &str| types[of].iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>();
    let plain = |kind: &str| {
        table
            .names(kind)
            .into_iter()
            .map(|name| name.split('/').next().unwrap())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(plain("mutation"), names("Mutation"), "the table has all mutations");
    for mutation in &table.mutations {
        assert!(!mutation.tries.is_empty(), "{} is not tried", mutation.name);
    }
    let mut queries = table.names("query");
    assert_eq!(queries, QUERIES.iter().map(|(name, _)| *name).collect(), "every query is tried");
    // Tried with what each type has.
    queries.extend(["node", "nodes"]);
    assert_eq!(queries, names("Query"), "the table has all queries");
    let subscriptions = table.names("subscription");
    let tried = SUBSCRIPTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(subscriptions, tried, "every subscription is tried");
    assert_eq!(subscriptions, names("Subscription"), "the table has all subscriptions");
    for line in table.names("field") {
        let (name, field) = line.split_once('.').unwrap();
        let is_there = types[name].iter().any(|(known, _)| field == "*" || known == field);
        assert!(is_there, "{line} is not in the schema");
    }
    for name in types.keys() {
        let plumbing = ["Connection", "Edge", "Payload"].iter().any(|end| name.ends_with(end));
        let known =
            TYPES.iter().any(|(known, _)| known == name) || OTHER_TYPES.contains(&name.as_str());
        assert!(plumbing || known || name.starts_with("__"), "where is {name} read?");
    }
    let mut nodes = plain("node");
    nodes.insert("Node");
    let ids =
        include_str!("../../../src/id.rs").lines().filter(|line| line.contains("Id = \"")).count();
    assert_eq!(plain("node").len(), ids, "node is tried with ids of every type");
    check_mlflow_complete(table);
    let routes: BTreeSet<String> = table
        .names("rest")
        .into_iter()
        .map(|route| route.split(['?', ' ']).nth(1).unwrap().to_owned())
        .collect();
    for (path, source) in sources("src") {
        let found = source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        for route in found.filter(|_| !path.contains("/src/mlflow/")) {
            assert!(routes.contains(route), "{route} is not in the table");
        }
    }
}

/// The files in a folder of this package, with their paths.
pub fn sources(folder: &str) -> Vec<(String, String)> {
    let (mut folders, mut found) =
        (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)], vec![]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let source = std::fs::read_to_string(&path).unwrap();
                found.push((path.to_string_lossy().replace('\\', "/"), source));
            }
        }
    }
    found
}

/// That the table, `requests.rs` and the sources know the same routes of MLflow's API.
fn check_mlflow_complete(table: &Table) {
    let tried: BTreeSet<_> = REQUESTS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(tried.len(), REQUESTS.len(), "every request has a line of its own");
    assert_eq!(table.names("mlflow"), tried, "every request of the table is tried");
    let known: BTreeSet<_> = tried
        .iter()
        .map(|name| route_of(name))
        .filter(|route| !route.starts_with("HEAD"))
        .collect();
    let routes = routes();
    assert_eq!(known, routes.keys().map(String::as_str).collect(), "the table has all routes");
}
