//! The log of a project, a model or the registry: filters, a page of events, and the way to export them.

use leptos::prelude::*;

use super::page::{neighbours, use_place};
use crate::{
    components::{
        badge::AlarmBadge,
        confirm::Confirm,
        empty::Empty,
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        pager::Pager,
        person::Person,
        query_field::{QueryDate, QuerySelect},
        search::SearchBox,
        skeleton::SkeletonRows,
        time::{self, Time},
        toast::use_toasts,
    },
    graphql::{
        event::{self, EventFilter, EventPage, EventRow, RedactEventInput, Source},
        scalar::DateTime,
        viewer::Author,
    },
    logic::address,
    parts::tags::report,
    session::use_session,
};

/// Kinds of actions; an address can also name a single one, such as `alias.set`.
pub const KINDS: &[(&str, &str)] = &[
    ("", "Any action"),
    ("project.*", "Projects"),
    ("model.*", "Models"),
    ("version.*", "Versions"),
    ("candidate.*", "Candidates"),
    ("experiment.*", "Experiments"),
    ("logged-model.*", "Logged models"),
    ("file.*", "Files"),
    ("alias.*", "Aliases"),
    ("tag.*", "Tags"),
    ("member.*", "Members"),
    ("token.*", "Tokens"),
    ("user.*", "Users"),
    ("password.*", "Passwords"),
    ("invitation.*", "Invitations"),
    ("session.*", "Sessions"),
    ("trash.*", "Trash"),
    ("event.*", "Redactions"),
];

/// The filter in the address.
fn use_filter() -> Memo<EventFilter> {
    let actor = address::use_query("actor");
    let action = address::use_query("action");
    let refused = address::use_query("refused");
    let since = address::use_query("since");
    let until = address::use_query("until");
    let moment = |day: Option<String>, days| {
        day.and_then(|day| time::start_of_day(&day, days)).map(DateTime)
    };
    Memo::new(move |_| EventFilter {
        actor: actor.get(),
        action: action.get(),
        refused: refused.get().map(|refused| refused == "true"),
        since: moment(since.get(), 0),
        // The day that is named belongs to what is shown.
        until: moment(until.get(), 1),
    })
}

/// The same events as JSON lines.
fn export(source: Source, filter: EventFilter) -> String {
    let (project, model) = match source {
        Source::Project(path) => (Some(path), None),
        Source::Model(path) => (None, Some(path)),
        Source::Registry => (None, None),
    };
    address::events(&[
        ("project", project),
        ("model", model),
        ("actor", filter.actor),
        ("action", filter.action),
        ("refused", filter.refused.map(|refused| refused.to_string())),
        ("since", filter.since.map(|at| at.0)),
        ("until", filter.until.map(|at| at.0)),
    ])
}

#[component]
pub fn Events(
    #[prop(into)] source: Signal<Source>,
    /// Whether the viewer may take all of it away, and sees who was refused.
    #[prop(into)]
    in_full: Signal<bool>,
) -> impl IntoView {
    let filter = use_filter();
    let place = use_place();
    let events = Load::new(move || event::list(source.get(), filter.get(), place.get()));
    view! {
        <div class="mb-4 flex flex-wrap items-start gap-3">
            <SearchBox name="actor" label="By user name" d=icon::USER/>
            <QuerySelect name="action" label="Action" options=KINDS/>
            <Show when=move || in_full.get()>
                <QuerySelect
                    name="refused" label="Outcome"
                    options=&[("", "Done or refused"), ("false", "Done"), ("true", "Refused")]
                />
            </Show>
            <QueryDate name="since" label="From"/>
            <QueryDate name="until" label="To"/>
            <Show when=move || in_full.get()>
                <a
                    class="btn lg:ml-auto" rel="external" download
                    href=move || export(source.get(), filter.get())
                >
                    <Icon d=icon::DOWNLOAD/>
                    "Export JSON lines"
                </a>
            </Show>
        </div>
        <Loaded from=events fallback=|| view! { <SkeletonRows/> } let:page>
            <EventTable page filtered=Signal::derive(move || *filter.read() != EventFilter::default())/>
        </Loaded>
    }
}

#[component]
fn EventTable(page: Memo<EventPage>, filtered: Signal<bool>) -> impl IntoView {
    let nothing = move || {
        let (title, text) = if filtered.get() {
            ("No event matches", "Loosen the filters to see more.")
        } else {
            ("Nothing happened yet", "Every change is noted here: who, what and when.")
        };
        view! { <Empty d=icon::HISTORY title><p>{text}</p></Empty> }
    };
    let neighbours = Signal::derive(move || {
        page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
    });
    let redaction = Redaction { asked: RwSignal::new(None), open: RwSignal::new(false) };
    view! {
        <Show when=move || !page.read().nodes.is_empty() fallback=nothing>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Events">
                <table class="table table-sm">
                    <thead>
                        <tr>
                            <th scope="col">"What"</th>
                            <th scope="col">"Who"</th>
                            <th scope="col" class="hidden md:table-cell">"When"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || page.get().nodes.into_iter().map(|row| view! { <Row row redaction/> }).collect_view()}
                    </tbody>
                </table>
            </div>
            <Pager neighbours one="event" many="events"/>
        </Show>
        <ConfirmRedaction redaction/>
    }
}

