//! The curves of training runs: one chart for each metric, with those of all runs in it.

use std::collections::BTreeSet;

use leptos::prelude::*;

use crate::{
    components::{
        chart::{Chart, Curve, Point},
        loaded::{Load, Loaded},
        plot::{Axis, Look},
        time,
    },
    error::ApiError,
    graphql::{
        candidate::{self, MetricPoint, Run},
        tag::Metric,
    },
};

/// Curves that are drawn at once; more on demand.
const CURVES_SHOWN: usize = 6;

/// A run whose curves are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub run: Run,
    pub name: String,
    pub metrics: Vec<Metric>,
}

impl Measured {
    /// The last point of a metric: where it is another, the curve has gone on.
    fn last(&self, name: &str) -> Option<Metric> {
        self.metrics.iter().find(|metric| metric.name == name).cloned()
    }
}

#[component]
pub fn Curves(#[prop(into)] runs: Signal<Vec<Measured>>) -> impl IntoView {
    let all = RwSignal::new(false);
    let look = RwSignal::new(Look::default());
    let names = Memo::new(move |_| {
        let runs = runs.read();
        let names = runs.iter().flat_map(|run| &run.metrics).map(|metric| metric.name.clone());
        names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
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
            <div class="flex flex-wrap items-center justify-between gap-x-5 gap-y-2 border-b border-base-300 px-5 py-3">
                <h2 class="font-semibold">"Curves"</h2>
                <Controls look/>
            </div>
            <div class="grid gap-x-6 gap-y-5 p-5 md:grid-cols-2">
                <For each=shown key=Clone::clone let:name>
                    <MetricCurve runs name look/>
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
fn Controls(look: RwSignal<Look>) -> impl IntoView {
    let axis = move |axis: Axis| {
        view! {
            <button
                type="button" class="btn btn-xs join-item"
                class:btn-primary=move || look.read().axis == axis
                aria-pressed=move || (look.read().axis == axis).to_string()
                on:click=move |_| look.update(|look| look.axis = axis)
            >
                {axis.word()}
            </button>
        }
    };
    view! {
        <div class="flex flex-wrap items-center gap-x-5 gap-y-2 text-sm">
            <div class="join" role="group" aria-label="By step or time">{axis(Axis::Step)}{axis(Axis::Time)}</div>
            <label class="flex cursor-pointer items-center gap-2">
                "Smoothing"
                <input
                    type="range" class="range range-xs w-24" min="0" max="0.99" step="0.01"
                    prop:value=move || look.read().smoothing.to_string()
                    on:input=move |event| {
                        let smoothing = event_target_value(&event).parse().unwrap_or(0.0);
                        look.update(|look| look.smoothing = smoothing);
                    }
                />
                <span class="w-8 tabular-nums text-muted">{move || format!("{:.2}", look.read().smoothing)}</span>
            </label>
            <label class="flex cursor-pointer items-center gap-2">
                <input
                    type="checkbox" class="checkbox checkbox-xs"
                    prop:checked=move || look.read().logarithmic
                    on:change=move |_| look.update(|look| look.logarithmic = !look.logarithmic)
                />
                "Log scale"
            </label>
        </div>
    }
}

/// The points of one metric of each of some runs.
async fn load(runs: Vec<(Run, String)>, metric: String) -> Result<Vec<Curve>, ApiError> {
    let mut curves = Vec::with_capacity(runs.len());
    for (run, name) in runs {
        let points = candidate::curve(run, metric.clone()).await?;
        curves.push(Curve { name, points: points.iter().map(point).collect() });
    }
    Ok(curves)
}

fn point(point: &MetricPoint) -> Point {
    Point {
        step: point.step as f64,
        time_ms: time::millis(&point.timestamp.0),
        value: point.value.0,
    }
}

#[component]
fn MetricCurve(runs: Signal<Vec<Measured>>, name: String, look: RwSignal<Look>) -> impl IntoView {
    let title = StoredValue::new(name);
    // Asked again when one of them goes on.
    let measured = Memo::new(move |_| {
        let (runs, name) = (runs.read(), title.read_value());
        let last = |run: &Measured| Some((run.run.clone(), run.name.clone(), run.last(&name)?));
        runs.iter().filter_map(last).collect::<Vec<_>>()
    });
    let curves = Load::new(move || {
        let runs = measured.get().into_iter().map(|(run, name, _)| (run, name));
        load(runs.collect(), title.get_value())
    });
    view! {
        <div class="min-w-0">
            <h3 class="mb-1 break-all text-sm font-medium">{title.get_value()}</h3>
            <Loaded from=curves fallback=|| view! { <div class="skeleton h-56"></div> } children=move |curves| view! {
                <Show
                    when=move || curves.read().iter().any(|curve| curve.points.len() > 1)
                    fallback=|| view! { <p class="py-3 text-sm text-muted">"One point; there is no curve."</p> }
                >
                    <Chart name=title.get_value() curves look/>
                </Show>
            }/>
        </div>
    }
}
