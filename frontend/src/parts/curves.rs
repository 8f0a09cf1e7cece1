//! The curves of a training run: one chart for each metric.

use leptos::prelude::*;

use crate::{
    components::{
        chart::{Chart, Curve},
        loaded::{Load, Loaded},
    },
    graphql::{
        candidate::{self, Run},
        tag::Metric,
    },
};

/// Curves that are drawn at once; more on demand.
const CURVES_SHOWN: usize = 6;

#[component]
pub fn Curves(run: Memo<Run>, metrics: Memo<Vec<Metric>>) -> impl IntoView {
    let all = RwSignal::new(false);
    let names = Memo::new(move |_| {
        metrics.read().iter().map(|metric| metric.name.clone()).collect::<Vec<_>>()
    });
    let shown = move || {
        let mut names = names.get();
        if !all.get() {
            names.truncate(CURVES_SHOWN);
        }
        names
    };
    view! {
        <section class="panel">
            <h2 class="border-b border-base-300 px-5 py-3 font-semibold">"Curves"</h2>
            <div class="grid gap-x-6 gap-y-5 p-5 md:grid-cols-2">
                <For each=shown key=Clone::clone let:name>
                    <MetricCurve run name/>
                </For>
            </div>
            <Show when=move || !all.get() && names.read().len().gt(&CURVES_SHOWN)>
                <div class="px-5 pb-5">
                    <button type="button" class="btn btn-sm" on:click=move |_| all.set(true)>
                        {move || format!("Show all {}", names.read().len())}
                    </button>
                </div>
            </Show>
        </section>
    }
}

#[component]
fn MetricCurve(run: Memo<Run>, name: String) -> impl IntoView {
    let history = {
        let name = name.clone();
        Load::new(move || candidate::history(run.get(), name.clone()))
    };
    let title = StoredValue::new(name);
    view! {
        <div class="min-w-0">
            <h3 class="mb-1 break-all text-sm font-medium">{title.get_value()}</h3>
            <Loaded from=history fallback=|| view! { <div class="skeleton h-56"></div> } children=move |history| {
                let curve = Signal::derive(move || history.with(|(points, _)| Curve {
                    steps: points.iter().map(|point| point.step as f64).collect(),
                    values: points.iter().map(|point| point.value.0).collect(),
                }));
                let left_out = move || history.with(|(points, total)| {
                    let shown = i32::try_from(points.len()).unwrap_or(i32::MAX);
                    (*total > shown).then(|| format!("The first {shown} of {total} points."))
                });
                view! {
                    <Show
                        when=move || history.with(|(points, _)| points.len() > 1)
                        fallback=|| view! { <p class="py-3 text-sm text-muted">"One point; there is no curve."</p> }
                    >
                        <Chart name=title.get_value() curve/>
                    </Show>
                    <p class="text-xs text-muted">{left_out}</p>
                }
            }/>
        </div>
    }
}
