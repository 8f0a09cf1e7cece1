//! Whether the registry answers (a health probe): where a request or a socket is lost, it is asked until it does, and who
//! waits for it hears when it is back.

use std::cell::{Cell, RefCell};

use gloo_net::http::Request;
use gloo_timers::future::TimeoutFuture;
use leptos::{
    prelude::{ArcRwSignal, Get, GetUntracked, Set},
    task::spawn_local,
};

use crate::logic::address;

/// How long to wait before it is asked, in milliseconds: what is only restarted is back soon. Then twice as long each time.
const FIRST_WAIT: u32 = 1_000;
const LONGEST_WAIT: u32 = 3_000;

struct Reach {
    away: ArcRwSignal<bool>,
    asking: Cell<bool>,
    waiting: RefCell<Vec<Box<dyn FnOnce()>>>,
}

thread_local! {
    static REACH: Reach = Reach {
        away: ArcRwSignal::new(false),
        asking: Cell::new(false),
        waiting: RefCell::default(),
    };
}

/// Whether it does not answer; reactive.
pub fn is_away() -> bool {
    REACH.with(|reach| reach.away.clone()).get()
}

/// Something did not arrive: asks whether anything does.
pub fn doubt() {
    if !REACH.with(|reach| reach.asking.replace(true)) {
        spawn_local(ask());
    }
}

/// Calls `act` when it is back; not where it turns out that it was never away.
pub fn when_back(act: impl FnOnce() + 'static) {
    REACH.with(|reach| reach.waiting.borrow_mut().push(Box::new(act)));
}

async fn ask() {
    let away = REACH.with(|reach| reach.away.clone());
    let mut wait = FIRST_WAIT;
    loop {
        TimeoutFuture::new(wait).await;
        if answers().await {
            break;
        }
        away.set(true);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    let waiting = REACH.with(|reach| {
        reach.asking.set(false);
        reach.waiting.take()
    });
    if away.get_untracked() {
        away.set(false);
        waiting.into_iter().for_each(|act| act());
    }
}

/// Whether the registry answers at all.
async fn answers() -> bool {
    let asked = Request::post(&address::at("/graphql"))
        .header("content-type", "application/json")
        .body(r#"{"query":"{ __typename }"}"#);
    match asked.map(Request::send) {
        // A proxy before it answers for it that it does not.
        Ok(answer) => answer.await.is_ok_and(|answer| !matches!(answer.status(), 502..=504)),
        Err(_) => false,
    }
}
