//! Loading, loaded or failed: every view that waits for the server goes through here.

use std::{any::Any, future::Future, marker::PhantomData, pin::Pin, rc::Rc};

use leptos::prelude::*;

use super::failed::Failed;
use crate::error::ApiError;

/// An answer whose type only its [`Load`] knows.
type Answer = Result<Rc<dyn Any>, ApiError>;

/// What a page waits for.
///
/// Underneath, what waits and asks again is the same for every type, so that it is compiled once and not
/// for each.
pub struct Load<T> {
    resource: LocalResource<Answer>,
    data: PhantomData<fn() -> T>,
}

impl<T> Clone for Load<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Load<T> {}

impl<T: 'static> Load<T> {
    /// Asks the server, and again when a signal changes that `fetch` reads.
    pub fn new<F>(fetch: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = Result<T, ApiError>> + 'static,
    {
        let fetch = move || -> Pin<Box<dyn Future<Output = Answer>>> {
            let answer = fetch();
            Box::pin(async move { Ok(Rc::new(answer.await?) as Rc<dyn Any>) })
        };
        Self { resource: resource(Box::new(fetch)), data: PhantomData }
    }

    /// Asks the server again.
    pub fn refetch(self) {
        self.resource.refetch();
    }

    /// Reads the last answer; none before the first.
    pub fn with<U>(self, read: impl FnOnce(Option<Result<&T, &ApiError>>) -> U) -> U {
        let answer = self.resource.get();
        read(answer.as_ref().map(|answer| match answer {
            Ok(data) => Ok(data.downcast_ref().expect("it holds what `new` put in")),
            Err(error) => Err(error),
        }))
    }
}

fn resource(
    fetch: Box<dyn Fn() -> Pin<Box<dyn Future<Output = Answer>>>>,
) -> LocalResource<Answer> {
    LocalResource::new(fetch)
}

#[derive(Clone, PartialEq)]
enum State {
    Loading,
    Ready,
    Failed(ApiError),
}

/// Shows `fallback` until the first answer, then `children` with a signal of the data.
///
/// A reload keeps what is shown until the next answer is there, and then changes only what differs.
#[component]
pub fn Loaded<T, V, F>(
    from: Load<T>,
    #[prop(into)] fallback: ViewFn,
    /// Whether the page has no heading of its own until this is there.
    #[prop(optional)]
    page: bool,
    children: F,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
    F: Fn(Memo<T>) -> V + Send + Sync + 'static,
{
    let ready = move || {
        let data = Memo::new(move |previous: Option<&T>| {
            from.with(|loaded| match loaded {
                Some(Ok(data)) => data.clone(),
                _ => previous.cloned().expect("this branch begins with data"),
            })
        });
        children(data).into_any()
    };
    view! { <Waiting resource=from.resource fallback page ready=ready.into()/> }
}

/// The same for every type.
#[component]
fn Waiting(
    resource: LocalResource<Answer>,
    fallback: ViewFn,
    page: bool,
    ready: ViewFn,
) -> impl IntoView {
    let state = Memo::new(move |_| match resource.get() {
        None => State::Loading,
        Some(Ok(_)) => State::Ready,
        Some(Err(error)) => State::Failed(error),
    });
    move || match state.get() {
        State::Loading => fallback.run(),
        State::Failed(error) => {
            view! { <Failed error page on_retry=move |()| resource.refetch()/> }.into_any()
        }
        State::Ready => ready.run(),
    }
}
