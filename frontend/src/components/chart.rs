//! Curves in one chart: our own SVG, which grows with its place by itself. What it shows is worked out in
//! [`plot`].
//!
//! The pointer or the arrow keys read values; dragging, or `+`, shows a part, and `Escape` all again. The
//! same values are in a table below. Nothing moves by itself.

use leptos::{ev, html, prelude::*};

use super::plot::{self, Axis, Curve, Look, View};

#[derive(Clone, Copy)]
struct Chosen {
    zoom: RwSignal<Option<(f64, f64)>>,
    /// Where values are read, from 0 to 1 of what is shown.
    cursor: RwSignal<Option<f64>>,
    /// From where to where somebody drags.
    drag: RwSignal<Option<(f64, f64)>>,
}

impl Chosen {
    fn zoom_to(self, view: &View, from: f64, to: f64) {
        let (from, to) = (from.min(to), from.max(to));
        if to - from > 0.01 {
            self.zoom.set(Some((view.x.value(from), view.x.value(to))));
            self.cursor.set(None);
        }
    }

    fn key(self, event: &ev::KeyboardEvent, view: &View) {
        let at = self.cursor.get_untracked().unwrap_or(0.5);
        match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => self.cursor.set(view.beside(at, false)),
            "ArrowRight" | "ArrowUp" => self.cursor.set(view.beside(at, true)),
            "Home" => self.cursor.set(Some(0.0)),
            "End" => self.cursor.set(Some(1.0)),
            "+" | "=" => self.zoom_to(view, (at - 0.25).max(0.0), (at + 0.25).min(1.0)),
            "Escape" | "0" | "-" => self.zoom.set(None),
            _ => return,
        }
        event.prevent_default();
    }
}

#[component]
pub fn Chart(
    #[prop(into)] name: String,
    #[prop(into)] curves: Signal<Vec<Curve>>,
    #[prop(into)] look: Signal<Look>,
    /// What is shown of the axis; all if none.
    zoom: RwSignal<Option<(f64, f64)>>,
) -> impl IntoView {
    let chosen = Chosen { zoom, cursor: RwSignal::new(None), drag: RwSignal::new(None) };
    // What was chosen on one axis says nothing on the other.
    let axis = Memo::new(move |_| look.read().axis);
    Effect::new(move |last: Option<Axis>| {
        if last.is_some_and(|last| last != axis.get()) {
            chosen.zoom.set(None);
        }
        axis.get()
    });
    let view = Memo::new(move |_| View::of(&curves.read(), &look.read(), chosen.zoom.get()));
    view! {
        <figure class="chart">
            <Plot name view chosen/>
            <figcaption
                class="chart-legend"
                inner_html=move || view.read().legend(chosen.cursor.get().unwrap_or(1.0))
            ></figcaption>
            <div class="flex items-baseline gap-3 text-xs">
                <Values curves axis/>
                <Show when=move || chosen.zoom.read().is_some()>
                    <button type="button" class="link" on:click=move |_| chosen.zoom.set(None)>"Show all"</button>
                </Show>
            </div>
        </figure>
    }
}

#[component]
fn Plot(name: String, view: Memo<View>, chosen: Chosen) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    // Where the pointer is, from 0 to 1.
    let place = move |event: &ev::PointerEvent| {
        let width = node.get_untracked().map_or(1, |node| node.client_width()).max(1);
        (f64::from(event.offset_x()) / f64::from(width)).clamp(0.0, 1.0)
    };
    let moved = move |event: ev::PointerEvent| {
        let at = place(&event);
        chosen.cursor.set(Some(at));
        if chosen.drag.read_untracked().is_some() {
            chosen.drag.update(|drag| *drag = drag.map(|(from, _)| (from, at)));
        }
    };
    let down = move |event: ev::PointerEvent| {
        // A finger scrolls the page.
        if event.button() == 0 && event.pointer_type() != "touch" {
            let at = place(&event);
            chosen.drag.set(Some((at, at)));
        }
    };
    let up = move |_| {
        if let Some((from, to)) = chosen.drag.get_untracked() {
            chosen.drag.set(None);
            view.with_untracked(|view| chosen.zoom_to(view, from, to));
        }
    };
    let left = move |_| {
        chosen.cursor.set(None);
        chosen.drag.set(None);
    };
    let now = move || chosen.cursor.get().map_or(0, |at| (at * 100.0).round() as i32).to_string();
    let text = move || chosen.cursor.get().map(|at| view.read().read_aloud(at)).unwrap_or_default();
    view! {
        <div class="chart-frame">
            <div class="chart-y" aria-hidden="true" inner_html=move || view.read().y.labels("bottom")></div>
            <div
                class="chart-plot" node_ref=node tabindex="0" role="slider"
                aria-label=format!("{name}: use the arrow keys to read values, plus to zoom in, Escape to zoom out")
                aria-valuemin="0" aria-valuemax="100" aria-valuenow=now aria-valuetext=text
                on:pointermove=moved on:pointerdown=down on:pointerup=up on:pointerleave=left
                on:dblclick=move |_| chosen.zoom.set(None)
                on:keydown=move |event| view.with_untracked(|view| chosen.key(&event, view))
                on:blur=move |_| chosen.cursor.set(None)
            >
                <div inner_html=move || view.read().drawing()></div>
                <div inner_html=move || view.read().marks(chosen.cursor.get(), chosen.drag.get())></div>
            </div>
            <div class="chart-x" aria-hidden="true" inner_html=move || view.read().x.labels("left")></div>
        </div>
    }
}

/// The same as a table, for who cannot see the curves or wants the numbers.
#[component]
fn Values(curves: Signal<Vec<Curve>>, axis: Memo<Axis>) -> impl IntoView {
    let open = RwSignal::new(false);
    let toggled = move |event: ev::Event| {
        open.set(event_target::<leptos::web_sys::Element>(&event).has_attribute("open"));
    };
    view! {
        <details class="chart-values" on:toggle=toggled>
            <summary class="link">"Values"</summary>
            <Show when=move || open.get()>
                <div
                    class="max-h-64 overflow-auto" tabindex="0" role="region" aria-label="Values"
                    inner_html=move || plot::table(&curves.read(), axis.get())
                ></div>
            </Show>
        </details>
    }
}
