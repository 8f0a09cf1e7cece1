//! Sending something to the server: pending, refused, done.

use std::{future::Future, pin::Pin};

use leptos::{prelude::*, task::spawn_local};

use crate::logic::error::{ApiError, Code};

/// What is being sent, and then what is to be done with the answer.
type Work = Pin<Box<dyn Future<Output = Result<Box<dyn FnOnce()>, ApiError>>>>;

/// The state of a form, or of one action.
#[derive(Clone, Copy)]
pub struct Submit {
    pub pending: RwSignal<bool>,
    pub error: RwSignal<Option<ApiError>>,
    /// The field that names what is made: “exists already” is about it.
    naming: Option<&'static str>,
}

impl Submit {
    pub fn new() -> Self {
        Self { pending: RwSignal::new(false), error: RwSignal::new(None), naming: None }
    }

    /// For a form that makes or renames something, whose name is in the field `name`.
    pub fn naming(name: &'static str) -> Self {
        Self { naming: Some(name), ..Self::new() }
    }

    /// Runs `work`, once at a time, and then `done`; a refusal stays in `error` until the next try.
    pub fn run<T: 'static>(
        self,
        work: impl Future<Output = Result<T, ApiError>> + 'static,
        done: impl FnOnce(T) + 'static,
    ) {
        let work = async move {
            let value = work.await?;
            Ok(Box::new(move || done(value)) as Box<dyn FnOnce()>)
        };
        self.start(Box::pin(work));
    }

    /// The same for every type, so that it is compiled once.
    fn start(self, work: Work) {
        if self.pending.get_untracked() {
            return;
        }
        self.pending.set(true);
        self.error.set(None);
        spawn_local(async move {
            let result = work.await;
            // The page may be gone by now: then there is nobody to tell.
            if self.pending.try_set(false).is_some() {
                return;
            }
            match result {
                Ok(done) => done(),
                Err(error) => self.refuse(error),
            }
        });
    }

    fn refuse(self, mut error: ApiError) {
        if error.code == Code::AlreadyExists && error.field.is_none() {
            error.field = self.naming.map(str::to_owned);
        }
        self.error.set(Some(error));
    }

    /// What the server said about one field.
    pub fn field(self, name: &'static str) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.error.with(|error| {
                error
                    .as_ref()
                    .filter(|error| error.field.as_deref() == Some(name))
                    .map(ApiError::beside_field)
            })
        })
    }

    /// What the server said that belongs to none of the form's `fields`, and is not about files that are awaited.
    pub fn general(self, fields: &'static [&'static str]) -> Signal<Option<ApiError>> {
        Signal::derive(move || {
            self.error
                .get()
                .filter(|error| error.uploads.is_empty())
                .filter(|error| !error.field.as_deref().is_some_and(|f| fields.contains(&f)))
        })
    }
}

/// A text as an optional argument: nothing where nothing was typed.
pub fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
