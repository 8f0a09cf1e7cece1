//! The palette: Ctrl-K, a few letters, Enter. Finds projects, models, versions (`ocr@1.2`), candidates
//! (`ocr#7`), people and pages.

use std::time::Duration;

use leptos::{ev, html, leptos_dom::helpers::TimeoutHandle, prelude::*};

use crate::{
    components::{
        dialog::Dialog,
        icon::{self, Icon},
        loaded::Load,
        unsaved::use_unsaved,
    },
    graphql::{
        find::{Everything, Wanted, find},
        kind::ModelKind,
    },
    logic::address,
    session::{CurrentSession, use_session},
};

/// Quiet time after the last key before the server is asked.
const PAUSE_MS: u64 = 120;

/// Whether the palette is open; provided by the app.
#[derive(Clone, Copy)]
pub struct PaletteOpen(pub RwSignal<bool>);

/// One line that can be chosen.
#[derive(Clone, Debug, PartialEq)]
struct Hit {
    icon: &'static str,
    kind: &'static str,
    title: String,
    detail: String,
    href: String,
}

impl Hit {
    fn new(
        icon: &'static str,
        kind: &'static str,
        title: &str,
        detail: &str,
        href: String,
    ) -> Self {
        Self { icon, kind, title: title.to_owned(), detail: detail.to_owned(), href }
    }
}

/// What a text means: `vision/ocr@1.2`, `ocr#7`, or a part of any name.
fn wanted(text: &str, with_people: bool) -> Wanted {
    let (path, version) = text.split_once('@').map_or((text, None), |(p, v)| (p, Some(v)));
    let number = |(path, number): (&str, &str)| Some((path.to_owned(), number.parse().ok()?));
    let (path, candidate) = match path.split_once('#').and_then(number) {
        Some((path, number)) => (path, Some(number)),
        None => (path.to_owned(), None),
    };
    let (project, model) = match path.split_once('/') {
        Some((project, model)) => (project.to_owned(), model.to_owned()),
        None => (path.clone(), path),
    };
    Wanted {
        project,
        model,
        version: version.unwrap_or_default().to_owned(),
        with_versions: version.is_some(),
        candidate: candidate.unwrap_or_default(),
        with_candidate: candidate.is_some(),
        with_people: with_people && version.is_none() && candidate.is_none(),
    }
}

fn model_icon(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Model => icon::BOX,
        ModelKind::Prompt => icon::MESSAGE,
    }
}

/// The answer as lines: what was asked for most exactly comes first.
fn hits(wanted: &Wanted, path: Option<&str>, found: &Everything) -> Vec<Hit> {
    let mut exact = Vec::new();
    let mut models = Vec::new();
    for model in &found.models.nodes {
        let place = &model.path;
        if path.is_some_and(|project| !place.starts_with(&format!("{project}/"))) {
            continue;
        }
        let aliases = model.aliases.iter().flatten();
        for alias in aliases.filter(|alias| alias.name.starts_with(&wanted.version)) {
            let version = &alias.version.version;
            let (title, href) =
                (format!("{place}@{}", alias.name), address::version(place, version));
            exact.push(Hit::new(icon::BOOKMARK, "Alias", &title, version, href));
        }
        for version in model.versions.iter().flat_map(|versions| &versions.nodes) {
            let (title, href) =
                (format!("{place}@{}", version.version), address::version(place, &version.version));
            exact.push(Hit::new(icon::PACKAGE, "Version", &title, "", href));
        }
        if let Some(candidate) = &model.candidate
            && let Some(number) = candidate.number
        {
            let (title, href) = (format!("{place}#{number}"), address::candidate(place, number));
            exact.push(Hit::new(icon::FLASK, "Run", &title, &candidate.name, href));
        }
        let latest = model.latest_version.as_ref().map_or("", |latest| latest.version.as_str());
        let icon = model_icon(model.kind);
        models.push(Hit::new(icon, model.kind.title(), place, latest, address::model(place)));
    }
    let (exact, models) = (exact.into_iter(), models.into_iter());
    if wanted.with_versions || wanted.with_candidate {
        return exact.chain(models).collect();
    }
    let projects = found.projects.nodes.iter().map(|project| {
        let href = address::project(&project.path);
        Hit::new(icon::FOLDER, "Project", &project.path, &project.name, href)
    });
    let people = found.users.iter().flat_map(|people| &people.nodes).map(|person| {
        let href =
            format!("{}?q={}", address::at("/admin/users"), address::segment(&person.username));
        Hit::new(icon::USER, "Person", &person.username, &person.name, href)
    });
    models.chain(projects).chain(people).collect()
}

