//! Numbers as people read them.

/// A size in bytes with at most three significant digits: `0 B`, `999 B`, `1.46 MB`, `22.7 GB`.
pub fn bytes(size: i64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = size as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        return format!("{size} B");
    }
    let digits = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A metric with up to six significant digits; very large and small ones with an exponent.
pub fn metric(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e9).contains(&size) {
        return format!("{value:.4e}");
    }
    let whole_digits = if size < 1.0 { 1 } else { size.log10().floor() as usize + 1 };
    let text = format!("{value:.*}", 6_usize.saturating_sub(whole_digits));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A whole number with thin groups: `12 345`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if number < 0 { format!("−{text}") } else { text }
}

/// `1 file`, `2 files`.
pub fn plural(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A time that something takes: `8 s`, `3 min 20 s`, `2 h 5 min`.
pub fn seconds(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0 if seconds > 0.0 => format!("{:.0} ms", seconds * 1000.0),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let sizes = [0, 999, 1000, 1_460_000, 90_900_000, 999_999, 22_700_000_000];
        let read: Vec<_> = sizes.into_iter().map(bytes).collect();
        assert_eq!(read, ["0 B", "999 B", "1.00 kB", "1.46 MB", "90.9 MB", "1.00 MB", "22.7 GB"]);
    }

    #[test]
    fn metrics_are_short_but_exact_enough() {
        let values =
            [0.0, 0.987_654_321, 12.5, 1_234_567.0, 0.000_012, f64::NAN, f64::NEG_INFINITY];
        let read: Vec<_> = values.into_iter().map(metric).collect();
        assert_eq!(read, ["0", "0.98765", "12.5", "1234567", "1.2000e-5", "NaN", "−∞"]);
    }

    #[test]
    fn times_use_two_units() {
        assert_eq!(seconds(0.25), "250 ms");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(7500.0), "2 h 5 min");
    }
}
