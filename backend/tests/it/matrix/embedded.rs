//! Embed tokens in the matrix: with one, everything is tried that everybody else tries. A token shows its project as a
//! stranger sees a public one in the subgraph, and nothing else; nothing is changed with it, and no other face knows it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::operations::{QUERIES, TYPES, arguments};
use super::requests::REQUESTS;
use super::table::Table;
use super::world::{VISIBILITIES, World, fill, soon};
use super::{verdict, with_file};
use crate::harness::{Caller, Server};

pub const ORIGIN: &str = "https://dash.example";

/// A page of another origin that has an embed token.
pub async fn page(server: &Server, admin: &Caller, project: &str, more: &str) -> Caller {
    let create = format!(
        "mutation {{ createEmbedToken(input: {{project: \"{project}\", name: \"page\", origins: [\"{ORIGIN}\"],
            expiresAt: \"{}\", {more}}}) {{ secret }} }}",
        soon()
    );
    let made = admin.ok(&create, json!({})).await;
    let secret = made["createEmbedToken"]["secret"].as_str().unwrap().to_owned();
    let headers =
        HeaderMap::from_iter([("origin".parse().unwrap(), HeaderValue::from_static(ORIGIN))]);
    let http = Client::builder().default_headers(headers).build().unwrap();
    Caller { token: Some(secret), http, ..server.anonymous() }
}

/// What kind of answer it is.
fn kind_of(answer: &Value) -> String {
    let code = &answer["errors"][0]["extensions"]["code"];
    format!("{} {}", verdict(answer, &Value::Null), code.as_str().unwrap_or_default())
}

pub async fn try_all(
    world: &mut World,
    table: &Table,
    types: &BTreeMap<String, Vec<(String, String)>>,
) {
    let mut pieces: Vec<(String, String)> =
        QUERIES.iter().map(|(name, piece)| ((*name).to_owned(), (*piece).to_owned())).collect();
    for (name, place) in TYPES {
        pieces.extend(types[*name].iter().map(|(field, selection)| {
            let key = format!("{name}.{field}");
            let piece = place.replace("{f}", &format!("{field}{} {selection}", arguments(&key)));
            (key, piece)
        }));
    }
    let stranger = world.server.anonymous().in_subgraph();
    for visibility in VISIBILITIES {
        let page = page(&world.server, &world.admin, visibility, "").await;
        let of_own = world.laid_out[visibility].run.clone();
        let other = VISIBILITIES.into_iter().find(|other| *other != visibility).unwrap();
        // As long as the other: an error names the column.
        let absent = "~".repeat(other.len());
        let of_public = world.laid_out["public"].run.clone();
        let of_other = &world.laid_out[other].run;
        let mut tries = Vec::new();
        for pieces in pieces.chunks(32) {
            let asked = pieces.iter().map(async |(name, piece)| {
                let ask = async |caller: &Caller, project: &str, run: &str| {
                    let piece = fill(piece, project, "", "").replace("{run}", run);
                    caller.graphql(&format!("{{ {piece} }}"), json!({})).await
                };
                let expected = kind_of(&ask(&stranger, "public", &of_public).await);
                let got = ask(&page, visibility, &of_own).await;
                let own = (format!("{name} as a page, {visibility}"), expected, kind_of(&got), got);
                if !piece.contains("{p}") {
                    return vec![own];
                }
                let there = ask(&page, other, of_other).await.to_string().replace(other, &absent);
                let missing = ask(&page, &absent, &"0".repeat(32)).await.to_string();
                let what = format!("{name} as a page of another project");
                vec![own, (what, missing, there, Value::Null)]
            });
            tries.extend(join_all(asked).await.into_iter().flatten());
        }
        for (what, expected, got, answer) in tries {
            world.check(&what, &expected, &got, &answer.to_string());
        }
        try_changes(world, table, &page, visibility).await;
        try_routes(world, table, &page, visibility).await;
    }
}

async fn try_changes(world: &mut World, table: &Table, page: &Caller, visibility: &str) {
    let tries = table.mutations.iter().map(async |mutation| {
        let query = format!("mutation {{ {} }}", fill(&mutation.tries, visibility, "0", "x"));
        let answer = page.graphql(&query, json!({})).await;
        // Sessions are for no page of another site, and other changes are not in the schema.
        let got = match kind_of(&answer).as_str() {
            "an error INVALID" | "forbidden FORBIDDEN" => "refused".to_owned(),
            got => got.to_owned(),
        };
        (format!("{} as a page, {visibility}", mutation.name), got, answer.to_string())
    });
    for (what, got, answer) in join_all(tries).await {
        world.check(&what, "refused", &got, &answer);
    }
}

async fn try_routes(world: &mut World, table: &Table, page: &Caller, visibility: &str) {
    let of_mlflow = REQUESTS.iter().map(|(route, ..)| {
        let (method, path) = route
            .split(['[', ' '])
            .collect::<Vec<_>>()
            .split_first()
            .map(|(m, p)| (*m, p[0]))
            .unwrap();
        (method.to_owned(), format!("/mlflow/{visibility}/api/2.0{path}"))
    });
    let of_rest = table.names("rest").into_iter().map(|route| {
        let (method, path) = route.split_once(' ').unwrap();
        (method.to_owned(), with_file(path))
    });
    let tries = of_rest.chain(of_mlflow).map(async |(method, path)| {
        let filled = path
            .replace("{project}", visibility)
            .replace("{model}", "ocr")
            .replace("{reference}", "1.0.0")
            .replace("{*path}", "f")
            .replace("{upload}", "0");
        let method: Method = method.parse().unwrap();
        let response = page.request(method.clone(), &filled).send().await.unwrap();
        let is_embed = ["/embed/", "/badge/", "/feed/"].iter().any(|start| path.starts_with(start));
        // They look at no token.
        let is_open = method == Method::OPTIONS
            || ["/oembed", "/health", "/version", "/server-info", "/auth", "/readyz", "/metrics"]
                .iter()
                .any(|open| path.contains(open));
        if is_open {
            return None;
        }
        let expected = match () {
            () if is_embed => 200,
            // What has addresses of its own is not there.
            () if path.contains("get-artifact") || path.contains("mlflow-signed") => 404,
            () => 403,
        };
        let status = response.status().as_u16();
        (status != expected).then(|| (format!("{method} {filled} as a page"), status))
    });
    let wrong: Vec<_> = join_all(tries).await.into_iter().flatten().collect();
    for (what, status) in wrong {
        world.check(&what, "refused", &status.to_string(), "");
    }
}
