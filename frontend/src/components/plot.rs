//! What a chart shows, worked out: scales, smoothing, paths, and the HTML of them. Knows nothing of the page.
//!
//! HTML is written as text here, because views of the same take several times the code, which is downloaded.
//! All of it is ours but for names, which are escaped.

use std::fmt::Write;

use crate::logic::format;

/// The plot is a square of so many units, whatever its shape on the page: paths are of whole numbers.
const SIZE: f64 = 10_000.0;

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    pub name: String,
    /// Which of the colors it has.
    pub color: usize,
    pub points: Vec<Point>,
}

impl Curve {
    /// When it begins.
    pub fn start_ms(&self) -> f64 {
        self.points.iter().map(|point| point.time_ms).fold(f64::INFINITY, f64::min)
    }
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub step: f64,
    pub time_ms: f64,
    pub value: f64,
}

/// What points lie along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Axis {
    #[default]
    Step,
    /// The time since the first point.
    Time,
}

impl Axis {
    pub fn word(self) -> &'static str {
        match self {
            Self::Step => "Step",
            Self::Time => "Time",
        }
    }
}

/// How many rows of a curve its table has.
const ROWS: usize = 100;
const COLORS: [&str; 6] = ["primary", "accent", "secondary", "success", "error", "info"];
/// The curves after the first six are told apart by these.
const DASHES: [&str; 2] = ["none", "6 4"];

pub fn style(index: usize) -> String {
    let color = COLORS[index % COLORS.len()];
    let dash = DASHES[index / COLORS.len() % DASHES.len()];
    format!("--curve:var(--color-{color});stroke-dasharray:{dash}")
}

/// As text between tags; it is in no attribute.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// How curves are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    pub axis: Axis,
    pub logarithmic: bool,
    /// The weight of what was before, from 0 to less than 1.
    pub smoothing: f64,
}

/// Where a point is on the axis.
fn place(axis: Axis, point: &Point, start_ms: f64) -> f64 {
    match axis {
        Axis::Step => point.step,
        Axis::Time => (point.time_ms - start_ms) / 1000.0,
    }
}

fn label(axis: Axis, place: f64) -> String {
    match axis {
        Axis::Step => format::metric(place),
        Axis::Time => format::seconds(place),
    }
}

/// From what to what a chart shows, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// None of values.
    axis: Option<Axis>,
}

impl Scale {
    fn new(bounds: Option<(f64, f64)>, logarithmic: bool, axis: Option<Axis>) -> Self {
        let (low, high) = bounds.unwrap_or((0.0, 1.0));
        // A curve that is flat is in the middle.
        let (low, high) = if low < high {
            (low, high)
        } else if logarithmic {
            (low / 2.0, high * 2.0)
        } else {
            let room = if axis.is_some() { 1.0 } else { (low.abs() * 0.1).max(1e-9) };
            (low - room, high + room)
        };
        let mut scale = Self { low, high, logarithmic, axis };
        if axis.is_none() {
            let (low, high) = (scale.value(-0.04), scale.value(1.04));
            (scale.low, scale.high) = (low, high);
        }
        scale
    }

    fn bent(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }

    /// From 0 to 1 of what is shown.
    fn part(&self, value: f64) -> f64 {
        let (low, high) = (self.bent(self.low), self.bent(self.high));
        (self.bent(value) - low) / (high - low)
    }

    /// What is at this part of what is shown.
    pub fn value(&self, part: f64) -> f64 {
        let (low, high) = (self.bent(self.low), self.bent(self.high));
        let value = low + (high - low) * part;
        if self.logarithmic { 10f64.powf(value) } else { value }
    }

    fn label(&self, value: f64) -> String {
        match self.axis {
            Some(axis) => label(axis, value),
            None => format::metric(value),
        }
    }

    /// Round values as they stand along an axis, `side` being where it begins.
    pub fn labels(&self, side: &str) -> String {
        let label = |(at, text): (f64, String)| {
            format!("<span style=\"{side}:{:.2}%\">{text}</span>", at * 100.0)
        };
        self.ticks().into_iter().map(label).collect()
    }

