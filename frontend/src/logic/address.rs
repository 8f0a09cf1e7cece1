//! Every address of the UI and of `/files`, and what the current one says.
//!
//! Pages never write an address by hand: names of models and files may hold any character.

use std::fmt::Write;
use std::sync::OnceLock;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_params_map, use_query_map},
};
use model_registry_names as names;

/// What every path here begins with: empty, or `/registry` where the server is below that path, as its page says.
pub fn base() -> &'static str {
    static BASE: OnceLock<String> = OnceLock::new();
    let read = || document().query_selector("meta[name=base]").ok()??.get_attribute("content");
    BASE.get_or_init(|| if cfg!(test) { None } else { read() }.unwrap_or_default())
}

/// What the paths of this page's router begin with. Projects whose path the server took for itself have their pages below
/// `/-/p/`: there the router knows only them, and elsewhere all others.
pub fn root() -> &'static str {
    static ROOT: OnceLock<String> = OnceLock::new();
    let here = || window().location().pathname().unwrap_or_default();
    ROOT.get_or_init(|| if cfg!(test) { String::new() } else { root_of(base(), &here()) })
}

fn root_of(base: &str, path: &str) -> String {
    let moved = format!("{base}/-/p");
    let below = path.strip_prefix(&moved).and_then(|rest| rest.strip_prefix('/'));
    let project = below.and_then(|rest| rest.split(['/', '?', '#']).next());
    if project.is_some_and(names::is_moved) { moved } else { base.to_owned() }
}

/// Whether this page's router does not know the address, so that the browser must load it.
pub fn is_elsewhere(path: &str) -> bool {
    root_of(base(), path) != root()
}

/// A path of the UI or the API, as the browser asks for it.
pub fn at(path: &str) -> String {
    format!("{}{path}", base())
}

/// One path segment, percent-encoded: only unreserved characters stay as they are.
pub fn segment(text: &str) -> String {
    encode(text, "-._~")
}

fn encode(text: &str, kept: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(char::from(byte)) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    encoded
}

