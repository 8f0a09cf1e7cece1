//! The log of a project, a model or the registry: filters, a page of events, and the way to export them.

use leptos::prelude::*;

use super::page::{neighbours, use_place};
use crate::{
    components::{
        badge::{AlarmBadge, Badge},
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
    logic::{self, address, event::Part},
    parts::tags::report,
    session::use_session,
};

/// Kinds of actions; an address can also name a single one, such as `alias.set`.
pub const KINDS: &[(&str, &str)] = &[
    ("", "Any action"),
    ("project.*", "Projects"),
    ("model.*", "Models"),
    ("version.*", "Versions"),
    ("candidate.*", "Runs"),
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
            <SearchBox name="actor" label="User" d=icon::USER/>
            <QuerySelect name="action" label="Action" options=KINDS/>
            <Show when=move || in_full.get()>
                <QuerySelect
                    name="refused" label="Outcome"
                    options=&[("", "Any outcome"), ("false", "Done"), ("true", "Refused")]
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
                    "Export as JSON lines"
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
            ("No matching events", "Try a broader filter.")
        } else {
            ("No events yet", "Every change is recorded here: who changed what, and when.")
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
                            <th scope="col">"Event"</th>
                            <th scope="col" class="hidden md:table-cell">"When"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || folded(&page.read().nodes).into_iter().map(|rows| view! { <Group rows redaction/> }).collect_view()}
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
            toasts.success("Value redacted.");
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
                "This permanently replaces the value in the log with " <code>{REDACTED}</code> ". The redaction itself is logged, too. "
                "If the tag is still set, the tag keeps its value."
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

/// Events in a row that say the same, or differ in their files only, are shown as one.
fn folded(rows: &[EventRow]) -> Vec<Vec<EventRow>> {
    let said = |row: &EventRow| {
        let detail = (!row.action.starts_with("file.")).then(|| row.detail.clone());
        let EventRow { actor, token, address, action, subject, refused, .. } = row.clone();
        (actor, token, address, action, subject, refused, detail)
    };
    rows.chunk_by(|one, next| said(one) == said(next)).map(<[_]>::to_vec).collect()
}

/// One line for all of them, until somebody wants to see each.
#[component]
fn Group(rows: Vec<EventRow>, redaction: Redaction) -> impl IntoView {
    let open = RwSignal::new(rows.len() == 1);
    let all = StoredValue::new(rows);
    move || {
        if open.get() {
            let rows = all.get_value().into_iter();
            return rows.map(|row| view! { <Row row redaction/> }).collect_view().into_any();
        }
        let count = all.read_value().len();
        let Some(row) = all.read_value().first().cloned() else { return ().into_any() };
        let EventRow { at, action, subject, refused, detail, .. } = row.clone();
        let told = match action.starts_with("file.") {
            true => logic::event::tell_files(&action, &subject, refused, count),
            false => logic::event::tell(&action, &subject, refused, &detail),
        };
        view! {
            <tr>
                <td class="w-full align-top wrap-anywhere">
                    <div class="flex flex-wrap items-center gap-x-2 gap-y-1">
                        {sentence(&row, told.sentence)}
                        <Badge text=format!("{count} times")/>
                        <button type="button" class="btn btn-ghost btn-xs" on:click=move |_| open.set(true)>"Show each"</button>
                    </div>
                    {through(row)}
                    <p class="mt-0.5 text-xs text-muted md:hidden"><Time at=at.0.clone()/></p>
                </td>
                <td class="hidden align-top text-muted md:table-cell"><Time at=at.0/></td>
            </tr>
        }
        .into_any()
    }
}

#[component]
fn Row(row: EventRow, redaction: Redaction) -> impl IntoView {
    let EventRow { id, at, action, subject, refused, detail, .. } = row.clone();
    let session = use_session();
    let detail = RwSignal::new(detail);
    let name = action.clone();
    let told = Memo::new(move |_| logic::event::tell(&name, &subject, refused, &detail.read()));
    let redactable =
        Memo::new(move |_| session.is_admin() && tells_value(&action, refused, &detail.read()));
    let ask = move |_| {
        redaction.asked.set(Some((id.clone(), detail)));
        redaction.open.set(true);
    };
    let said = row.clone();
    view! {
        <tr>
            <td class="w-full align-top wrap-anywhere">
                {move || sentence(&said, told.get().sentence)}
                <p class="mt-0.5 text-xs text-muted empty:hidden">{move || told.get().more}</p>
                {through(row)}
                <Show when=move || redactable.get()>
                    <button type="button" class="btn btn-xs mt-1" on:click=ask.clone()>"Redact value…"</button>
                </Show>
                <p class="mt-0.5 text-xs text-muted md:hidden"><Time at=at.0.clone()/></p>
            </td>
            <td class="hidden align-top text-muted md:table-cell"><Time at=at.0/></td>
        </tr>
    }
}

/// Who did it, and what.
fn sentence(row: &EventRow, parts: Vec<Part>) -> impl IntoView + use<> {
    let who = match row.actor.clone() {
        Some(Author { name, username }) => {
            view! { <b class="font-semibold"><Person person=Some((name, username))/></b> }
                .into_any()
        }
        None if row.refused => view! { "Someone" }.into_any(),
        None => view! { "The registry" }.into_any(),
    };
    let part = |part| match part {
        Part::Text(text) => text.into_any(),
        Part::Link { text, href } => view! { <a class="link" href=href>{text}</a> }.into_any(),
    };
    let refused = row.refused.then(|| view! { " " <AlarmBadge text="Refused"/> });
    view! { <span>{who} " " {parts.into_iter().map(part).collect_view()} "." {refused}</span> }
}

/// What maintainers see of how it was done.
fn through(row: EventRow) -> impl IntoView {
    let token = row.token.map(|token| format!("Token {}", token.name));
    let through = token.into_iter().chain(row.address).collect::<Vec<_>>().join(" · ");
    (!through.is_empty()).then(|| view! { <p class="mt-0.5 text-xs text-muted">{through}</p> })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_events_in_a_row_are_one() {
        let event = |action: &str, subject: &str, detail: &str| EventRow {
            id: cynic::Id::new("1"),
            at: DateTime("2026-01-02T03:04:05Z".to_owned()),
            actor: None,
            token: None,
            address: None,
            action: action.to_owned(),
            subject: subject.to_owned(),
            refused: false,
            detail: detail.to_owned(),
        };
        let mut rows = vec![event("candidate.log", "v/m/candidates/1", "{}"); 25];
        rows.push(event("candidate.log", "v/m/candidates/2", "{}"));
        rows.push(event("candidate.log", "v/m/candidates/1", "{}"));
        for path in ["a", "b", "c"] {
            rows.push(event("file.put", "v/m@1.0.0", &format!(r#"{{"path":"{path}"}}"#)));
        }
        for key in ["a", "b"] {
            rows.push(event("tag.set", "v/m", &format!(r#"{{"key":"{key}"}}"#)));
        }
        let lengths: Vec<_> = folded(&rows).iter().map(Vec::len).collect();
        assert_eq!(lengths, [25, 1, 1, 3, 1, 1]);
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