    /// Round values, where they are and how they are written.
    fn ticks(&self) -> Vec<(f64, String)> {
        let (low, high) = (self.bent(self.low), self.bent(self.high));
        // Powers of ten, where there are some.
        let powers = self.logarithmic && high - low >= 2.0;
        let (low, high) = if powers { (low, high) } else { (self.low, self.high) };
        let mut distance = nice((high - low) / 5.0);
        if powers || (self.axis == Some(Axis::Step) && distance < 1.0) {
            distance = distance.max(1.0).ceil();
        }
        if self.axis == Some(Axis::Time) {
            let longer = DURATIONS.into_iter().find(|duration| *duration >= distance);
            distance = longer.filter(|_| distance > 20.0).unwrap_or(distance);
        }
        let first = (low / distance).ceil();
        (0..10)
            .map(|n| (first + f64::from(n)) * distance)
            .take_while(|tick| *tick <= high)
            .map(|tick| {
                let tick = if tick.abs() < distance * 1e-6 { 0.0 } else { tick };
                let value = if powers { 10f64.powf(tick) } else { tick };
                (self.part(value), self.label(value))
            })
            .collect()
    }
}

/// What people count long times in, in seconds.
const DURATIONS: [f64; 11] =
    [30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0, 86_400.0];

/// 1, 2 or 5 times a power of ten.
fn nice(distance: f64) -> f64 {
    let power = 10f64.powf(distance.log10().floor());
    let factor = distance / power;
    power
        * if factor <= 1.0 {
            1.0
        } else if factor <= 2.0 {
            2.0
        } else if factor <= 5.0 {
            5.0
        } else {
            10.0
        }
}

/// A curve as it is drawn.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    name: String,
    color: usize,
    path: String,
    /// As it is without smoothing, where that differs.
    raw: Option<String>,
    /// Where its points are, and their values, smoothed.
    points: Vec<(f64, f64)>,
}

/// What a chart shows.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub x: Scale,
    pub y: Scale,
    lines: Vec<Line>,
}

impl View {
    pub fn of(curves: &[Curve], look: &Look, zoom: Option<(f64, f64)>) -> Self {
        let raw: Vec<Vec<(f64, f64)>> =
            curves.iter().map(|curve| placed(curve, look.axis)).collect();
        let xs = || raw.iter().flatten().map(|(x, _)| *x);
        let x = Scale::new(zoom.or_else(|| bounds(xs())), false, Some(look.axis));
        let shown = |value: f64| value.is_finite() && (!look.logarithmic || value > 0.0);
        let smooth: Vec<_> = raw.iter().map(|points| smoothed(points, look.smoothing)).collect();
        let ys = raw.iter().chain(&smooth).flatten();
        let ys = ys.filter(|(at, value)| (x.low..=x.high).contains(at) && shown(*value));
        let y = Scale::new(bounds(ys.map(|(_, value)| *value)), look.logarithmic, None);
        let draw = |points: &[(f64, f64)]| path(points, &x, &y, shown);
        let lines = curves.iter().zip(raw).zip(smooth).map(|((curve, raw), smooth)| Line {
            name: curve.name.clone(),
            color: curve.color,
            path: draw(&smooth),
            raw: (look.smoothing > 0.0).then(|| draw(&raw)),
            points: smooth,
        });
        Self { x, y, lines: lines.collect() }
    }

    /// The curves and the lines behind them.
    pub fn drawing(&self) -> String {
        let mut html = format!(
            "<svg viewBox=\"0 0 {SIZE} {SIZE}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
        );
        html += "<path class=\"chart-grid\" d=\"";
        for (at, _) in self.y.ticks() {
            html += &format!("M0 {:.0}H{SIZE}", (1.0 - at) * SIZE);
        }
        html += "\"/>";
        for line in &self.lines {
            html += &format!("<g style=\"{}\">", style(line.color));
            if let Some(raw) = &line.raw {
                html += &format!("<path class=\"chart-raw\" d=\"{raw}\"/>");
            }
            html += &format!("<path class=\"chart-line\" d=\"{}\"/></g>", line.path);
        }
        html + "</svg>"
    }

    /// What is read at the cursor, and the part that somebody drags over.
    pub fn marks(&self, cursor: Option<f64>, drag: Option<(f64, f64)>) -> String {
        let mark = |class: &str, style: String| {
            format!("<div class=\"chart-{class}\" style=\"{style}\"></div>")
        };
        let mut html = String::new();
        if let Some((from, to)) = drag {
            let (left, width) = (from.min(to) * 100.0, (to - from).abs() * 100.0);
            html += &mark("part", format!("left:{left:.2}%;width:{width:.2}%"));
        }
        if let Some(at) = cursor {
            html += &mark("cursor", format!("left:{:.2}%", at * 100.0));
            for (color, x, y) in self.dots(at) {
                let (x, y) = (x * 100.0, y * 100.0);
                html += &mark("dot", format!("{};left:{x:.2}%;bottom:{y:.2}%", style(color)));
            }
        }
        html
    }