/// The event that is to be redacted, and where its line has what it tells.
#[derive(Clone, Copy)]
struct Redaction {
    asked: RwSignal<Option<(cynic::Id, RwSignal<String>)>>,
    open: RwSignal<bool>,
}

#[component]
fn ConfirmRedaction(redaction: Redaction) -> impl IntoView {
    let Redaction { asked, open } = redaction;
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let redact = move |()| {
        let Some((id, detail)) = asked.get_untracked() else { return };
        submit.run(event::redact(RedactEventInput { id }), move |event| {
            open.set(false);
            toasts.success("The value is redacted.");
            // The line may be gone: another page of the log was opened meanwhile.
            detail.try_set(event.detail);
        });
    };
    view! {
        <Confirm
            open title="Redact this value?".to_owned() action="Redact value" danger=true
            pending=submit.pending on_confirm=redact
        >
            <p>
                "The value is replaced by " <code>{REDACTED}</code> " for good, and that is a line of the log, too. "
                "Where the tag is still set, it keeps its value."
            </p>
        </Confirm>
    }
}

/// What the server puts in the place of a value.
const REDACTED: &str = "[redacted]";

/// Whether an event tells the value of a tag.
fn tells_value(action: &str, refused: bool, detail: &str) -> bool {
    let of_tag = ["tag.set", "tag.delete"].contains(&action) && !refused;
    of_tag
        && serde_json::from_str::<serde_json::Value>(detail)
            .is_ok_and(|detail| detail["value"].as_str().is_some_and(|value| value != REDACTED))
}

#[component]
fn Row(row: EventRow, redaction: Redaction) -> impl IntoView {
    let EventRow { id, at, actor, token, address, action, subject, refused, detail } = row;
    let session = use_session();
    let detail = RwSignal::new(detail);
    let details = Memo::new(move |_| details(&detail.read()));
    let name = action.clone();
    let redactable =
        Memo::new(move |_| session.is_admin() && tells_value(&name, refused, &detail.read()));
    let ask = move |_| {
        redaction.asked.set(Some((id.clone(), detail)));
        redaction.open.set(true);
    };
    // What maintainers see of how it was done.
    let through = token
        .map(|token| format!("token {}", token.name))
        .into_iter()
        .chain(address)
        .collect::<Vec<_>>()
        .join(" · ");
    let who = match actor {
        Some(Author { name, username }) => {
            view! { <Person person=Some((name, username))/> }.into_any()
        }
        None => view! { <span class="text-muted">"the registry"</span> }.into_any(),
    };
    view! {
        <tr>
            <td class="w-full align-top wrap-anywhere">
                <div class="flex flex-wrap items-center gap-x-2 gap-y-1">
                    <code class="text-xs font-semibold">{action}</code>
                    {refused.then(|| view! { <AlarmBadge text="Refused"/> })}
                    <span class="text-sm">{subject}</span>
                </div>
                <p class="mt-0.5 text-xs text-muted empty:hidden">{details}</p>
                <Show when=move || redactable.get()>
                    <button type="button" class="btn btn-xs mt-1" on:click=ask.clone()>"Redact value…"</button>
                </Show>
                <p class="mt-0.5 text-xs text-muted md:hidden"><Time at=at.0.clone()/></p>
            </td>
            <td class="min-w-28 align-top wrap-anywhere md:min-w-56">
                <p>{who}</p>
                {(!through.is_empty()).then(|| view! { <p class="text-xs text-muted">{through}</p> })}
            </td>
            <td class="hidden align-top text-muted md:table-cell"><Time at=at.0/></td>
        </tr>
    }
}

/// `{"role": "DEVELOPER"}` as people read it: `role: DEVELOPER`.
fn details(json: &str) -> String {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json) {
        Ok(object) => object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| match value.as_str() {
                // Hashes are told apart by their beginning; the export has them in full.
                Some(hash) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    format!("{key}: {}…", &hash[..12])
                }
                Some(text) => format!("{key}: {text}"),
                None => format!("{key}: {value}"),
            })
            .collect::<Vec<_>>()
            .join(" · "),
        // Not an object: then as it is.
        Err(_) => json.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_read_without_braces() {
        assert_eq!(details(r#"{"role":"GUEST","bytes":7,"by":null}"#), "bytes: 7 · role: GUEST");
        let hash = "0123456789abcdef".repeat(4);
        assert_eq!(details(&format!(r#"{{"sha256":"{hash}"}}"#)), "sha256: 0123456789ab…");
        assert_eq!(details("{}"), "");
    }

    #[test]
    fn a_value_is_told_until_it_is_redacted() {
        let detail = r#"{"key":"note","value":"hunter2"}"#;
        assert!(tells_value("tag.set", false, detail));
        assert!(tells_value("tag.delete", false, detail));
        assert!(!tells_value("tag.set", true, detail));
        assert!(!tells_value("alias.set", false, detail));
        assert!(!tells_value("tag.set", false, r#"{"key":"note"}"#));
        assert!(!tells_value("tag.set", false, r#"{"key":"note","value":"[redacted]"}"#));
    }

    #[test]
    fn the_export_is_filtered_as_the_page() {
        let filter = EventFilter { refused: Some(true), ..Default::default() };
        let address = export(Source::Model("v/m".to_owned()), filter);
        assert_eq!(address, "/api/events?model=v%2Fm&refused=true");
        assert_eq!(export(Source::Registry, EventFilter::default()), "/api/events");
    }
}