/// A part of an address as it was before it was percent-encoded; none where that is no text.
pub fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let hex = |byte: u8| char::from(byte).to_digit(16);
        let code = match tail {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match code {
            Some((high, low)) => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = &tail[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

/// `vision/ocr` as an address.
pub fn encoded_path(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

pub fn project(project: &str) -> String {
    let moved = if names::is_moved(project) { "/-/p" } else { "" };
    format!("{}{moved}/{}", base(), segment(project))
}

/// A page below a project that is not a model: `new`, `edit`, `trash`.
pub fn project_page(project: &str, page: &str) -> String {
    format!("{}/-/{page}", self::project(project))
}

/// A model by its path, `vision/ocr`.
pub fn model(path: &str) -> String {
    match path.split_once('/') {
        Some((project, model)) => format!("{}/{}", self::project(project), encoded_path(model)),
        None => project(path),
    }
}

/// A page below a model: `versions`, `candidates`, `-/edit`, `versions/new`.
pub fn model_page(path: &str, page: &str) -> String {
    format!("{}/{page}", model(path))
}

pub fn version(path: &str, version: &str) -> String {
    format!("{}/versions/{}", model(path), segment(version))
}

pub fn candidate(path: &str, number: i32) -> String {
    format!("{}/candidates/{number}", model(path))
}

/// An experiment by its number in a project.
pub fn experiment(project: &str, number: i32) -> String {
    project_page(project, &format!("experiments/{number}"))
}

/// A training run: a candidate where it has a model, whose path and number `place` is.
pub fn run(project: &str, run_id: &str, place: Option<(&str, i32)>) -> String {
    match place {
        Some((model, number)) => candidate(model, number),
        None => project_page(project, &format!("runs/{}", segment(run_id))),
    }
}

/// Candidates of a model side by side, by their numbers.
pub fn compare(path: &str, numbers: &[String]) -> String {
    model_page(path, &format!("candidates/compare?c={}", numbers.join("&c=")))
}

/// Versions of a model side by side. No version is called `compare`.
pub fn compare_versions(path: &str, versions: &[String]) -> String {
    let versions: Vec<_> = versions.iter().map(|version| segment(version)).collect();
    model_page(path, &format!("versions/compare?v={}", versions.join("&v=")))
}

/// Runs of a project side by side, by their ids.
pub fn compare_runs(project: &str, ids: &[String]) -> String {
    project_page(project, &format!("runs/compare?run={}", ids.join("&run=")))
}

/// What is here for an address of MLflow's own UI, as its client prints them after a run:
/// `#/experiments/7/runs/ab12`, with the project behind `?workspace=` where the client was told one.
pub fn of_mlflow(project_path: &str, hash: &str) -> String {
    let hash = hash.trim_start_matches(['#', '/']);
    let (path, query) = hash.split_once('?').unwrap_or((hash, ""));
    let named = query.split('&').find_map(|pair| pair.strip_prefix("workspace="));
    let project_path = named.unwrap_or(project_path);
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["experiments", _, "runs", run_id, ..] => run(project_path, run_id, None),
        ["experiments", number, ..] => {
            number.parse().map_or_else(|_| project(project_path), |n| experiment(project_path, n))
        }
        _ => project(project_path),
    }
}

/// What MLflow's client calls the tracking URI.
pub fn tracking_uri(project: &str) -> String {
    format!("{}/mlflow/{}", registry(), segment(project))
}

/// Where the sign-in page sends people back to.
pub fn sign_in(next: &str) -> String {
    if next.is_empty() || next == at("/") {
        at("/sign-in")
    } else {
        format!("{}?next={}", at("/sign-in"), segment(next))
    }
}

/// Events as JSON lines, of what the parameters name: `("project", Some("vision"))`.
pub fn events(parameters: &[(&str, Option<String>)]) -> String {
    let query: Vec<_> = parameters
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", segment(value.as_ref()?))))
        .collect();
    if query.is_empty() {
        at("/api/events")
    } else {
        format!("{}?{}", at("/api/events"), query.join("&"))
    }
}

/// Where single sign-on begins: `start`, and then back to `next`.
pub fn single_sign_on(start: &str, next: Option<&str>) -> String {
    match next {
        Some(next) => format!("{start}?next={}", segment(next)),
        None => start.to_owned(),
    }
}

/// What `/files` calls a version or a candidate. `@`, `:` and `+` are fine in a path as they are.
pub fn files(model: &str, reference: &str) -> String {
    format!("{}/files/{}/{}", base(), encoded_path(model), encode(reference, "-._~@:^+"))
}

/// One file or folder below [`files`].
pub fn file(files: &str, path: &str) -> String {
    format!("{files}/{}", encoded_path(path))
}

/// A folder (empty for everything) as one archive: `tar` or `zip`.
pub fn archive(files: &str, folder: &str, kind: &str) -> String {
    if folder.is_empty() {
        format!("{files}?archive={kind}")
    } else {
        format!("{}?archive={kind}", file(files, folder))
    }
}

/// What `/files` calls a training run: by its id where it has no model.
pub fn run_files(project: &str, run_id: &str, place: Option<(&str, i32)>) -> String {
    match place {
        Some((model, number)) => files(model, &format!("candidate:{number}")),
        None => files(&format!("{project}/-"), &format!("run:{run_id}")),
    }
}

/// The text as a link that leads out of the registry, where the whole of it is one: `http` or `https`
/// only, since anything else, such as `javascript:`, would be run or opened here; and none that says who
/// logs in, as `https://user:token@host` does.
pub fn external(text: &str) -> Option<&str> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.starts_with(|c: char| c.is_alphanumeric() || c == '[') && !host.contains('@');
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'`<>\\^{|}".contains(c);
    (web && host && !rest.contains(odd)).then_some(text)
}

/// `https://registry.example.com`, as the browser reached it.
pub fn origin() -> String {
    window().location().origin().expect("a page has an origin")
}

/// Where the registry is, for scripts: `https://registry.example.com`, or with the path that it is below.
pub fn registry() -> String {
    origin() + base()
}

/// Goes to an address of this module.
pub fn use_navigate() -> impl Fn(&str, NavigateOptions) + Clone {
    let navigate = leptos_router::hooks::use_navigate();
    move |to, options| match is_elsewhere(to) {
        // Else the router would put the base before it once more.
        false => navigate(to, NavigateOptions { resolve: false, ..options }),
        true => load(to, options.replace),
    }
}

/// Has the browser load an address that this page's router does not know; with `replace` the back button passes over this one.
pub fn load(to: &str, replace: bool) {
    let location = window().location();
    if let Err(error) = if replace { location.replace(to) } else { location.assign(to) } {
        leptos::logging::error!("cannot open {to}: {error:?}");
    }
}

/// One part of the current path, decoded.
pub fn use_param(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get(name)).unwrap_or_default())
}