    /// What the curves are, and their values here.
    pub fn legend(&self, at: f64) -> String {
        let mut html = format!("<span class=\"text-muted\">{}</span>", self.place(at));
        for (line, (name, value)) in self.lines.iter().zip(self.values(at)) {
            let (style, name) = (style(line.color), escaped(&name));
            let line = "<path class=\"chart-line\" d=\"M0 2h16\"/></svg>";
            html += &format!(
                "<span><svg viewBox=\"0 0 16 4\" aria-hidden=\"true\" style=\"{style}\">{line}{name} <b>{value}</b></span>"
            );
        }
        html
    }

    /// The point of a line that is nearest to this part of what is shown.
    fn nearest(&self, line: &Line, at: f64) -> Option<(f64, f64)> {
        let x = self.x.value(at);
        let after = line.points.partition_point(|(place, _)| *place < x);
        let candidates = [after.checked_sub(1), Some(after)];
        let points = candidates.into_iter().flatten().filter_map(|n| line.points.get(n).copied());
        points.min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs()))
    }

    /// Where the points are that are read here: the color, from the left, from the bottom.
    fn dots(&self, at: f64) -> Vec<(usize, f64, f64)> {
        let dot = |line: &Line| {
            let (x, y) = self.nearest(line, at)?;
            let (x, y) = (self.x.part(x), self.y.part(y));
            let inside = (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y);
            inside.then_some((line.color, x, y))
        };
        self.lines.iter().filter_map(dot).collect()
    }

    /// The names of the lines and their values here.
    fn values(&self, at: f64) -> Vec<(String, String)> {
        let value = |line: &Line| {
            let value = self.nearest(line, at).map(|(_, value)| format::metric(value));
            (line.name.clone(), value.unwrap_or_default())
        };
        self.lines.iter().map(value).collect()
    }

    /// Which step or time is read here: that of the first line's point.
    fn place(&self, at: f64) -> String {
        let first = self.lines.iter().find_map(|line| self.nearest(line, at));
        let place = first.map_or_else(|| self.x.value(at), |(x, _)| x);
        let word = self.x.axis.map_or("", Axis::word);
        format!("{word} {}", self.x.label(place))
    }

    pub fn read_aloud(&self, at: f64) -> String {
        let values = self.values(at).into_iter().map(|(name, value)| format!("{name} {value}"));
        format!("{}: {}", self.place(at), values.collect::<Vec<_>>().join(", "))
    }

    /// Where the next point of the first line is, or the one before.
    pub fn beside(&self, at: f64, after: bool) -> Option<f64> {
        let line = self.lines.first()?;
        let (x, _) = self.nearest(line, at)?;
        let places = || line.points.iter().map(|(place, _)| *place);
        let next = if after {
            places().find(|place| *place > x)
        } else {
            places().rev().find(|place| *place < x)
        };
        Some(self.x.part(next.unwrap_or(x)).clamp(0.0, 1.0))
    }
}

/// The same as a table: of a long curve, points at even distances.
pub fn table(curves: &[Curve], axis: Axis) -> String {
    let run = if curves.len() > 1 { "<th scope=\"col\">Run</th>" } else { "" };
    let place_word = axis.word();
    let mut html = format!(
        "<table class=\"table table-xs\"><thead><tr>{run}<th scope=\"col\">{place_word}</th><th scope=\"col\">Value</th></tr></thead><tbody>"
    );
    for curve in curves {
        let name = match curves.len() {
            1 => String::new(),
            _ => format!("<td>{}</td>", escaped(&curve.name)),
        };
        let points = placed(curve, axis);
        let every = points.len().div_ceil(ROWS).max(1);
        for (index, (place, value)) in points.iter().enumerate() {
            if index % every == 0 || index + 1 == points.len() {
                let (place, value) = (label(axis, *place), format::metric(*value));
                html +=
                    &format!("<tr>{name}<td>{place}</td><td class=\"font-mono\">{value}</td></tr>");
            }
        }
    }
    html + "</tbody></table>"
}

