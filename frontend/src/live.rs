//! Being told when something changes: GraphQL subscriptions over a WebSocket (`graphql-transport-ws`).
//!
//! What is told is only that something did; what it is now is asked as always. Where a socket is lost, the registry is
//! asked whether it answers at all; where only sockets cannot be had, nothing is told.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use cynic::StreamingOperation;
use leptos::prelude::{Effect, SetValue, StoredValue, on_cleanup, set_timeout};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, MessageEvent, WebSocket};

use crate::reach;

/// The first wait before a lost socket is opened again; each time it is twice as long.
const WAIT: Duration = Duration::from_secs(1);
const MAX_FAILURES: u32 = 8;
/// How often somebody is told at most.
const PAUSE: Duration = Duration::from_millis(500);

/// How many subscriptions the server takes over one socket.
const MOST_SUBSCRIPTIONS: usize = 10;

/// Follows until it is dropped.
pub struct Following(Rc<Follower>);

struct Follower {
    subscribe: Vec<String>,
    changed: Rc<dyn Fn()>,
    socket: RefCell<Option<Open>>,
    failures: Cell<u32>,
    /// How many subscriptions have ended.
    ended: Cell<usize>,
    /// Nothing more will come.
    over: Cell<bool>,
    /// Somebody is about to be told.
    telling: Cell<bool>,
}

/// A socket, and what hears it.
struct Open {
    socket: WebSocket,
    _heard: Closure<dyn Fn(MessageEvent)>,
    _events: [Closure<dyn Fn(Event)>; 2],
}

