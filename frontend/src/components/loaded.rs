//! Loading, loaded or failed: every view that waits for the server goes through here.

use leptos::prelude::*;

use super::failed::Failed;
use crate::error::ApiError;

/// What a page waits for.
pub type Load<T> = LocalResource<Result<T, ApiError>>;

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
    let state = Memo::new(move |_| {
        from.with(|loaded| match loaded {
            None => State::Loading,
            Some(Ok(_)) => State::Ready,
            Some(Err(error)) => State::Failed(error.clone()),
        })
    });
    move || match state.get() {
        State::Loading => fallback.run(),
        State::Failed(error) => {
            view! { <Failed error page on_retry=move |()| from.refetch()/> }.into_any()
        }
        State::Ready => {
            let data = Memo::new(move |previous: Option<&T>| {
                from.with(|loaded| match loaded {
                    Some(Ok(data)) => data.clone(),
                    _ => previous.cloned().expect("this branch begins with data"),
                })
            });
            children(data).into_any()
        }
    }
}
