//! Parallel coordinates: one line for each of those that are compared, over an axis for each value that
//! differs. Our own SVG, as in [`super::chart`]; the same values are in a table beside it.
//!
//! The pointer, or focus on a name below, picks a line out and shows its values; a click keeps it so.

use std::{collections::BTreeSet, fmt::Write};

use leptos::{ev, html, prelude::*};

use super::plot::{escaped, style};
use crate::logic::format;

/// Axes that have room.
const MOST_AXES: usize = 20;
/// Different texts that are written at an axis.
const MOST_LABELS: usize = 8;
/// The plot is a square of so many units, whatever its shape on the page.
const SIZE: f64 = 10_000.0;
/// How near a line must be to the pointer, as a part of the height.
const NEAR: f64 = 0.12;

/// One axis: its name, and the value of each line.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub name: String,
    pub values: Vec<Option<String>>,
}

/// Where the values of an axis are, from 0 at the bottom to 1, and what is written there.
#[derive(Clone, Debug, PartialEq)]
struct Placed {
    places: Vec<Option<f64>>,
    labels: Vec<(f64, String)>,
}

impl Placed {
    /// By size where all are numbers, by powers of ten where they are far apart; else by name.
    fn of(axis: &Axis) -> Self {
        let present: Vec<&str> = axis.values.iter().flatten().map(String::as_str).collect();
        let numbers: Option<Vec<f64>> = present.iter().map(|text| text.parse().ok()).collect();
        match numbers {
            Some(numbers) => Self::of_numbers(axis, &numbers),
            None => Self::of_texts(axis, present),
        }
    }

    fn of_numbers(axis: &Axis, numbers: &[f64]) -> Self {
        let finite = || numbers.iter().copied().filter(|number| number.is_finite());
        let (low, high) = (finite().fold(f64::MAX, f64::min), finite().fold(f64::MIN, f64::max));
        let logarithmic = low > 0.0 && high / low >= 100.0;
        let bent = |value: f64| if logarithmic { value.log10() } else { value };
        let part = |value: f64| {
            if low < high { (bent(value) - bent(low)) / (bent(high) - bent(low)) } else { 0.5 }
        };
        let place = |text: &Option<String>| {
            let number: f64 = text.as_ref()?.parse().ok()?;
            number.is_finite().then(|| part(number))
        };
        let ends = if low < high { vec![low, high] } else { finite().take(1).collect() };
        Self {
            places: axis.values.iter().map(place).collect(),
            labels: ends.into_iter().map(|end| (part(end), format::metric(end))).collect(),
        }
    }

    fn of_texts(axis: &Axis, texts: Vec<&str>) -> Self {
        let texts: Vec<&str> = texts.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let last = texts.len().saturating_sub(1).max(1) as f64;
        let part = |index: usize| if texts.len() == 1 { 0.5 } else { index as f64 / last };
        let place = |text: &Option<String>| {
            Some(part(texts.iter().position(|known| Some(*known) == text.as_deref())?))
        };
        let every = texts.len().div_ceil(MOST_LABELS).max(1);
        let labels = texts.iter().enumerate().step_by(every);
        Self {
            places: axis.values.iter().map(place).collect(),
            labels: labels.map(|(index, text)| (part(index), (*text).to_owned())).collect(),
        }
    }
}

/// What is drawn: what the lines are called, and the axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    names: Vec<String>,
    axes: Vec<(Axis, Placed)>,
    /// How many axes there are, also those that have no room.
    total: usize,
}

impl Drawing {
    pub fn new(names: Vec<String>, mut axes: Vec<Axis>) -> Self {
        let total = axes.len();
        axes.truncate(MOST_AXES);
        let placed = |axis: Axis| (axis.clone(), Placed::of(&axis));
        Self { names, axes: axes.into_iter().map(placed).collect(), total }
    }

    /// One axis shows nothing that the table does not.
    pub fn is_worth_it(&self) -> bool {
        1 < self.total
    }

    /// Where an axis stands, from 0 to 1.
    fn place(&self, axis: usize) -> f64 {
        (axis as f64 + 0.5) / self.axes.len() as f64
    }

