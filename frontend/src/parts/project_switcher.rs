//! From one project to another: a menu in the header, with those of late first and a search in all.

use std::time::Duration;

use leptos::{ev, html, leptos_dom::helpers::TimeoutHandle, prelude::*};
use leptos_router::hooks::use_location;
use model_registry_names as names;

use crate::{
    components::{
        icon::{self, Icon},
        loaded::Load,
        menu::Menu,
        unsaved::use_unsaved,
    },
    graphql::{
        page::Place,
        project::{self, ProjectOrder, ProjectOrderField},
        scalar::OrderDirection,
        viewer::Viewer,
    },
    logic::{address, check},
    session::use_session,
};

/// Where the browser keeps who was in which projects of late: a user name, and then paths, a line each.
const KEY: &str = "projects";
const MOST_REMEMBERED: usize = 6;
/// How many others are listed; more are found by their names.
const MOST_LISTED: usize = 8;
/// Quiet time after the last key before the server is asked.
const PAUSE_MS: u64 = 150;

/// Storage may be refused: then nothing is remembered.
fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// The projects that this person was in, last first.
fn remembered(username: &str) -> Vec<String> {
    let kept =
        storage().and_then(|storage| storage.get_item(KEY).ok().flatten()).unwrap_or_default();
    let mut lines = kept.lines();
    // Somebody else may have used this browser.
    if lines.next() != Some(username) {
        return Vec::new();
    }
    lines.map(str::to_owned).collect()
}

/// The list with one more path at its head.
fn with_first(mut paths: Vec<String>, path: String) -> Vec<String> {
    paths.retain(|other| *other != path);
    paths.insert(0, path);
    paths.truncate(MOST_REMEMBERED);
    paths
}

/// Remembers the project that a page is of.
pub fn remember(path: Signal<String>) {
    let session = use_session();
    Effect::new(move |_| {
        let (path, username) = (path.get(), name_of(session.viewer().as_ref()));
        let paths = with_first(remembered(&username), path);
        if let Some(storage) = storage() {
            // Full storage forgets, which is all that is lost.
            let _ = storage.set_item(KEY, &format!("{username}\n{}", paths.join("\n")));
        }
    });
}

/// To be called where a session ends: who comes next need not know.
pub fn forget() {
    if let Some(storage) = storage() {
        // There may be nothing to remove.
        let _ = storage.remove_item(KEY);
    }
}

fn name_of(viewer: Option<&Viewer>) -> String {
    viewer.map(|viewer| viewer.username.clone()).unwrap_or_default()
}

/// The project that an address is in.
fn project_in(pathname: &str) -> Option<String> {
    let first = pathname
        .strip_prefix(address::root())?
        .split('/')
        .nth(1)
        .filter(|first| !first.is_empty())?;
    // Words that are no project's are no path of one either.
    let is_project = names::is_moved(first) || check::project_path(first).is_none();
    is_project.then(|| first.to_owned())
}

#[component]
pub fn ProjectSwitcher(viewer: Option<Viewer>) -> impl IntoView {
    let location = use_location();
    let current = Memo::new(move |_| project_in(&location.pathname.read()));
    let shown = move || current.get().unwrap_or_else(|| "Projects".to_owned());
    let username = StoredValue::new(name_of(viewer.as_ref()));
    view! {
        <Menu
            label=Signal::derive(move || format!("{}: switch project", shown()))
            class="btn btn-ghost max-w-40 gap-1 px-2 font-medium sm:max-w-64"
            edge="-left-2 sm:left-0"
            button=move || view! {
                <span class="truncate">{shown}</span>
                <Icon d=icon::CHEVRON_DOWN class="size-3.5 shrink-0"/>
            }
        >
            <Choice current username=username.get_value()/>
        </Menu>
    }
}

