//! What the files of a version are, as far as that says what loads them.

/// What a version is loaded with. Paths are those of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// MLflow: there is an MLmodel file, which names these flavors.
    Mlflow,
    /// Transformers: a folder with a configuration and weights; empty for the top one.
    Transformers {
        folder: String,
        has_tokenizer: bool,
    },
    /// PyTorch: weights alone.
    Safetensors {
        path: String,
    },
    OnnxRuntime {
        path: String,
    },
    LlamaCpp {
        path: String,
    },
    /// Nothing that is known: files to download.
    Files,
}

impl Contents {
    /// Of the flavors that an MLmodel file names, and the paths of the files.
    pub fn of<'a>(flavors: &[String], paths: impl Iterator<Item = &'a str> + Clone) -> Self {
        if !flavors.is_empty() {
            return Self::Mlflow;
        }
        let first = |ending: &str| {
            let mut found = paths.clone().filter(|path| ends_in(path, ending));
            found.next().map(str::to_owned)
        };
        let has = |folder: &str, names: &[&str]| {
            paths.clone().any(|path| {
                let (parent, name) = split(path);
                parent == folder && names.contains(&name)
            })
        };
        if let Some(path) = first(".gguf") {
            return Self::LlamaCpp { path };
        }
        if let Some(path) = first(".safetensors") {
            let (folder, _) = split(&path);
            if !has(folder, &["config.json"]) {
                return Self::Safetensors { path };
            }
            let has_tokenizer = has(folder, &["tokenizer.json", "tokenizer_config.json"]);
            return Self::Transformers { folder: folder.to_owned(), has_tokenizer };
        }
        match first(".onnx") {
            Some(path) => Self::OnnxRuntime { path },
            None => Self::Files,
        }
    }
}

fn ends_in(path: &str, ending: &str) -> bool {
    let start = path.len().saturating_sub(ending.len());
    path.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(ending))
}

/// Folder and name.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_what_loads_them() {
        let of = |paths: &[&str]| Contents::of(&[], paths.iter().copied());
        let path = |path: &str| path.to_owned();
        assert_eq!(
            of(&["README.md", "onnx/model.ONNX", "onnx/model.onnx.data"]),
            Contents::OnnxRuntime { path: path("onnx/model.ONNX") }
        );
        assert_eq!(
            of(&["config.json", "model.safetensors", "onnx/model.onnx", "tokenizer.json"]),
            Contents::Transformers { folder: path(""), has_tokenizer: true }
        );
        assert_eq!(
            of(&["config.json", "unet/config.json", "unet/model.safetensors"]),
            Contents::Transformers { folder: path("unet"), has_tokenizer: false }
        );
        assert_eq!(
            of(&["config.json", "weights/a.safetensors"]),
            Contents::Safetensors { path: path("weights/a.safetensors") }
        );
        assert_eq!(
            of(&["q4-00001-of-00002.gguf", "q4-00002-of-00002.gguf"]),
            Contents::LlamaCpp { path: path("q4-00001-of-00002.gguf") }
        );
        for nothing in [&["model.pkl", "é"][..], &["onnx"], &[]] {
            assert_eq!(of(nothing), Contents::Files, "{nothing:?}");
        }
    }

    #[test]
    fn an_mlmodel_file_has_the_last_word() {
        let flavors = ["onnx".to_owned()];
        assert_eq!(Contents::of(&flavors, ["model.onnx"].into_iter()), Contents::Mlflow);
    }
}
