//! The curves of training runs: one chart for each metric, with those of all runs in it.

use std::collections::BTreeSet;

use leptos::prelude::*;

use crate::{
    api,
    components::{
        chart::Chart,
        loaded::{Load, Loaded},
        plot::{Axis, Look},
        plot::{Curve, Point},
        time,
    },
    graphql::{
        candidate::{self, MetricPoint, Part, Run},
        scalar::DateTime,
        tag::Metric,
    },
    logic::error::{ApiError, Code},
};

/// Curves that are drawn at once; more on demand.
const CURVES_SHOWN: usize = 6;

/// A run whose curves are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub run: Run,
    pub name: String,
    pub metrics: Vec<Metric>,
    /// The names of those that have more than one point.
    pub curves: Vec<String>,
    /// Which of the colors its curves have: no other run here has it.
    pub color: usize,
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
        let names = runs.iter().flat_map(|run| run.curves.iter().cloned());
        names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    });
    let shown = move || {
        let mut names = names.get();
        if !all.get() {
            names.truncate(CURVES_SHOWN);
        }
        names
    };
    // What has a single value stands in the table.
    view! {
        <Show when=move || !names.read().is_empty()>
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
        </Show>
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
            <div class="join" role="group" aria-label="Horizontal axis">{axis(Axis::Step)}{axis(Axis::Time)}</div>
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

/// A part of a curve that is to be asked for, with what it is drawn as.
struct Wanted {
    run: Run,
    name: String,
    color: usize,
    part: Part,
}

/// The points of one metric of each of some runs. Of one that is gone there are none: a version has its
/// metrics for longer than the run that it was made from.
async fn load(wanted: Vec<Wanted>, metric: String) -> Result<Vec<Curve>, ApiError> {
    let ask = |Wanted { run, name, color, part }: Wanted| -> api::Asked<Curve> {
        let metric = metric.clone();
        Box::pin(async move {
            let points = match candidate::curve(run, metric, part).await {
                Err(error) if error.code == Code::NotFound => Vec::new(),
                points => points?,
            };
            Ok(Curve { name, color, points: points.iter().map(point).collect() })
        })
    };
    api::all(wanted.into_iter().map(ask).collect()).await
}

/// What to ask for to show a part of a curve in more detail.
fn part(curve: &Curve, axis: Axis, (from, to): (f64, f64)) -> Part {
    if axis == Axis::Step {
        return Part { steps: Some((from.floor() as i64, to.ceil() as i64)), times: None };
    }
    let start = curve.start_ms();
    let (from, to) = ((start + from * 1000.0).floor(), (start + to * 1000.0).ceil());
    // Points are found by their steps: those of the points inside, and of the next ones outside.
    let times = || curve.points.iter().map(|point| point.time_ms);
    let before = times().filter(|at| *at < from).fold(f64::NEG_INFINITY, f64::max);
    let after = times().filter(|at| to < *at).fold(f64::INFINITY, f64::min);
    let near = curve.points.iter().filter(|point| (before..=after).contains(&point.time_ms));
    let steps = near.fold(None, |steps, point| {
        let step = point.step as i64;
        let (low, high) = steps.unwrap_or((step, step));
        Some((step.min(low), step.max(high)))
    });
    Part { steps, times: Some((DateTime(time::rfc3339(from)), DateTime(time::rfc3339(to)))) }
}

/// With the finer points of a part, where they have come. A chart puts them in order.
fn with_finer(mut curves: Vec<Curve>, finer: &[Curve]) -> Vec<Curve> {
    for curve in &mut curves {
        let finer = finer.iter().filter(|finer| finer.color == curve.color);
        let finer = finer.flat_map(|finer| &finer.points);
        let new: Vec<_> = finer.filter(|point| !curve.points.contains(point)).copied().collect();
        curve.points.extend(new);
    }
    curves
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
        let last =
            |run: &Measured| Some((run.run.clone(), run.name.clone(), run.color, run.last(&name)?));
        runs.iter().filter_map(last).collect::<Vec<_>>()
    });
    let wanted = move |part: &dyn Fn(usize) -> Part| {
        let wanted = |(run, name, color, _)| Wanted { run, name, color, part: part(color) };
        measured.get().into_iter().map(wanted).collect::<Vec<_>>()
    };
    let whose = Memo::new(move |_| {
        runs.with(|runs| runs.iter().map(|run| (run.run.clone(), run.color)).collect::<Vec<_>>())
    });
    let curves = Load::new(move || {
        whose.track();
        load(untrack(|| wanted(&|_| Part::default())), title.get_value())
    });
    curves.refetch_when(move || measured.track());
    // What is zoomed in on is asked for again: it has more points than were shown of it.
    let zoom = RwSignal::new(None);
    let axis = Memo::new(move |_| look.read().axis);
    let finer = Load::new(move || {
        let wanted = zoom.get().map(|zoom| {
            curves.with(|curves| {
                let curves = curves.and_then(Result::ok).map_or(&[][..], Vec::as_slice);
                wanted(&|color| {
                    let curve = curves.iter().find(|curve| curve.color == color);
                    curve.map(|curve| part(curve, axis.get(), zoom)).unwrap_or_default()
                })
            })
        });
        load(wanted.unwrap_or_default(), title.get_value())
    });
    let shown = move |curves: Memo<Vec<Curve>>| {
        Memo::new(move |_| {
            // Where they cannot be had, those that are there do.
            finer.with(|finer| match finer {
                Some(Ok(finer)) if zoom.read().is_some() => with_finer(curves.get(), finer),
                _ => curves.get(),
            })
        })
    };
    view! {
        <div class="min-w-0">
            <h3 class="mb-1 break-all text-sm font-medium">{title.get_value()}</h3>
            <Loaded from=curves fallback=|| view! { <div class="skeleton h-56"></div> } children=move |curves| view! {
                <Chart name=title.get_value() curves=shown(curves) look zoom/>
            }/>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(f64, f64)]) -> Curve {
        let point =
            |(step, time_ms): &(f64, f64)| Point { step: *step, time_ms: *time_ms, value: *step };
        Curve { name: "a".into(), color: 3, points: points.iter().map(point).collect() }
    }

    #[test]
    fn finer_points_come_between_those_that_are_there() {
        let coarse = vec![curve(&[(0.0, 1.0), (10.0, 2.0), (20.0, 3.0)])];
        let other = Curve { color: 1, ..curve(&[(13.0, 2.0)]) };
        let merged = with_finer(coarse, &[curve(&[(9.0, 1.9), (10.0, 2.0), (11.0, 2.1)]), other]);
        let steps: Vec<_> = merged[0].points.iter().map(|point| point.step).collect();
        assert_eq!(steps, [0.0, 10.0, 20.0, 9.0, 11.0]);
    }

    #[test]
    fn a_part_is_whole_steps_with_room() {
        let found = part(&curve(&[]), Axis::Step, (1.5, 3.2));
        assert_eq!(found, Part { steps: Some((1, 4)), times: None });
    }
}
