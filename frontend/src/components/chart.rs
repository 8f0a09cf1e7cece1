//! Curves, drawn by uPlot, which `index.html` loads.

use super::theme;
use js_sys::{Array, Float64Array, Function, Object, Reflect};
use leptos::{html, prelude::*};
use wasm_bindgen::{JsCast, JsValue};

const HEIGHT: f64 = 200.0;

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    pub steps: Vec<f64>,
    pub values: Vec<f64>,
}

/// Draws a curve as wide as there is room; drag to zoom, double-click to see all again.
#[component]
pub fn Chart(#[prop(into)] name: String, #[prop(into)] curve: Signal<Curve>) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let plot = StoredValue::new_local(None::<JsValue>);
    let label = format!("Curve of {name} over steps");
    let failed = RwSignal::new(false);
    let draw = move || {
        let Some(element) = node.get_untracked() else {
            return;
        };
        destroy(plot);
        element.set_text_content(None);
        match new_plot(&name, &curve.read_untracked(), &element) {
            Ok(made) => plot.set_value(Some(made)),
            Err(_) => failed.set(true),
        }
    };
    Effect::new(move |_| {
        node.track();
        curve.track();
        theme::track();
        draw();
    });
    let resize = window_event_listener(leptos::ev::resize, move |_| {
        let (Some(element), Some(Some(plot))) = (node.get_untracked(), plot.try_get_value()) else {
            return;
        };
        // A chart that cannot be resized keeps its size.
        let _ = set_size(&plot, f64::from(element.client_width()));
    });
    on_cleanup(move || {
        resize.remove();
        destroy(plot);
    });
    view! {
        <div class="chart" role="img" aria-label=label node_ref=node></div>
        <Show when=move || failed.get()>
            <p class="text-sm text-muted">"The curve could not be drawn. Reload the page to try again."</p>
        </Show>
    }
}

fn destroy(plot: StoredValue<Option<JsValue>, LocalStorage>) {
    let Some(Some(old)) = plot.try_get_value() else {
        return;
    };
    if let Ok(function) = method(&old, "destroy") {
        // There is nothing left to do with a chart that is already gone.
        let _ = function.call0(&old);
    }
    plot.set_value(None);
}

fn method(object: &JsValue, name: &str) -> Result<Function, JsValue> {
    Reflect::get(object, &name.into())?.dyn_into()
}

fn object(entries: &[(&str, JsValue)]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (key, value) in entries {
        Reflect::set(&object, &(*key).into(), value)?;
    }
    Ok(object.into())
}

fn size(width: f64) -> Result<JsValue, JsValue> {
    object(&[("width", width.max(160.0).into()), ("height", HEIGHT.into())])
}

fn set_size(plot: &JsValue, width: f64) -> Result<JsValue, JsValue> {
    method(plot, "setSize")?.call1(plot, &size(width)?)
}

fn new_plot(name: &str, curve: &Curve, element: &web_sys::HtmlElement) -> Result<JsValue, JsValue> {
    let constructor: Function = Reflect::get(&window(), &"uPlot".into())?.dyn_into()?;
    let options = options(name, curve.values.len(), f64::from(element.client_width()))?;
    // uPlot leaves gaps where a value is null; NaN and the infinities have no place on the axis.
    let values: Array = curve
        .values
        .iter()
        .map(|value| if value.is_finite() { JsValue::from(*value) } else { JsValue::NULL })
        .collect();
    let data = Array::of2(&Float64Array::from(curve.steps.as_slice()), &values);
    Reflect::construct(&constructor, &Array::of3(&options, &data, element))
}

fn options(name: &str, points: usize, width: f64) -> Result<JsValue, JsValue> {
    let style = window()
        .get_computed_style(&document().document_element().ok_or(JsValue::NULL)?)?
        .ok_or(JsValue::NULL)?;
    let color = |name: &str| style.get_property_value(name).map(JsValue::from);
    let axis = |width: f64| {
        let line = object(&[("stroke", color("--color-base-300")?), ("width", 1.into())])?;
        object(&[
            ("stroke", color("--color-base-content")?),
            ("grid", line.clone()),
            ("ticks", line),
            ("size", width.into()),
            ("font", "12px system-ui".into()),
        ])
    };
    let series = object(&[
        ("label", name.into()),
        ("stroke", color("--color-primary")?),
        ("width", 2.into()),
        ("points", object(&[("show", (points < 50).into()), ("size", 6.into())])?),
    ])?;
    let steps = object(&[("label", "step".into())])?;
    let no_time = object(&[("time", false.into())])?;
    let sized = size(width)?;
    let more = object(&[
        ("series", Array::of2(&steps, &series).into()),
        ("axes", Array::of2(&axis(34.0)?, &axis(58.0)?).into()),
        ("scales", object(&[("x", no_time)])?),
    ])?;
    Ok(Object::assign(sized.unchecked_ref::<Object>(), more.unchecked_ref::<Object>()).into())
}