/// The pages that have a name of their own.
fn pages(text: &str, session: CurrentSession) -> Vec<Hit> {
    let (signed_in, is_admin) = (session.signed_in(), session.is_admin());
    let all = [
        (icon::LAYERS, "Projects", "/", true),
        (icon::BOX, "Models of all projects", "/-/models", true),
        (icon::MESSAGE, "Prompts of all projects", "/-/prompts", true),
        (icon::PLUS, "New project", "/new", session.creates_projects()),
        (icon::USER, "Account settings", "/settings/account", signed_in),
        (icon::KEY, "Access tokens", "/settings/tokens", signed_in),
        (icon::MONITOR, "Sessions", "/settings/sessions", signed_in),
        (icon::USERS, "Users", "/admin/users", is_admin),
        (icon::HISTORY, "Audit log of the registry", "/admin/audit", is_admin),
        (icon::SERVER, "Operations", "/admin/operations", is_admin),
    ];
    let text = text.to_lowercase();
    all.into_iter()
        .filter(|(_, title, _, shown)| *shown && title.to_lowercase().contains(&text))
        .map(|(icon, title, href, _)| Hit::new(icon, "Page", title, "", address::at(href)))
        .collect()
}

#[component]
pub fn Palette() -> impl IntoView {
    let PaletteOpen(open) = expect_context();
    view! {
        <Dialog open title="Find">
            <Search open/>
        </Dialog>
    }
}

#[component]
fn Search(open: RwSignal<bool>) -> impl IntoView {
    let session = use_session();
    let typed = RwSignal::new(String::new());
    let asked = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let answer = Load::new(move || {
        let text = asked.get();
        let wanted = wanted(&text, session.is_admin());
        async move {
            let found = if text.is_empty() { None } else { Some(find(wanted.clone()).await?) };
            Ok((text, wanted, found))
        }
    });
    let shown = Memo::new(move |_| {
        let text = typed.read().trim().to_owned();
        let mut lines = answer.with(|answer| match answer {
            Some(Ok((text, wanted, Some(found)))) => {
                hits(wanted, text.split_once('/').map(|(project, _)| project), found)
            }
            _ => Vec::new(),
        });
        if text.is_empty() {
            lines.clear();
        }
        lines.extend(pages(&text, session));
        lines
    });
    // The first line is what Enter takes until somebody moves on.
    Effect::new(move |_| {
        shown.track();
        chosen.set(0);
    });
    let on_input = move |text: String| {
        typed.set(text);
        if let Some(Some(earlier)) = waiting.try_get_value() {
            earlier.clear();
        }
        let ask = move || {
            if let Some(typed) = typed.try_get_untracked() {
                asked.try_set(typed.trim().to_owned());
            }
        };
        let timer = set_timeout_with_handle(ask, Duration::from_millis(PAUSE_MS));
        waiting.set_value(timer.ok());
    };
    on_cleanup(move || {
        if let Some(Some(timer)) = waiting.try_get_value() {
            timer.clear();
        }
    });
    let navigate = address::use_navigate();
    let unsaved = use_unsaved();
    let take = move |index: usize| {
        let href = shown.with_untracked(|lines| lines.get(index).map(|hit| hit.href.clone()));
        if let Some(href) = href {
            open.set(false);
            let navigate = navigate.clone();
            unsaved.leave(move || navigate(&href, Default::default()));
        }
    };
    let enter = take.clone();
    let on_key_down = move |event: ev::KeyboardEvent| {
        let count = shown.read_untracked().len();
        match event.key().as_str() {
            "ArrowDown" if count > 0 => chosen.update(|at| *at = (*at + 1) % count),
            "ArrowUp" if count > 0 => chosen.update(|at| *at = (*at + count - 1) % count),
            "Enter" => enter(chosen.get_untracked()),
            _ => return,
        }
        event.prevent_default();
    };
    let failed = move || answer.with(|answer| matches!(answer, Some(Err(_))));
    let take = StoredValue::new(take);
    view! {
        <Field typed chosen on_input=Callback::new(on_input) on_key_down=Callback::new(on_key_down)/>
        <ul id="palette-hits" role="listbox" aria-label="Found" class="mt-3 max-h-80 overflow-y-auto">
            {move || {
                let lines = shown.get();
                let line = |(index, hit): (usize, Hit)| {
                    view! { <Line index hit chosen on_take=Callback::new(move |()| take.get_value()(index))/> }
                };
                lines.into_iter().enumerate().map(line).collect_view()
            }}
        </ul>
        <p class="px-2 py-3 text-sm text-muted" role="status">
            {move || match (failed(), shown.read().len()) {
                (true, _) => "The server isn't answering. Try again.",
                (false, 0) => "No results.",
                (false, _) => "",
            }}
        </p>
        <p class="border-t border-base-300 pt-3 text-xs text-muted">
            "Examples: ocr, vision, " <code>"ocr@1.2"</code> ", " <code>"ocr@champion"</code>
            " or " <code>"ocr#7"</code> " · " <kbd class="kbd kbd-sm">"↑"</kbd> " "
            <kbd class="kbd kbd-sm">"↓"</kbd> " to move, " <kbd class="kbd kbd-sm">"Enter"</kbd> " to open"
        </p>
    }
}

