//! Addresses of artifacts: what stands after `mlflow-artifacts:/`, and in the routes of that name.

/// Where an artifact is, its path percent-decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `{experiment}/{run_id}/artifacts/{path}`
    Run { experiment: i64, run_id: String, path: String },
    /// `{experiment}/models/{model_id}/artifacts/{path}`
    LoggedModel { experiment: i64, model_id: String, path: String },
    /// `versions/{id}/{path}`
    Version { id: String, path: String },
}

impl Address {
    /// Reads an address; the path of a folder may end with a slash. None of what is no address here.
    pub fn parse(address: &str) -> Option<Self> {
        let parts: Vec<&str> = address.trim_matches('/').split('/').collect();
        // Clients join what they look for to a root, and the root is `.` by itself.
        let rest = |from: usize| {
            let rest = parts.iter().skip(from).filter(|part| **part != ".");
            rest.copied().collect::<Vec<_>>().join("/")
        };
        match parts.as_slice() {
            ["versions", id, ..] => Some(Self::Version { id: (*id).to_owned(), path: rest(2) }),
            [experiment, "models", model_id, "artifacts", ..] => Some(Self::LoggedModel {
                experiment: experiment.parse().ok()?,
                model_id: (*model_id).to_owned(),
                path: rest(4),
            }),
            [experiment, run_id, "artifacts", ..] => Some(Self::Run {
                experiment: experiment.parse().ok()?,
                run_id: (*run_id).to_owned(),
                path: rest(3),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_has_the_file() {
        let run = Address::Run { experiment: 1, run_id: "ab".into(), path: "a/b".into() };
        assert_eq!(Address::parse("1/ab/artifacts/a/b"), Some(run));
        let model =
            Address::LoggedModel { experiment: 0, model_id: "m-1".into(), path: String::new() };
        assert_eq!(Address::parse("/0/models/m-1/artifacts/"), Some(model));
        let root = Address::Run { experiment: 1, run_id: "ab".into(), path: "a".into() };
        assert_eq!(Address::parse("1/ab/artifacts/./a"), Some(root));
        assert_eq!(
            Address::parse("versions/ab/MLmodel"),
            Some(Address::Version { id: "ab".into(), path: "MLmodel".into() })
        );
        for other in ["", "a/b/artifacts/c", "1/ab", "1/ab/files/c", "versions"] {
            assert_eq!(Address::parse(other), None, "{other}");
        }
    }
}
