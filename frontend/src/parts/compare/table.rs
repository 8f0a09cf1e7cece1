//! Metrics, params and tags of several, side by side: a table with a column for each of them.
//!
//! Cells are written as text, because views of the same take several times the code, which is downloaded.

use leptos::prelude::*;

use super::side::{self, Side, Sort};
use crate::{
    components::{
        badge::DraftBadge,
        icon::{self, Icon},
        person::Person,
        plot::{escaped, style},
        time::{self, Time},
    },
    graphql::scalar::VersionState,
    logic::{diff, format},
    parts::candidates::{run_facts::RunUser, status::Status},
};

#[component]
pub fn Comparison(
    sides: Memo<Vec<Side>>,
    /// Which of them the others are held against.
    base: Signal<usize>,
    only_differing: Signal<bool>,
    /// What stands in the head of each besides, by its address.
    #[prop(optional)]
    actions: Option<Callback<String, AnyView>>,
) -> impl IntoView {
    let sections = [("Metrics", Sort::Metrics), ("Params", Sort::Params), ("Tags", Sort::Tags)];
    let sections = sections.map(|(title, sort)| {
        let names = Memo::new(move |_| side::names(&sides.read(), sort, only_differing.get()));
        (title, sort, names)
    });
    let nothing = move || sections.iter().all(|(.., names)| names.read().is_empty());
    let keys = move || sides.read().iter().map(Side::href).collect::<Vec<_>>();
    view! {
        <div class="overflow-x-auto" tabindex="0" role="region" aria-label="Comparison">
            <table class="table table-sm">
                <thead>
                    <tr>
                        <td class="sticky left-0 z-10 bg-base-100"></td>
                        <For each=keys key=Clone::clone let:key><Heading key sides actions/></For>
                    </tr>
                </thead>
                {sections.map(|(title, sort, names)| view! { <Section title sort names sides base/> })}
            </table>
            <Show when=nothing>
                <p class="px-5 py-3 text-sm text-muted">
                    {move || if only_differing.get() { "Metrics, params and tags are identical." } else { "No metrics, params or tags to compare." }}
                </p>
            </Show>
        </div>
    }
}

/// Rows stay where they are when a value changes, and with them where somebody is in the table.
#[component]
fn Section(
    title: &'static str,
    sort: Sort,
    names: Memo<Vec<String>>,
    sides: Memo<Vec<Side>>,
    base: Signal<usize>,
) -> impl IntoView {
    view! {
        <Show when=move || !names.read().is_empty()>
            <tbody>
                <tr>
                    <th scope="rowgroup" colspan=move || sides.read().len() + 1 class="bg-base-200 pl-5 text-left font-semibold text-base-content">
                        <span class="sticky left-5">{title}</span>
                    </th>
                </tr>
                <For each=move || names.get() key=Clone::clone let:name>
                    <Row name sort sides base/>
                </For>
            </tbody>
        </Show>
    }
}

#[component]
fn Row(name: String, sort: Sort, sides: Memo<Vec<Side>>, base: Signal<usize>) -> impl IntoView {
    const NAME: &str = "sticky left-0 z-10 min-w-36 max-w-40 sm:max-w-56 wrap-anywhere bg-base-100 pl-5 font-normal";
    const CELL: &str = "min-w-32 max-w-72 break-all align-top font-mono text-sm";
    let less = RwSignal::new(side::less_is_better(&sides.read_untracked(), &name));
    let key = StoredValue::new(name.clone());
    let cells = move || {
        let (sides, key) = (sides.read(), key.read_value());
        let cells = match sort {
            Sort::Metrics => {
                let best = side::best(&sides, &key, less.get());
                metric_cells(&side::numbers(&sides, &key), base.get(), &best)
            }
            _ => text_cells(&side::texts(&sides, sort, &key), base.get()),
        };
        let cell =
            |(class, html)| view! { <td class=format!("{CELL} {class}") inner_html=html></td> };
        cells.into_iter().map(cell).collect_view()
    };
    let label = move || {
        let better = match less.get() {
            Some(true) => "lower is better",
            Some(false) => "higher is better",
            None => "not known whether lower or higher is better",
        };
        format!("{}: {better}", key.read_value())
    };
    let flip = (sort == Sort::Metrics).then(|| {
        view! {
            <button
                type="button" class="btn btn-ghost btn-xs btn-square -my-0.5" aria-label=label title=label
                on:click=move |_| less.update(|less| *less = Some(!less.unwrap_or(true)))
            >
                {move || {
                    let d = match less.get() {
                        Some(true) => icon::ARROW_DOWN,
                        Some(false) => icon::ARROW_UP,
                        None => icon::ARROWS_UP_DOWN,
                    };
                    view! { <Icon d class="size-3.5"/> }
                }}
            </button>
        }
    });
    view! {
        <tr>
            <th scope="row" class=NAME>
                <span class="flex items-start justify-between gap-1">{name} {flip}</span>
            </th>
            {cells}
        </tr>
    }
}