    fn line(&self, line: usize) -> impl Iterator<Item = Option<(f64, f64)>> {
        let point = move |(axis, (_, placed)): (usize, &(Axis, Placed))| {
            Some((self.place(axis), placed.places.get(line).copied().flatten()?))
        };
        self.axes.iter().enumerate().map(point)
    }

    fn html(&self, lit: Option<usize>) -> String {
        // One that was left out cannot be picked out.
        let lit = lit.filter(|line| *line < self.names.len());
        let mut html = format!(
            "<svg viewBox=\"0 0 {SIZE} {SIZE}\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"chart-grid\" d=\""
        );
        for axis in 0..self.axes.len() {
            html += &format!("M{:.0} 0V{SIZE}", self.place(axis) * SIZE);
        }
        html += "\"/>";
        // What is picked out is drawn last, over the others.
        let others = (0..self.names.len()).filter(|line| Some(*line) != lit);
        for line in others.chain(lit) {
            let class = match lit {
                Some(lit) if lit != line => "parallel-dim",
                Some(_) => "parallel-lit",
                None => "",
            };
            let (style, path) = (style(line), path(self.line(line)));
            html += &format!(
                "<g class=\"{class}\" style=\"{style}\"><path class=\"chart-line\" d=\"{path}\"/></g>"
            );
        }
        html += "</svg>";
        for (axis, (_, placed)) in self.axes.iter().enumerate() {
            let left = self.place(axis) * 100.0;
            let mut write = |class: &str, at: f64, text: &str| {
                let (bottom, text) = (at * 100.0, escaped(text));
                // Writing into a string does not fail.
                let _ = write!(
                    html,
                    "<span class=\"{class}\" style=\"left:{left:.2}%;bottom:{bottom:.2}%\">{text}</span>"
                );
            };
            match lit {
                None => {
                    placed.labels.iter().for_each(|(at, text)| write("parallel-label", *at, text))
                }
                Some(line) => {
                    let value = self.axes[axis].0.values.get(line).cloned().flatten();
                    if let (Some(at), Some(value)) = (placed.places[line], value) {
                        let shown = value.parse().map_or(value, format::metric);
                        write("parallel-label parallel-value", at, &shown);
                    }
                }
            }
        }
        html
    }

    fn heads(&self) -> String {
        let head = |(axis, _): &(Axis, Placed)| format!("<span>{}</span>", escaped(&axis.name));
        self.axes.iter().map(head).collect()
    }

    /// The line that is nearest to a point, from the left and from the bottom.
    fn nearest(&self, x: f64, y: f64) -> Option<usize> {
        let away = |line: usize| {
            let points: Vec<_> = self.line(line).collect();
            let between = points.windows(2).find_map(|pair| {
                let ((x0, y0), (x1, y1)) = (pair[0]?, pair[1]?);
                (x0..=x1).contains(&x).then(|| y0 + (y1 - y0) * (x - x0) / (x1 - x0))
            });
            // Beside the outermost axes, and where a neighbour is missing, the point itself counts.
            let room = 0.5 / self.axes.len() as f64;
            let beside = || points.iter().flatten().find(|(at, _)| (at - x).abs() < room);
            let at = between.or_else(|| beside().map(|(_, at)| *at))?;
            Some(((at - y).abs(), line))
        };
        let near = (0..self.names.len()).filter_map(away).filter(|(away, _)| *away < NEAR);
        near.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, line)| line)
    }
}

/// A path with gaps where a value is missing.
fn path(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut drawing = false;
    for point in points {
        if let Some((x, y)) = point {
            let command = if drawing { 'L' } else { 'M' };
            let (x, y) = (x * SIZE, (1.0 - y) * SIZE);
            // A point is as long as nothing, so that it is seen where it stands alone.
            let _ = write!(path, "{command}{x:.0} {y:.0}h0");
        }
        drawing = point.is_some();
    }
    path
}

