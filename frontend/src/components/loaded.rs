//! Loading, loaded or failed: every view that waits for the server goes through here.
//!
//! A page asks with [`Load::new`] when it is made, and shows what came in [`Loaded`]:
//!
//! ```ignore
//! let members = Load::new(move || member::list(path.get(), place.get()));
//! view! {
//!     <Loaded from=members fallback=|| view! { <SkeletonRows/> } let:page>
//!         <MemberList page on_change=move |()| members.refetch()/>
//!     </Loaded>
//! }
//! ```
//!
//! The page of what a path in its address names asks with [`Load::of_path`].
//!
//! A page with tabs is a [`Frame`]. Session, frame and tab ask at the same time, so that a page takes one round trip; each
//! is shown when what stands [`Around`] it is.
//!
//! Not Leptos' `Transition` and `ErrorBoundary`: here the last answer stays where the next one fails, and all that waits is
//! compiled once and not for each type of answer.

use std::{any::Any, cell::RefCell, future::Future, marker::PhantomData, pin::Pin, rc::Rc};

use leptos::{context::Provider, prelude::*};

use super::{
    failed::{Failed, OnRefused},
    focus,
    moved::use_renamed,
    outdated::use_outdated,
    skeleton::{BelowHeading, SkeletonPage},
};
use crate::logic::error::ApiError;

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

    /// As [`Load::new`], for the page of what a path in the address names. Where that was renamed, the address follows.
    pub fn of_path<F>(
        path: Memo<String>,
        fetch: impl Fn(String) -> F + 'static,
        now: impl Fn(&T) -> String + Clone + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, ApiError>> + 'static,
    {
        let renamed = use_renamed();
        Self::new(move || {
            let asked = path.get();
            let (answer, now, renamed) = (fetch(asked.clone()), now.clone(), renamed.clone());
            async move {
                let data = answer.await?;
                renamed(&asked, &now(&data));
                Ok(data)
            }
        })
    }

    /// Asks the server the same again. Where it does not answer, what it last said stays.
    pub fn refetch(self) {
        self.asked.resource.refetch();
    }

    /// Asks the server the same again when a signal changes that `changes` reads.
    pub fn refetch_when(self, changes: impl Fn() + 'static) {
        Effect::new(move |before: Option<()>| {
            changes();
            if before.is_some() {
                self.refetch();
            }
        });
    }

    /// Says that it may be out of date where no [`Loaded`] does, which it otherwise is for.
    pub fn report(self) {
        self.asked.report();
    }

    /// Whether the server has answered, and did not refuse.
    pub fn is_loaded(self) -> bool {
        self.asked.resource.with(|answer| matches!(answer, Some(Ok(_))))
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
        let (fetch, outdated) = (StoredValue::new_local(fetch), RwSignal::new(None));
        // Which question it is: another one when a signal changes that `fetch` reads.
        let question = Memo::new(move |before: Option<&u64>| {
            drop(fetch.with_value(|fetch| fetch()));
            before.map_or(0, |before| before + 1)
        });
        let last = Rc::new(RefCell::new(None::<(u64, Rc<dyn Any>)>));
        let resource = LocalResource::new(move || {
            let (question, last) = (question.get(), last.clone());
            let answer = untrack(|| fetch.with_value(|fetch| fetch()));
            async move {
                let answer = answer.await;
                let kept = match (&answer, &*last.borrow()) {
                    (Err(error), Some((of, data))) if *of == question && error.may_pass() => {
                        Some(data.clone())
                    }
                    _ => None,
                };
                // The page may have been left meanwhile.
                let error = answer.as_ref().err().filter(|_| kept.is_some()).cloned();
                outdated.try_set(error);
                focus::keep_if_any();
                if let Some(kept) = kept {
                    return Ok(kept);
                }
                last.replace(answer.as_ref().ok().map(|data| (question, data.clone())));
                answer
            }
        });
        Self { resource, outdated }
    }

    /// Has the app say why the last answer may be out of date, as long as that is so.
    fn report(self) {
        let resource = self.resource;
        use_outdated().follow(self.outdated.into(), Callback::new(move |()| resource.refetch()));
    }
}

/// Whether what stands around a view is there: who is signed in, and the heading of the frame that it is in. Provided by
/// the app, and by each [`Frame`] for what is below it.
#[derive(Clone, Copy)]
pub struct Around(pub Signal<bool>);

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
    /// What is shown until then: nothing in a frame's tab of the frame's own [`Load`], which is shown no earlier.
    #[prop(optional, into)]
    fallback: ViewFn,
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

/// The heading of a page with tabs, and the tab below it, which is made at once: it asks the server at the same time, and
/// is shown when the heading is. Where the page cannot be loaded, that is all that is said.
#[component]
pub fn Frame<T, V, F>(from: Load<T>, heading: F, children: Children) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
    F: Fn(Memo<T>) -> V + Send + Sync + 'static,
{
    let Around(around) = expect_context();
    let ready = Memo::new(move |_| around.get() && from.is_loaded());
    provide_context(Around(ready.into()));
    let shown = move || if ready.get() { "contents" } else { "hidden" };
    view! {
        <Provider value=Around(around)>
            <Loaded page=true from fallback=|| view! { <SkeletonPage/> } children=heading/>
        </Provider>
        <div class=shown><Provider value=BelowHeading>{children()}</Provider></div>
    }
}

/// The same for every type.
#[component]
fn Waiting(asked: Asked, fallback: ViewFn, page: bool, ready: ViewFn) -> impl IntoView {
    asked.report();
    let refused = expect_context::<OnRefused>().0;
    let Around(around) = expect_context();
    let state = Memo::new(move |before: Option<&State>| match asked.resource.get() {
        None => State::Loading,
        Some(_) if !around.get() => State::Loading,
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
            view! { <Failed error page on_retry=move |()| asked.resource.refetch()/> }.into_any()
        }
        State::Ready => ready.run(),
    }
}