/// The path of the current model, `vision/ocr`.
pub fn use_model_path() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| {
        params.with(|params| {
            let part = |name| params.get(name).unwrap_or_default();
            format!("{}/{}", part("project"), part("model"))
        })
    })
}

/// The number of the current candidate; `None` where the address holds something else.
pub fn use_number() -> Memo<Option<i32>> {
    let number = use_param("number");
    Memo::new(move |_| number.read().parse().ok())
}

/// One value of the query part of the current address; an empty one is none.
pub fn use_query(name: &'static str) -> Memo<Option<String>> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get(name)).filter(|value| !value.is_empty()))
}

/// The current path and query, to come back to. The router's: the browser's own follows a moment later.
pub fn use_here() -> Memo<String> {
    let location = use_location();
    Memo::new(move |_| match location.search.get() {
        search if search.is_empty() => location.pathname.get(),
        search => format!("{}?{search}", location.pathname.read()),
    })
}

/// Changes parts of the query and leaves the others: `set(&[("q", Some("ocr")), ("after", None)])`.
///
/// The page does not scroll; the change replaces the current history entry where `replace` is set
/// (typing), and makes a new one otherwise (a click).
pub fn use_set_query() -> impl Fn(&[(&str, Option<String>)], bool) + Clone + Send + Sync + 'static {
    let navigate = use_navigate();
    let location = use_location();
    let query = use_query_map();
    move |changes, replace| {
        let mut kept: Vec<(String, String)> = query.with_untracked(|query| {
            query
                .latest_values()
                .map(|(key, value)| (key.to_string(), value.to_owned()))
                .filter(|(key, _)| !changes.iter().any(|(changed, _)| changed == key))
                .collect()
        });
        for (key, value) in changes {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                kept.push(((*key).to_owned(), value.clone()));
            }
        }
        let query = kept
            .iter()
            .map(|(key, value)| format!("{}={}", segment(key), segment(value)))
            .collect::<Vec<_>>()
            .join("&");
        let path = location.pathname.get_untracked();
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        navigate(&target, NavigateOptions { replace, scroll: false, ..Default::default() });
    }
}

