//! Loading, loaded or failed: every view that waits for the server goes through here.

use std::{any::Any, cell::RefCell, future::Future, marker::PhantomData, pin::Pin, rc::Rc};

use leptos::prelude::*;

use super::{
    failed::{Failed, OnRefused},
    outdated::use_outdated,
};
use crate::error::ApiError;

/// An answer whose type only its [`Load`] knows.
type Answer = Result<Rc<dyn Any>, ApiError>;

type Fetch = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Answer>>>>;

/// What a page waits for.
///
/// Underneath, what waits and asks again is the same for every type, so that it is compiled once and not
/// for each.
pub struct Load<T> {
    asked: Asked,
    data: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy)]
struct Asked {
    resource: LocalResource<Answer>,
    /// Whether the next question is the last one again.
    again: StoredValue<bool>,
    /// Why the last answer may be out of date: the server was asked again, and did not answer.
    outdated: RwSignal<Option<ApiError>>,
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
        Self { asked: Asked::new(Box::new(fetch)), data: PhantomData }
    }

    /// Asks the server the same again. Where it does not answer, what it last said stays.
    pub fn refetch(self) {
        self.asked.refetch();
    }

    /// Reads the last answer; none before the first.
    pub fn with<U>(self, read: impl FnOnce(Option<Result<&T, &ApiError>>) -> U) -> U {
        let answer = self.asked.resource.get();
        read(answer.as_ref().map(|answer| match answer {
            Ok(data) => Ok(data.downcast_ref().expect("it holds what `new` put in")),
            Err(error) => Err(error),
        }))
    }
}

impl Asked {
    fn new(fetch: Fetch) -> Self {
        let (again, outdated) = (StoredValue::new(false), RwSignal::new(None));
        // None where something else is asked for: that is not what stays.
        let last = Rc::new(RefCell::new(None));
        let resource = LocalResource::new(move || {
            let is_same = again.try_update_value(std::mem::take).unwrap_or_default();
            let (answer, last) = (fetch(), last.clone());
            if !is_same {
                last.take();
            }
            async move {
                let answer = answer.await;
                let kept = match &answer {
                    Err(error) if is_same && error.may_pass() => last.borrow().clone(),
                    _ => None,
                };
                // The page may have been left meanwhile.
                let error = answer.as_ref().err().filter(|_| kept.is_some()).cloned();
                outdated.try_set(error);
                if let Some(kept) = kept {
                    return Ok(kept);
                }
                last.replace(answer.as_ref().ok().cloned());
                answer
            }
        });
        Self { resource, again, outdated }
    }

    fn refetch(self) {
        self.again.set_value(true);
        self.resource.refetch();
    }
}

#[derive(Clone, PartialEq)]
enum State {
    Loading,
    Ready,
    Failed(ApiError),
}

/// Shows `fallback` until the first answer, then `children` with a signal of the data.
///
/// A reload keeps what is shown until the next answer is there, and then changes only what differs; where no answer
/// comes, it stays, and the app says so.
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
    view! { <Waiting asked=from.asked fallback page ready=ready.into()/> }
}

/// The same for every type.
#[component]
fn Waiting(asked: Asked, fallback: ViewFn, page: bool, ready: ViewFn) -> impl IntoView {
    use_outdated().follow(asked.outdated.into(), Callback::new(move |()| asked.refetch()));
    let refused = expect_context::<OnRefused>().0;
    let state = Memo::new(move |before: Option<&State>| match asked.resource.get() {
        None => State::Loading,
        Some(Ok(_)) => State::Ready,
        Some(Err(error)) => {
            if before == Some(&State::Ready) {
                refused.run(());
            }
            State::Failed(error)
        }
    });
    move || match state.get() {
        State::Loading => fallback.run(),
        State::Failed(error) => {
            view! { <Failed error page on_retry=move |()| asked.refetch()/> }.into_any()
        }
        State::Ready => ready.run(),
    }
}