/// Where the points of a curve are, in that order, and their values.
fn placed(curve: &Curve, axis: Axis) -> Vec<(f64, f64)> {
    let start = curve.start_ms();
    let place = |point: &Point| (place(axis, point, start), point.value);
    let mut points: Vec<_> = curve.points.iter().map(place).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// An average in which what was before counts less and less. The first points count in full.
fn smoothed(points: &[(f64, f64)], weight: f64) -> Vec<(f64, f64)> {
    let (mut sum, mut weights) = (0.0, 0.0);
    let smooth = |&(place, value): &(f64, f64)| {
        if weight == 0.0 || !value.is_finite() {
            return (place, value);
        }
        sum = sum * weight + value;
        weights = weights * weight + 1.0;
        (place, sum / weights)
    };
    points.iter().map(smooth).collect()
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

/// A path with gaps where there is nothing to show.
fn path(points: &[(f64, f64)], x: &Scale, y: &Scale, shown: impl Fn(f64) -> bool) -> String {
    let mut path = String::new();
    let mut drawing = false;
    for (index, &(place, value)) in points.iter().enumerate() {
        if !shown(value) {
            drawing = false;
            continue;
        }
        // Far outside nothing is seen, and numbers become too long.
        let at = |part: f64| (part.clamp(-10.0, 11.0) * SIZE).round() as i32;
        let (left, top) = (at(x.part(place)), at(1.0 - y.part(value)));
        let command = if drawing { 'L' } else { 'M' };
        // Writing into a string does not fail.
        let _ = write!(path, "{command}{left} {top}");
        let alone = !drawing && points.get(index + 1).is_none_or(|(_, next)| !shown(*next));
        if alone {
            path.push_str("h1");
        }
        drawing = true;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(values: &[f64]) -> Curve {
        let point = |(n, value): (usize, &f64)| {
            let step = n as f64;
            Point { step, time_ms: 5000.0 + step * 1000.0, value: *value }
        };
        Curve { name: "a".into(), color: 0, points: values.iter().enumerate().map(point).collect() }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = |low, high, logarithmic| {
            let scale = Scale { low, high, logarithmic, axis: None };
            scale.ticks().into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(ticks(0.0, 1.0, false), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(ticks(-3.0, 17.0, false), ["0", "5", "10", "15"]);
        assert_eq!(ticks(0.002, 50.0, true), ["0.01", "0.1", "1", "10"]);
    }

    #[test]
    fn names_are_text() {
        let curves = [Curve { name: "<b>&".into(), ..curve(&[1.0, 2.0]) }, curve(&[1.0])];
        let html = View::of(&curves, &Look::default(), None).legend(1.0);
        assert!(html.contains("&lt;b>&amp; <b>2</b>"), "{html}");
        assert!(table(&curves, Axis::Step).contains("<td>&lt;b>&amp;</td><td>1</td>"));
    }

    #[test]
    fn what_has_no_place_is_a_gap() {
        let curves = [curve(&[1.0, 2.0, f64::NAN, 3.0, f64::INFINITY])];
        let view = View::of(&curves, &Look::default(), None);
        let commands: String =
            view.lines[0].path.chars().filter(char::is_ascii_alphabetic).collect();
        assert_eq!(commands, "MLMh");
        let look = Look { logarithmic: true, ..Look::default() };
        assert_eq!(View::of(&[curve(&[-1.0, 0.0])], &look, None).lines[0].path, "");
    }

    #[test]
    fn values_are_read_at_the_nearest_point_by_step_or_time() {
        let curves = [curve(&[1.0, 2.0, 4.0])];
        let view = View::of(&curves, &Look::default(), None);
        assert_eq!(view.read_aloud(0.6), "Step 1: a 2");
        assert_eq!(view.beside(0.6, true), Some(1.0));
        let look = Look { axis: Axis::Time, ..Look::default() };
        let view = View::of(&curves, &look, Some((0.0, 1.0)));
        assert!(view.place(1.0).starts_with("Time 1"), "{}", view.place(1.0));
        let smooth = smoothed(&[(0.0, 1.0), (1.0, 3.0)], 0.5);
        assert_eq!(smooth[0].1, 1.0);
        assert!((smooth[1].1 - 3.5 / 1.5).abs() < 1e-12);
    }
}