/// The search and what it finds. Made anew each time that the menu opens.
#[component]
fn Choice(current: Memo<Option<String>>, username: String) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    // The page may still be on its way, and what it is of not remembered yet.
    let recent = current.get_untracked().into_iter().fold(remembered(&username), with_first);
    let answer = Load::new(move || {
        let order = ProjectOrder { field: ProjectOrderField::Name, direction: OrderDirection::Asc };
        let text = typed.read().trim().to_owned();
        project::list((!text.is_empty()).then_some(text), order, false, Place::default())
    });
    // Path and name of each: those of late first, unless something is looked for.
    let shown = Memo::new(move |_| {
        answer.with(|answer| {
            let Some(Ok(page)) = answer else { return Vec::new() };
            let found = page.nodes.iter().map(|row| (row.path.clone(), row.name.clone()));
            let found: Vec<_> = found.collect();
            if !typed.read_untracked().trim().is_empty() {
                return found;
            }
            let named = |path: &String| {
                let name = found.iter().find(|(other, _)| other == path).map(|(_, name)| name);
                (path.clone(), name.cloned().unwrap_or_default())
            };
            // Where all are known, what is not among them is gone.
            let there = |path: &&String| {
                page.page_info.has_next_page || found.iter().any(|(other, _)| other == *path)
            };
            let others = found.iter().filter(|(path, _)| !recent.contains(path)).take(MOST_LISTED);
            recent.iter().filter(there).map(named).chain(others.cloned()).collect::<Vec<_>>()
        })
    });
    let said = move || {
        answer.with(|answer| match answer {
            Some(Err(_)) => "The server isn't answering. Try again.",
            Some(Ok(page)) if page.nodes.is_empty() => "No matching projects.",
            _ => "",
        })
    };
    view! {
        <li><SearchField typed shown/></li>
        {move || shown
            .get()
            .into_iter()
            .map(|(path, name)| {
                let is_current = current.read().as_ref() == Some(&path);
                let name = (name != path).then_some(name);
                let href = address::project(&path);
                view! {
                    <li>
                        <a href=href aria-current=is_current.then_some("true")>
                            <Icon d=if is_current { icon::CHECK } else { icon::FOLDER }/>
                            <span class="min-w-0">
                                <span class="block truncate font-medium">{path}</span>
                                <span class="block truncate text-xs text-muted empty:hidden">{name}</span>
                            </span>
                        </a>
                    </li>
                }
            })
            .collect_view()}
        <li class="px-3 py-1 text-sm text-muted empty:hidden" role="status">{said}</li>
        <li class="mt-1 border-t border-base-300 pt-1"><a href=address::at("/")><Icon d=icon::LAYERS/>"All projects"</a></li>
    }
}

#[component]
fn SearchField(typed: RwSignal<String>, shown: Memo<Vec<(String, String)>>) -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = node.get() {
            // Just made, so it is there to be focused.
            let _ = input.focus();
        }
    });
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let stop = move || {
        if let Some(Some(timer)) = waiting.try_get_value() {
            timer.clear();
        }
    };
    on_cleanup(stop);
    let on_input = move |text: String| {
        stop();
        let ask = move || drop(typed.try_set(text));
        waiting.set_value(set_timeout_with_handle(ask, Duration::from_millis(PAUSE_MS)).ok());
    };
    let navigate = address::use_navigate();
    let unsaved = use_unsaved();
    let on_key_down = move |event: ev::KeyboardEvent| {
        let first =
            shown.with_untracked(|shown| shown.first().map(|(path, _)| address::project(path)));
        if event.key() == "Enter"
            && let Some(href) = first
        {
            // What a click on it would do; focus goes to the page, and with that the menu closes.
            let navigate = navigate.clone();
            unsaved.leave(move || navigate(&href, Default::default()));
            if let Some(input) = node.get_untracked() {
                // It has focus.
                let _ = input.blur();
            }
        }
    };
    view! {
        // A click into the field is no choice.
        <label class="input input-sm mb-1 w-64 max-w-full active:bg-base-100 active:text-base-content" on:click=|event| event.stop_propagation()>
            <span class="text-muted"><Icon d=icon::SEARCH/></span>
            <input
                node_ref=node
                type="text"
                class="grow"
                aria-label="Search projects"
                placeholder="Search projects"
                autocomplete="off"
                spellcheck="false"
                on:input:target=move |event| on_input(event.target().value())
                on:keydown=on_key_down
            />
        </label>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_project_it_is_in() {
        assert_eq!(project_in("/vision/ocr/versions").as_deref(), Some("vision"));
        assert_eq!(project_in("/vision").as_deref(), Some("vision"));
        for other in ["/", "/settings/tokens", "/sign-in", "/admin", "/new", ""] {
            assert_eq!(project_in(other), None, "{other}");
        }
    }

    #[test]
    fn the_last_project_comes_first_and_once() {
        let paths =
            |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(with_first(paths(&["a", "b"]), "b".to_owned()), paths(&["b", "a"]));
        let many = paths(&["a", "b", "c", "d", "e", "f"]);
        assert_eq!(with_first(many, "g".to_owned()), paths(&["g", "a", "b", "c", "d", "e"]));
    }
}
