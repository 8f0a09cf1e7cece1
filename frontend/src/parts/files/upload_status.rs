//! Uploads in the header of every page: how far they are, and the way to each.

use leptos::prelude::*;

use super::upload_list::{heading, percent, summary};
use crate::{
    components::{
        icon::{self, Icon},
        menu::Menu,
    },
    upload::{Place, Total, Uploads},
};

#[component]
pub fn UploadStatus() -> impl IntoView {
    let uploads = expect_context::<Uploads>();
    let unfinished = Memo::new(move |_| uploads.unfinished());
    let places = move || {
        unfinished.with(|all| all.iter().map(|(place, _)| place.base.clone()).collect::<Vec<_>>())
    };
    view! {
        <Show when=move || !unfinished.read().is_empty()>
            <Menu
                label=Signal::derive(move || format!("Uploads: {}", unfinished.with(|all| in_short(all))))
                class="btn btn-ghost gap-2 px-2 font-normal"
                button=move || view! {
                    <span class=move || unfinished.with(|all| tint(all))><Icon d=icon::UPLOAD class="size-5"/></span>
                    <span class="text-sm tabular-nums">{move || unfinished.with(|all| in_short(all))}</span>
                }
            >
                <For each=places key=Clone::clone let:base><Line base unfinished/></For>
            </Menu>
        </Show>
    }
}

/// It stays where it is while its upload goes on, and with it who is on it.
#[component]
fn Line(base: String, unfinished: Memo<Vec<(Place, Total)>>) -> impl IntoView {
    let found = Memo::new(move |last: Option<&Option<(Place, Total)>>| {
        let found =
            unfinished.with(|all| all.iter().find(|(place, _)| place.base == base).cloned());
        // One that is over is about to go from here, too.
        found.or_else(|| last.cloned().flatten())
    });
    let place = move |of: fn(Place) -> String| move || found.get().map(|(place, _)| of(place));
    let total = move || found.get().map(|(_, total)| total).unwrap_or_default();
    view! {
        <li>
            <a class="flex flex-col items-stretch gap-1" href=place(|place| place.page)>
                <span class="break-words font-medium">{place(|place| place.name)}</span>
                <progress
                    class="progress progress-primary w-full" max="100" aria-label="Uploaded"
                    prop:value=move || percent(&total())
                ></progress>
                <span class="text-xs tabular-nums text-muted">
                    {move || heading(&total())} " · " {move || summary(&total())}
                </span>
            </a>
        </li>
    }
}

/// All of them together: `42 %`, or what somebody has to see to.
fn in_short(all: &[(Place, Total)]) -> String {
    let sum = |of: fn(&Total) -> f64| all.iter().map(|(_, total)| of(total)).sum::<f64>();
    let count = |of: fn(&Total) -> usize| all.iter().map(|(_, total)| of(total)).sum::<usize>();
    if count(|total| total.active + total.paused) == 0 {
        return format!("{} failed", count(|total| total.failed));
    }
    let whole = Total {
        sent: sum(|total| total.sent),
        bytes: sum(|total| total.bytes),
        ..Total::default()
    };
    let percent = percent(&whole).floor();
    if count(|total| total.active) == 0 {
        format!("{percent} %, paused")
    } else {
        format!("{percent} %")
    }
}

fn tint(all: &[(Place, Total)]) -> &'static str {
    let failed = all.iter().any(|(_, total)| total.failed > 0);
    if failed { "text-error" } else { "text-primary" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_uploads_are_said_in_a_word() {
        let place = Place { base: String::new(), page: String::new(), name: String::new() };
        let short = |totals: &[Total]| {
            let all: Vec<_> = totals.iter().map(|total| (place.clone(), total.clone())).collect();
            in_short(&all)
        };
        let going = Total { active: 1, sent: 30.0, bytes: 40.0, ..Total::default() };
        let paused = Total { paused: 1, sent: 0.0, bytes: 60.0, ..Total::default() };
        let failed = Total { failed: 2, sent: 1.0, bytes: 9.0, ..Total::default() };
        assert_eq!(short(&[going.clone(), paused.clone()]), "30 %");
        assert_eq!(short(&[paused]), "0 %, paused");
        assert_eq!(short(&[failed]), "2 failed");
    }
}