/// Narrows or sorts the list that a page shows, by a part of the query: it begins at its first page again. As
/// [`use_set_query`] besides.
pub fn use_narrow() -> impl Fn(&str, Option<String>, bool) + Clone + Send + Sync + 'static {
    let set_query = use_set_query();
    move |name, value, replace| {
        set_query(&[(name, value), ("after", None), ("before", None)], replace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_whose_path_the_server_has_is_elsewhere() {
        assert_eq!(project_page("embed", "edit"), "/-/p/embed/-/edit");
        assert_eq!(version("feed/my model", "1.0.0"), "/-/p/feed/my%20model/versions/1.0.0");
        assert_eq!(model("embedded/ocr"), "/embedded/ocr");
        for (path, root) in [
            ("/r/-/p/embed", "/r/-/p"),
            ("/r/-/p/badge/m?x", "/r/-/p"),
            ("/r/-/p/vision", "/r"),
            ("/r/-/p", "/r"),
            ("/r/-/prompts", "/r"),
            ("/-/p/embed", "/r"),
        ] {
            assert_eq!(root_of("/r", path), root, "{path}");
        }
    }

    #[test]
    fn names_with_any_character_survive_an_address() {
        assert_eq!(model("vision/my model & more"), "/vision/my%20model%20%26%20more");
        assert_eq!(version("vision/ocr", "1.0.0+b.1"), "/vision/ocr/versions/1.0.0%2Bb.1");
        assert_eq!(
            file(&files("v/ö", "candidate:7"), "a/b c"),
            "/files/v/%C3%B6/candidate:7/a/b%20c"
        );
        assert_eq!(
            archive(&files("v/m", "@champion"), "", "tar"),
            "/files/v/m/@champion?archive=tar"
        );
        assert_eq!(sign_in("/vision?q=a"), "/sign-in?next=%2Fvision%3Fq%3Da");
        let parameters = [("model", Some("v/m".to_owned())), ("actor", None)];
        assert_eq!(events(&parameters), "/api/events?model=v%2Fm");
        let numbers = ["1".to_owned(), "12".to_owned()];
        assert_eq!(compare("v/m", &numbers), "/v/m/candidates/compare?c=1&c=12");
        let versions = ["1.0.0".to_owned(), "1.0.0-a+b".to_owned()];
        assert_eq!(
            compare_versions("v/m", &versions),
            "/v/m/versions/compare?v=1.0.0&v=1.0.0-a%2Bb"
        );
    }

    #[test]
    fn a_run_is_found_with_and_without_a_model() {
        assert_eq!(run("v", "ab12", Some(("v/my m", 7))), "/v/my%20m/candidates/7");
        assert_eq!(run("v", "ab12", None), "/v/-/runs/ab12");
        assert_eq!(run_files("v", "ab12", Some(("v/m", 7))), "/files/v/m/candidate:7");
        assert_eq!(run_files("v", "ab12", None), "/files/v/-/run:ab12");
        assert_eq!(
            compare_runs("v", &["a".to_owned(), "b".to_owned()]),
            "/v/-/runs/compare?run=a&run=b"
        );
    }

    #[test]
    fn links_of_the_mlflow_client_lead_here() {
        assert_eq!(of_mlflow("v", "#/experiments/7/runs/ab12"), "/v/-/runs/ab12");
        assert_eq!(of_mlflow("default", "#/experiments/7?workspace=v"), "/v/-/experiments/7");
        assert_eq!(of_mlflow("v", "#/experiments/7/runs/a?x=1&workspace=w"), "/w/-/runs/a");
        for other in ["", "#/", "#/models", "#/experiments/x"] {
            assert_eq!(of_mlflow("v", other), "/v", "{other}");
        }
    }

    #[test]
    fn only_web_addresses_lead_out() {
        let links = [
            "https://gitlab.example.com/a/b/-/jobs/7?x=1#top",
            "HTTP://localhost:8080",
            " https://[::1]/ ",
            "https://münchen.example/ä",
        ];
        for link in links {
            assert_eq!(external(link), Some(link.trim()), "{link}");
        }
        let others = [
            "javascript://example.com/%0Aalert(1)",
            "java\nscript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "ftp://example.com",
            "https://",
            "https:///path",
            "https://example.com and more",
            "see https://example.com",
            "https://example.com/\"onmouseover=",
            "https://me:secret@example.com/",
            "//example.com",
            "",
        ];
        for other in others {
            assert_eq!(external(other), None, "{other}");
        }
    }
}
