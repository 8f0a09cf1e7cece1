//! The metric that a model is judged by, as its tag `registry.metric` says it: `accuracy`, `regret:min`, `f2:max`. The
//! server reads it the same way (`Model.bestMetric`).

/// The key of that tag.
pub const TAG: &str = "registry.metric";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judge {
    pub name: String,
    /// Whether less is better; none where only the name of the metric may tell.
    pub less: Option<bool>,
}

impl Judge {
    /// Of the value of the tag; none where it names no metric.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim_matches(' ');
        let (name, less) = match value.rsplit_once(':') {
            Some((name, "min")) => (name.trim_matches(' '), Some(true)),
            Some((name, "max")) => (name.trim_matches(' '), Some(false)),
            _ => (value, None),
        };
        (!name.is_empty()).then(|| Self { name: name.to_owned(), less })
    }

    /// As the value of the tag.
    pub fn write(&self) -> String {
        match self.less {
            Some(less) => format!("{}:{}", self.name, if less { "min" } else { "max" }),
            None => self.name.clone(),
        }
    }
}

/// A direction in words.
pub fn words(less: bool) -> &'static str {
    if less { "lower is better" } else { "higher is better" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_a_metric_and_its_direction() {
        let judge = |name: &str, less| Some(Judge { name: name.to_owned(), less });
        assert_eq!(Judge::parse("accuracy"), judge("accuracy", None));
        assert_eq!(Judge::parse("val/loss: min"), judge("val/loss: min", None));
        assert_eq!(Judge::parse(" val/loss :min "), judge("val/loss", Some(true)));
        assert_eq!(Judge::parse("f2:max"), judge("f2", Some(false)));
        assert_eq!(Judge::parse("a:b"), judge("a:b", None));
        assert_eq!(Judge::parse("a:min:max"), judge("a:min", Some(false)));
        for nothing in ["", " ", ":min"] {
            assert_eq!(Judge::parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (name, less) in [("a", None), ("a:b", Some(true)), ("a:min", Some(false))] {
            let judge = Judge { name: name.to_owned(), less };
            assert_eq!(Judge::parse(&judge.write()), Some(judge));
        }
    }
}
