//! Models and prompts: what a model is, and the words for it.

use super::schema;
use crate::logic::format;

/// What a model is.
#[derive(cynic::Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelKind {
    #[default]
    Model,
    Prompt,
}

impl ModelKind {
    /// The word for one, and for several.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Model => ("model", "models"),
            Self::Prompt => ("prompt", "prompts"),
        }
    }

    /// The word for one, at the beginning of a text.
    pub fn title(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Prompt => "Prompt",
        }
    }

    /// “3 models”.
    pub fn count(self, count: usize) -> String {
        let (one, many) = self.words();
        format::plural(count as i64, one, many)
    }
}
