//! Moments: relative to now, with the exact one on hover.

use leptos::prelude::*;

/// `3 minutes ago`; the date itself once it is more than a month.
#[component]
pub fn Time(
    /// RFC 3339.
    #[prop(into)]
    at: Signal<String>,
) -> impl IntoView {
    view! {
        <time datetime=move || at.get() title=move || exact(&at.read()) class="whitespace-nowrap">
            {move || relative(&at.read())}
        </time>
    }
}

/// `in 3 days`, of what is yet to come; the date itself where that is more than a month.
#[component]
pub fn Until(
    /// RFC 3339.
    #[prop(into)]
    at: Signal<String>,
) -> impl IntoView {
    let words = move || {
        let at = at.read();
        let seconds = (millis(&at) - js_sys::Date::now()) / 1000.0;
        let ahead = words(seconds).filter(|_| seconds > 0.0).map(|words| format!("in {words}"));
        ahead.unwrap_or_else(|| relative(&at))
    };
    view! {
        <time datetime=move || at.get() title=move || exact(&at.read()) class="whitespace-nowrap">
            {words}
        </time>
    }
}

fn exact(at: &str) -> String {
    String::from(
        js_sys::Date::new(&at.into()).to_locale_string("en-GB", &wasm_bindgen::JsValue::UNDEFINED),
    )
}

fn relative(at: &str) -> String {
    let date = js_sys::Date::new(&at.into());
    let seconds = (js_sys::Date::now() - date.get_time()) / 1000.0;
    ago(seconds).unwrap_or_else(|| {
        let options = options(&[("day", "numeric"), ("month", "short"), ("year", "numeric")]);
        String::from(date.to_locale_date_string("en-GB", &options))
    })
}

/// A moment by its milliseconds since 1970: `12:04` where it is today, `28 Nov, 12:04` otherwise.
pub fn clock(millis: f64) -> String {
    let date = js_sys::Date::new(&millis.into());
    let today = js_sys::Date::new_0().to_date_string() == date.to_date_string();
    let day: &[_] = if today { &[] } else { &[("day", "numeric"), ("month", "short")] };
    let options = options(&[day, &[("hour", "2-digit"), ("minute", "2-digit")]].concat());
    String::from(date.to_locale_string("en-GB", &options))
}

fn options(pairs: &[(&str, &str)]) -> js_sys::Object {
    let options = js_sys::Object::new();
    for (key, value) in pairs {
        // Setting a property of a fresh object does not fail.
        let _ = js_sys::Reflect::set(&options, &(*key).into(), &(*value).into());
    }
    options
}

/// Within a month, in words.
fn ago(seconds: f64) -> Option<String> {
    // Clocks differ by seconds; that is no future.
    if seconds > -60.0 && seconds < 45.0 {
        return Some("just now".to_owned());
    }
    words(seconds).map(|words| format!("{words} ago"))
}

/// A time of less than a month: `3 minutes`.
fn words(seconds: f64) -> Option<String> {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    let (number, unit) = match seconds {
        s if s < 0.0 => return None,
        s if s < HOUR => ((s / MINUTE).round().max(1.0), "minute"),
        s if s < DAY => ((s / HOUR).round().max(1.0), "hour"),
        s if s < 30.0 * DAY => ((s / DAY).round().max(1.0), "day"),
        _ => return None,
    };
    Some(format!("{number} {unit}{}", if number == 1.0 { "" } else { "s" }))
}

/// A moment by its milliseconds since 1970, in RFC 3339.
pub fn rfc3339(millis: f64) -> String {
    String::from(js_sys::Date::new(&millis.into()).to_iso_string())
}

/// The date in a number of days, in RFC 3339, for expiries.
pub fn in_days(days: u32) -> String {
    rfc3339(js_sys::Date::now() + f64::from(days) * 86_400_000.0)
}

/// When a day begins where the person is, and `days` later, in RFC 3339; none for what is no date.
pub fn start_of_day(date: &str, days: u32) -> Option<String> {
    let start = js_sys::Date::new(&format!("{date}T00:00:00").into());
    start.set_date(start.get_date() + days);
    (!start.get_time().is_nan()).then(|| String::from(start.to_iso_string()))
}

/// A moment in RFC 3339 in milliseconds since 1970.
pub fn millis(at: &str) -> f64 {
    js_sys::Date::new(&at.into()).get_time()
}

/// Milliseconds between two moments in RFC 3339.
pub fn between_ms(start: &str, end: &str) -> f64 {
    millis(end) - millis(start)
}

#[cfg(test)]
mod tests {
    use super::ago;

    #[test]
    fn recent_moments_are_in_words() {
        assert_eq!(ago(-3.0).as_deref(), Some("just now"));
        assert_eq!(ago(70.0).as_deref(), Some("1 minute ago"));
        assert_eq!(ago(7_300.0).as_deref(), Some("2 hours ago"));
        assert_eq!(ago(40.0 * 86_400.0), None);
    }
}
