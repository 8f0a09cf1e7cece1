//! Prompts: their templates, how they are used and how they are written.

pub mod form;
pub mod mlflow;
pub mod template;