#[component]
pub fn Parallel(drawing: Memo<Drawing>) -> impl IntoView {
    let over = RwSignal::new(None::<usize>);
    let kept = RwSignal::new(None::<usize>);
    let lit = move || over.get().or(kept.get());
    // The buttons stay while values change.
    let names = Memo::new(move |_| drawing.read().names.clone());
    let left_out = move || {
        let total = drawing.read().total;
        (total > MOST_AXES).then(|| format!("The first {MOST_AXES} of {total} are shown."))
    };
    let node = NodeRef::<html::Div>::new();
    let moved = move |event: ev::PointerEvent| {
        let Some(node) = node.get_untracked() else { return };
        let part = |at: i32, of: i32| f64::from(at) / f64::from(of.max(1));
        let (x, y) = (
            part(event.offset_x(), node.client_width()),
            part(event.offset_y(), node.client_height()),
        );
        over.set(drawing.read_untracked().nearest(x, 1.0 - y));
    };
    let keep =
        move |line: Option<usize>| kept.update(|kept| *kept = line.filter(|_| *kept != line));
    let legend = move |(line, name): (usize, String)| {
        view! {
            <button
                type="button" class="parallel-name" style=style(line)
                aria-pressed=move || (kept.get() == Some(line)).to_string()
                on:pointerenter=move |_| over.set(Some(line)) on:pointerleave=move |_| over.set(None)
                on:focus=move |_| over.set(Some(line)) on:blur=move |_| over.set(None)
                on:click=move |_| keep(Some(line))
            >
                {name}
            </button>
        }
    };
    let width = move || format!("{}rem", drawing.read().axes.len() * 7);
    view! {
        <div class="chart">
            <div class="overflow-x-auto" tabindex="0" role="region" aria-label="Parallel coordinates">
                <div class="parallel" style:min-width=width>
                    <div class="parallel-heads" aria-hidden="true" inner_html=move || drawing.read().heads()></div>
                    <div
                        class="parallel-plot" node_ref=node aria-hidden="true"
                        on:pointermove=moved on:pointerleave=move |_| over.set(None)
                        on:click=move |_| keep(over.get_untracked())
                    >
                        <div inner_html=move || drawing.read().html(lit())></div>
                    </div>
                </div>
            </div>
            <div class="parallel-legend" role="group" aria-label="Lines">
                {move || names.get().into_iter().enumerate().map(legend).collect_view()}
            </div>
            <p class="mt-2 text-sm text-muted empty:hidden">{left_out}</p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[&str]) -> Axis {
        let value = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        Axis { name: "a".into(), values: values.iter().map(value).collect() }
    }

    #[test]
    fn values_are_placed_by_size_by_power_or_by_name() {
        let places = |values: &[&str]| Placed::of(&axis(values)).places;
        assert_eq!(places(&["1", "2", "", "3"]), [Some(0.0), Some(0.5), None, Some(1.0)]);
        let powers = places(&["0.001", "0.01", "0.1"]);
        assert!((powers[1].unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(places(&["b", "a", "c", "a"]), [Some(0.5), Some(0.0), Some(1.0), Some(0.0)]);
        assert_eq!(places(&["NaN", "1", ""]), [None, Some(0.5), None]);
        assert_eq!(places(&["", ""]), [None, None]);
        assert_eq!(Placed::of(&axis(&["1", "x"])).labels[1], (1.0, "x".into()));
    }

    #[test]
    fn a_line_breaks_where_a_value_is_missing_and_the_nearest_is_found() {
        let axes = [axis(&["1", "2"]), axis(&["", "5"]), axis(&["3", "9"])];
        let drawing = Drawing::new(vec!["<b>".into(), "b".into()], axes.into());
        let commands = |line| path(drawing.line(line)).matches(['M', 'L']).collect::<String>();
        assert_eq!((commands(0), commands(1)), ("MM".into(), "MLL".into()));
        assert_eq!(drawing.nearest(1.0 / 6.0, 0.0), Some(0));
        assert_eq!(drawing.nearest(5.0 / 6.0, 0.95), Some(1));
        assert_eq!(drawing.nearest(0.4, 0.1), None);
        assert!(drawing.html(Some(0)).contains("parallel-lit"));
    }
}
