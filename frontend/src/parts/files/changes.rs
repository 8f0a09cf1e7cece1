//! What became of the files since a base: added, removed, changed or the same, by path and hash.

use leptos::prelude::*;

use super::browser::Source;
use crate::{
    api,
    components::{
        loaded::{Load, Loaded},
        plot::escaped,
        skeleton::SkeletonRows,
    },
    logic::{
        diff::{self, Change, FileLine, Listing},
        error::ApiError,
        format,
    },
    parts::compare::side::Side,
};

/// Files of each that are listed.
const MOST_FILES: usize = 2000;
/// Lines that are shown at once; more on demand.
const LINES_SHOWN: usize = 100;

async fn load(sources: Vec<Source>) -> Result<Vec<Listing>, ApiError> {
    let list = |source: Source| -> api::Asked<Listing> {
        Box::pin(async move {
            let (entries, total) = source.load(MOST_FILES).await?;
            let cut = usize::try_from(total).is_ok_and(|total| total > entries.len());
            Ok(Listing { entries, cut })
        })
    };
    api::all(sources.into_iter().map(list).collect()).await
}

#[component]
pub fn FileChanges(
    sides: Memo<Vec<Side>>,
    /// Which of them the others are held against.
    base: Signal<usize>,
    only_differing: Signal<bool>,
) -> impl IntoView {
    // Asked again where a file came or went, and not with every metric that is logged.
    let extent = Memo::new(move |_| sides.read().iter().map(Side::extent).collect::<Vec<_>>());
    let listings = Load::new(move || {
        extent.track();
        load(sides.read_untracked().iter().map(Side::source).collect())
    });
    let all = RwSignal::new(false);
    let shown = move |listings: Memo<Vec<Listing>>| {
        let lines = move || {
            let mut lines = diff::files(&listings.read(), base.get());
            lines.retain(|line| !only_differing.get() || line.differs());
            lines
        };
        let table = move || {
            let names: Vec<_> = sides.read().iter().map(Side::name).collect();
            let most = if all.get() { usize::MAX } else { LINES_SHOWN };
            table(&names, &lines(), base.get(), most)
        };
        let note = move || note(&listings.read(), lines().is_empty());
        let count = Memo::new(move |_| lines().len());
        view! {
            <div class="overflow-x-auto" tabindex="0" role="region" aria-label="Files compared" inner_html=table></div>
            <p class="wrap-anywhere px-5 py-3 text-sm text-muted empty:hidden">{note}</p>
            <Show when=move || !all.get() && count.get().gt(&LINES_SHOWN)>
                <div class="px-5 py-3">
                    <button type="button" class="btn btn-sm" on:click=move |_| all.set(true)>
                        {move || format!("Show all {}", count.get())}
                    </button>
                </div>
            </Show>
        }
    };
    view! { <Loaded from=listings fallback=|| view! { <SkeletonRows rows=3/> } children=shown/> }
}

/// Why there is nothing, or not all.
fn note(listings: &[Listing], nothing: bool) -> String {
    if listings.iter().all(|listing| listing.entries.is_empty()) {
        return "No files to compare.".to_owned();
    }
    let same = if nothing { "All files are identical. " } else { "" };
    match diff::known_until(listings) {
        Some(until) => format!(
            "{same}Only files up to “{until}” are compared, because there are more than {MOST_FILES} files."
        ),
        None => same.to_owned(),
    }
}

fn table(names: &[String], lines: &[FileLine], base: usize, most: usize) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let head = |(side, name): (usize, &String)| {
        let what = if side == base { "base".to_owned() } else { summary(lines, side) };
        format!(
            "<th scope=\"col\" class=\"min-w-36 align-top\"><span class=\"wrap-anywhere text-base-content\">{}</span><br><span class=\"font-normal\">{what}</span></th>",
            escaped(name)
        )
    };
    // While a column comes, its files are not there yet.
    let known = lines.first().map_or(0, |line| line.sizes.len());
    let heads = names.iter().take(known).enumerate().map(head).collect::<String>();
    let rows = lines.iter().take(most).map(|line| row(line, base)).collect::<String>();
    format!(
        "<table class=\"table table-sm\"><thead><tr><th scope=\"col\" class=\"sticky left-0 z-10 bg-base-100 pl-5\">Path</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )
}

/// `2 added, 1 changed`.
fn summary(lines: &[FileLine], side: usize) -> String {
    let words =
        [(Change::Added, "added"), (Change::Removed, "removed"), (Change::Changed, "changed")];
    let told: Vec<_> = words
        .into_iter()
        .map(|(change, word)| {
            (lines.iter().filter(|line| line.changes[side] == change).count(), word)
        })
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if told.is_empty() { "identical".to_owned() } else { told.join(", ") }
}

fn row(line: &FileLine, base: usize) -> String {
    let before = line.sizes.get(base).copied().flatten();
    let cell = |side: usize| {
        let size = line.sizes[side].map(format::bytes).unwrap_or_default();
        let (class, text) = match line.changes[side] {
            _ if side == base && before.is_some() => ("", size),
            Change::Same if before.is_none() => ("text-muted", "–".to_owned()),
            Change::Same => ("text-muted", "same".to_owned()),
            Change::Added => ("text-success", format!("added, {size}")),
            Change::Removed => ("text-error", "removed".to_owned()),
            Change::Changed => {
                let more = line.sizes[side].zip(before).map_or(0, |(after, before)| after - before);
                let sign = if more < 0 { '−' } else { '+' };
                let more = match more {
                    0 => String::new(),
                    more => format!(" ({sign}{})", format::bytes(more.abs())),
                };
                ("bg-warning/15", format!("changed, {size}{more}"))
            }
        };
        format!("<td class=\"align-top {class}\">{text}</td>")
    };
    let cells = (0..line.sizes.len()).map(cell).collect::<String>();
    format!(
        "<tr><th scope=\"row\" class=\"sticky left-0 z-10 min-w-36 max-w-40 break-all bg-base-100 pl-5 font-mono text-xs font-normal sm:max-w-80\">{}</th>{cells}</tr>",
        escaped(&line.path)
    )
}
