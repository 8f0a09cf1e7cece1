//! The exposition format of Prometheus, version 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats>): gauges of
//! projects as text.
//!
//! All series of a metric stand together, so a project has a text for each metric, and [`page`] puts those of several
//! projects together.

use std::fmt::{Display, Write};

use crate::registry::metadata::metric::MetricValue;
use crate::time::Timestamp;

pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is said of projects. The order is that of [`METRICS`].
#[derive(Clone, Copy, Debug)]
pub enum Fact {
    Models,
    Versions,
    Candidates,
    StoredBytes,
    AliasInfo,
    AliasMoved,
    LastPublished,
    BestMetric,
}

/// The names of the metrics, and what is said of them.
pub const METRICS: [(&str, &str); 8] = [
    ("model_registry_models", "Models of a project."),
    ("model_registry_versions", "Versions of the models of a project, by state."),
    ("model_registry_candidates", "Runs of a project, which are its candidates, by status."),
    (
        "model_registry_stored_bytes",
        "Bytes of the files of a project; files of the same content count once.",
    ),
    ("model_registry_alias_info", "The version that an alias names; always 1."),
    ("model_registry_alias_moved_timestamp_seconds", "When an alias was moved last."),
    (
        "model_registry_last_published_timestamp_seconds",
        "When a version of a model was published last that is not yanked.",
    ),
    (
        "model_registry_best_metric",
        "The best value, among the finished runs of a model, of the metric that its tag registry.metric names.",
    ),
];

/// The series of one project, by metric.
#[derive(Debug, Default)]
pub struct Series([String; METRICS.len()]);

impl Series {
    /// One more series.
    pub fn add(&mut self, fact: Fact, labels: &[(&str, &str)], value: impl Display) {
        let text = &mut self.0[fact as usize];
        text.push_str(METRICS[fact as usize].0);
        for (index, (name, value)) in labels.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            text.push_str(name);
            text.push_str("=\"");
            push_escaped(text, value);
            text.push('"');
        }
        // To write into a text cannot fail.
        writeln!(text, "}} {value}").ok();
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.0.iter().map(String::len).sum()
    }
}

fn push_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// A 64-bit float.
pub fn number(MetricValue(value): MetricValue) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        // Large ones with an exponent.
        value => format!("{value:?}"),
    }
}

/// A time, in seconds.
pub fn seconds(at: Timestamp) -> String {
    let millis = at.millis();
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

/// All series of some projects. A metric without any is left out.
pub fn page<'a>(projects: impl Iterator<Item = &'a Series> + Clone) -> String {
    let mut page = String::new();
    for (index, (name, help)) in METRICS.iter().enumerate() {
        let texts = projects.clone().map(|series| series.0[index].as_str());
        if texts.clone().all(str::is_empty) {
            continue;
        }
        writeln!(page, "# HELP {name} {help}\n# TYPE {name} gauge").ok();
        texts.for_each(|text| page.push_str(text));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_metric_stand_together_and_labels_are_escaped() {
        let [mut a, mut b] = [Series::default(), Series::default()];
        a.add(Fact::Models, &[("project", "a")], 1);
        a.add(
            Fact::BestMetric,
            &[("project", "a"), ("model", "\\n\"\n{é}")],
            number(MetricValue(f64::MAX)),
        );
        b.add(Fact::Models, &[("project", "b")], 2);
        assert_eq!(
            page([&a, &b].into_iter()),
            format!(
                "# HELP {0} {1}\n# TYPE {0} gauge\n{0}{{project=\"a\"}} 1\n{0}{{project=\"b\"}} 2\n\
                 # HELP {2} {3}\n# TYPE {2} gauge\n{2}{{project=\"a\",model=\"\\\\n\\\"\\n{{é}}\"}} 1.7976931348623157e308\n",
                METRICS[0].0, METRICS[0].1, METRICS[7].0, METRICS[7].1
            )
        );
    }

    #[test]
    fn numbers_are_as_prometheus_reads_them() {
        for (value, text) in [
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (0.93125, "0.93125"),
            (1e-300, "1e-300"),
            (12.0, "12.0"),
        ] {
            assert_eq!(number(MetricValue(value)), text);
        }
        assert_eq!(seconds(Timestamp::from_millis(1_700_000_000_007)), "1700000000.007");
    }
}