type Cells = Vec<(&'static str, String)>;

/// The values, how they stand to the base, and how long they are beside each other.
fn metric_cells(numbers: &diff::Numbers, base: usize, best: &[bool]) -> Cells {
    let (lengths, more) = (numbers.lengths(), numbers.more(base));
    let cell = |(index, value): (usize, &Option<f64>)| {
        let Some(value) = value else { return ("", "–".to_owned()) };
        let mut html = format::metric(*value);
        if best[index] {
            html += " <b class=\"text-success\" title=\"Best\"><span aria-hidden=\"true\">★</span><span class=\"sr-only\">best</span></b>";
        }
        if let Some(more) = more[index] {
            html += &format!(" <span class=\"text-xs text-muted\">{}</span>", diff::signed(more));
        }
        let width = lengths[index].unwrap_or(0.0) * 100.0;
        let best = if best[index] { " data-best" } else { "" };
        html += &format!(
            "<span class=\"bar\"{best} aria-hidden=\"true\"><i style=\"width:{width:.1}%\"></i></span>"
        );
        ("", html)
    };
    numbers.0.iter().enumerate().map(cell).collect()
}

fn text_cells(texts: &diff::Texts<'_>, base: usize) -> Cells {
    let before = texts.0.get(base).copied().flatten();
    let cell = |value: &Option<&str>| {
        let class = if *value == before { "" } else { "bg-warning/15" };
        (class, value.map_or_else(|| "–".to_owned(), escaped))
    };
    texts.0.iter().map(cell).collect()
}

/// One of those that are compared: its key is its address.
#[component]
fn Heading(
    key: String,
    sides: Memo<Vec<Side>>,
    actions: Option<Callback<String, AnyView>>,
) -> impl IntoView {
    let href = StoredValue::new(key.clone());
    let place = move || sides.read().iter().position(|side| side.href() == *href.read_value());
    let name = move || Some(sides.read().get(place()?)?.name());
    let about = move || Some(about_side(sides.read().get(place()?)?.clone()));
    view! {
        <th scope="col" class="min-w-40 align-top">
            <a
                class="curve-key link-hover link text-base-content" href=key.clone()
                style=move || style(place().unwrap_or_default())
            >
                {name}
            </a>
            <div class="mt-1 text-xs font-normal">{about}</div>
            {actions.map(|actions| actions.run(key))}
        </th>
    }
}

fn about_side(side: Side) -> AnyView {
    match side {
        Side::Run(run) => {
            let took = run.started_at.as_ref().zip(run.ended_at.as_ref()).map(|(start, end)| {
                format!(" · {}", format::seconds(time::between_ms(&start.0, &end.0) / 1000.0))
            });
            view! {
                <Status status=run.status/>
                <div class="mt-1"><Time at=run.created_at.0/> {took} " · " <RunUser tags=run.tags author=run.author/></div>
            }
            .into_any()
        }
        Side::Version(data) => {
            let version = data.version;
            let draft = version.state == VersionState::Draft;
            let person = version.author.map(|author| (author.name, author.username));
            view! {
                {draft.then(|| view! { <DraftBadge/> })}
                <Time at=version.published_at.unwrap_or(version.created_at).0/> " · " <Person person/>
            }
            .into_any()
        }
    }
}
