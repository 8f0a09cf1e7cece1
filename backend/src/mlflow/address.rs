//! Addresses of artifacts: what stands after `mlflow-artifacts:/`, and in the routes of that name.

/// Where an artifact is, its path percent-decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `{root}/{run_id}/artifacts/{path}`, where the root is what the experiment has: its number, or a place of its own.
    Run { root: String, run_id: String, path: String },
    /// `{root}/models/{model_id}/artifacts/{path}`
    LoggedModel { root: String, model_id: String, path: String },
    /// `versions/{id}/{path}`
    Version { id: String, path: String },
    /// What is of none of these: a place of the project.
    Project { path: String },
}

impl Address {
    /// Reads an address as what it looks like; the path of a folder may end with a slash.
    pub fn parse(address: &str) -> Self {
        // Clients join what they look for to a root, and the root is `.` by itself.
        let parts: Vec<&str> =
            address.trim_matches('/').split('/').filter(|part| *part != ".").collect();
        let rest = |from: usize| parts[from..].join("/");
        if let ["versions", id, ..] = parts.as_slice() {
            return Self::Version { id: (*id).to_owned(), path: rest(2) };
        }
        for (at, _) in parts.iter().enumerate().filter(|(_, part)| **part == "artifacts") {
            match &parts[..at] {
                [root @ .., "models", model_id]
                    if model_id.strip_prefix("m-").is_some_and(is_id) =>
                {
                    let (root, model_id) = (root.join("/"), (*model_id).to_owned());
                    return Self::LoggedModel { root, model_id, path: rest(at + 1) };
                }
                [root @ .., run_id] if is_id(run_id) => {
                    let (root, run_id) = (root.join("/"), (*run_id).to_owned());
                    return Self::Run { root, run_id, path: rest(at + 1) };
                }
                _ => {}
            }
        }
        Self::Project { path: parts.join("/") }
    }

    /// Whether the address can only be that of a run or logged model, there or not: below an experiment's number.
    pub fn is_numbered(&self) -> bool {
        match self {
            Self::Run { root, .. } | Self::LoggedModel { root, .. } => {
                root.bytes().all(|byte| byte.is_ascii_digit()) && !root.is_empty()
            }
            Self::Version { .. } | Self::Project { .. } => false,
        }
    }
}

/// Whether a text has the form of the ids of runs.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn addresses_say_what_has_the_file() {
        let run = |root: &str, path: &str| Address::Run {
            root: root.to_owned(),
            run_id: ID.to_owned(),
            path: path.to_owned(),
        };
        for (address, expected) in [
            (format!("1/{ID}/artifacts/a/b"), run("1", "a/b")),
            (format!("1/{ID}/artifacts/./a"), run("1", "a")),
            (format!("teams/x/{ID}/artifacts/artifacts/a"), run("teams/x", "artifacts/a")),
            (format!("{ID}/artifacts"), run("", "")),
        ] {
            assert_eq!(Address::parse(&address), expected, "{address}");
        }
        let (root, model_id) = ("0".to_owned(), format!("m-{ID}"));
        let model = Address::LoggedModel { root, model_id, path: String::new() };
        assert_eq!(Address::parse(&format!("/0/models/m-{ID}/artifacts/")), model);
        assert_eq!(
            Address::parse("versions/ab/MLmodel"),
            Address::Version { id: "ab".into(), path: "MLmodel".into() }
        );
        for other in ["", "a/b/artifacts/c", "1/ab/artifacts/x", "1/ab", "versions", "a.txt"] {
            assert_eq!(Address::parse(other), Address::Project { path: other.to_owned() });
        }
    }
}