#[component]
fn Field(
    typed: RwSignal<String>,
    chosen: RwSignal<usize>,
    on_input: Callback<String>,
    on_key_down: Callback<ev::KeyboardEvent>,
) -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = node.get() {
            // Just made, so it is there to be focused.
            let _ = input.focus();
        }
    });
    view! {
        <label class="input w-full">
            <span class="text-muted"><Icon d=icon::SEARCH/></span>
            <input
                node_ref=node
                type="text"
                class="grow"
                role="combobox"
                aria-label="Find a project, model, version, run or page"
                aria-expanded="true"
                aria-controls="palette-hits"
                aria-autocomplete="list"
                aria-activedescendant=move || format!("palette-hit-{}", chosen.get())
                placeholder="Find…"
                autocomplete="off"
                spellcheck="false"
                prop:value=move || typed.get()
                on:input:target=move |event| on_input.run(event.target().value())
                on:keydown=move |event| on_key_down.run(event)
            />
        </label>
    }
}

#[component]
fn Line(index: usize, hit: Hit, chosen: RwSignal<usize>, on_take: Callback<()>) -> impl IntoView {
    let node = NodeRef::<html::Li>::new();
    let is_chosen = Memo::new(move |_| chosen.get() == index);
    Effect::new(move |_| {
        if let Some(line) = node.get().filter(|_| is_chosen.get()) {
            let options = web_sys::ScrollIntoViewOptions::new();
            options.set_block(web_sys::ScrollLogicalPosition::Nearest);
            line.scroll_into_view_with_scroll_into_view_options(&options);
        }
    });
    let Hit { icon, kind, title, detail, .. } = hit;
    view! {
        <li
            id=format!("palette-hit-{index}")
            node_ref=node
            role="option"
            aria-selected=move || is_chosen.get().to_string()
            class="flex cursor-pointer items-center gap-3 rounded-field px-2 py-2"
            class:bg-base-300=is_chosen
            on:click=move |_| on_take.run(())
            on:mousemove=move |_| chosen.set(index)
        >
            <span class="text-muted"><Icon d=icon/></span>
            <span class="min-w-0 grow truncate font-medium">{title}</span>
            <span class="max-w-40 truncate text-sm text-muted">{detail}</span>
            <span class="w-20 shrink-0 text-right text-xs text-muted">{kind}</span>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_is_wanted() {
        let of = |text: &str| {
            let Wanted {
                project, model, version, with_versions, candidate, with_candidate, ..
            } = wanted(text, false);
            (project, model, with_versions.then_some(version), with_candidate.then_some(candidate))
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(of("ocr"), (text("ocr"), text("ocr"), None, None));
        assert_eq!(of("vision/ocr@1.2"), (text("vision"), text("ocr"), Some(text("1.2")), None));
        assert_eq!(of("ocr@"), (text("ocr"), text("ocr"), Some(text("")), None));
        assert_eq!(of("ocr#7"), (text("ocr"), text("ocr"), None, Some(7)));
        assert_eq!(of("c#"), (text("c#"), text("c#"), None, None), "perhaps it is a name");
    }
}