impl Drop for Open {
    fn drop(&mut self) {
        for forget in [WebSocket::set_onmessage, WebSocket::set_onopen, WebSocket::set_onclose] {
            forget(&self.socket, None);
        }
        let socket = self.socket.clone();
        // One that is closed already stays so.
        let close = move || drop(socket.close());
        if self.socket.ready_state() == WebSocket::CONNECTING {
            // Closed now, it would complain on the console that it was closed too early.
            let close = Closure::once_into_js(close);
            self.socket.set_onopen(Some(close.unchecked_ref()));
        } else {
            close();
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.over.set(true);
        *self.0.socket.borrow_mut() = None;
    }
}

/// Calls `changed` when one of the subscriptions gives something, and when it may have missed something.
pub fn follow<T, V: Serialize>(
    operations: Vec<StreamingOperation<T, V>>,
    changed: impl Fn() + 'static,
) -> Vec<Following> {
    let written = |operation: &StreamingOperation<T, V>| serde_json::to_string(operation).ok();
    let operations: Vec<_> = operations.iter().filter_map(written).collect();
    let changed = Rc::new(changed) as Rc<dyn Fn()>;
    let sockets = operations.chunks(MOST_SUBSCRIPTIONS);
    sockets.map(|operations| follow_some(operations, changed.clone())).collect()
}

/// Follows what `of` gives as long as the component is there, and anew when a signal changes that it reads.
pub fn keep_following(of: impl Fn() -> Vec<Following> + 'static) {
    let following = StoredValue::new_local(Vec::new());
    Effect::new(move |_| following.set_value(of()));
    on_cleanup(move || following.set_value(Vec::new()));
}

fn follow_some(operations: &[String], changed: Rc<dyn Fn()>) -> Following {
    let subscribe = |(id, operation): (usize, &String)| {
        format!(r#"{{"type":"subscribe","id":"{id}","payload":{operation}}}"#)
    };
    let follower = Rc::new(Follower {
        subscribe: operations.iter().enumerate().map(subscribe).collect(),
        changed,
        socket: RefCell::default(),
        failures: Cell::new(0),
        ended: Cell::new(0),
        over: Cell::new(false),
        telling: Cell::new(false),
    });
    open(&follower);
    Following(follower)
}

fn open(follower: &Rc<Follower>) {
    let address = crate::logic::address::registry().replacen("http", "ws", 1) + "/graphql";
    let Ok(socket) = WebSocket::new_with_str(&address, "graphql-transport-ws") else { return };
    let weak = Rc::downgrade(follower);
    let with = move |act: fn(&Rc<Follower>)| {
        let weak = weak.clone();
        Closure::<dyn Fn(Event)>::new(move |_| {
            if let Some(follower) = weak.upgrade() {
                act(&follower);
            }
        })
    };
    let opened = with(|follower| follower.say(r#"{"type":"connection_init"}"#));
    let closed = with(lost);
    let weak = Rc::downgrade(follower);
    let heard = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        if let (Some(follower), Some(text)) = (weak.upgrade(), event.data().as_string()) {
            hear(&follower, &text);
        }
    });
    socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
    socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
    socket.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    let open = Open { socket, _heard: heard, _events: [opened, closed] };
    // The one before, if there was one, is closed.
    *follower.socket.borrow_mut() = Some(open);
}

impl Follower {
    fn say(&self, text: &str) {
        if let Some(open) = &*self.socket.borrow() {
            // One that is closing says so itself.
            let _ = open.socket.send_with_str(text);
        }
    }
}

#[derive(Deserialize)]
struct Message {
    r#type: String,
    #[serde(default)]
    id: String,
}

fn hear(follower: &Rc<Follower>, text: &str) {
    let Ok(message) = serde_json::from_str::<Message>(text) else { return };
    match message.r#type.as_str() {
        "ping" => follower.say(r#"{"type":"pong"}"#),
        "connection_ack" => {
            follower.ended.set(0);
            follower.subscribe.iter().for_each(|subscribe| follower.say(subscribe));
            if follower.failures.replace(0) > 0 {
                tell(follower);
            }
        }
        "next" => tell(follower),
        // More was changed than could be told.
        "error" if text.contains("\"CONFLICT\"") => {
            let again = message.id.parse().ok().and_then(|id: usize| follower.subscribe.get(id));
            again.into_iter().for_each(|subscribe| follower.say(subscribe));
            tell(follower);
        }
        // Deleted, perhaps, or hidden: what is asked now says it.
        "error" | "complete" => {
            follower.ended.set(follower.ended.get() + 1);
            follower.over.set(follower.ended.get() == follower.subscribe.len());
            tell(follower);
        }
        _ => {}
    }
}

/// Tells that something changed, after a while: until then there may be more.
fn tell(follower: &Rc<Follower>) {
    if !follower.telling.replace(true) {
        later(PAUSE, Rc::downgrade(follower), |follower| {
            follower.telling.set(false);
            (follower.changed)();
        });
    }
}

/// Opens another socket, later and later, and at last no more; at once where the registry was away and is back.
fn lost(follower: &Rc<Follower>) {
    if follower.over.get() {
        return;
    }
    let weak = Rc::downgrade(follower);
    reach::doubt();
    reach::when_back(move || {
        if let Some(follower) = weak.upgrade() {
            follower.failures.set(1);
            reopen(&follower);
        }
    });
    let failures = follower.failures.get();
    if failures < MAX_FAILURES {
        follower.failures.set(failures + 1);
        later(WAIT * 2u32.pow(failures), Rc::downgrade(follower), reopen);
    }
}

/// Opens another socket, unless that was done meanwhile.
fn reopen(follower: &Rc<Follower>) {
    let is_closed = |open: &Open| open.socket.ready_state() == WebSocket::CLOSED;
    if !follower.over.get() && follower.socket.borrow().as_ref().is_none_or(is_closed) {
        open(follower);
    }
}

fn later(wait: Duration, follower: Weak<Follower>, act: impl Fn(&Rc<Follower>) + 'static) {
    // Not all at the same moment, where the server was restarted.
    let wait = wait.mul_f64(0.75 + js_sys::Math::random() / 2.0);
    let act = move || {
        // Whoever is gone is told nothing.
        if let Some(follower) = follower.upgrade() {
            act(&follower);
        }
    };
    set_timeout(act, wait);
}
