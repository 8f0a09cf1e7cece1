//! Open sockets, and streams of events: how many each caller has, and their end when the server stops. Never knows what is
//! said.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::error::{Error, Result};

/// How many sockets one caller may have open.
const MAX_OF_ONE: usize = 32;

/// The sockets of a server.
pub struct Sockets {
    /// How many there may be.
    most: usize,
    by_caller: Mutex<HashMap<String, usize>>,
    open: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
}

/// The right to have one socket open; given back when it is dropped.
pub struct Seat {
    sockets: Arc<Sockets>,
    caller: String,
}

impl Sockets {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            by_caller: Mutex::default(),
            open: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }
    }

    /// One more socket of this caller, if there may be.
    pub fn take(self: &Arc<Self>, caller: String) -> Result<Seat> {
        self.take_of(caller, MAX_OF_ONE)
    }

    /// As [`Sockets::take`], of a caller who may have fewer.
    pub fn take_of(self: &Arc<Self>, caller: String, most: usize) -> Result<Seat> {
        let mut by_caller = self.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        let own = by_caller.get(&caller).copied().unwrap_or_default();
        if own >= most {
            return Err(Error::RateLimited(format!(
                "You already have {most} open sockets and event streams. Close one, or use several subscriptions in one socket."
            )));
        }
        if *self.open.borrow() >= self.most {
            return Err(Error::RateLimited("Too many sockets are open. Try again later.".into()));
        }
        by_caller.insert(caller.clone(), own + 1);
        self.open.send_modify(|open| *open += 1);
        Ok(Seat { sockets: self.clone(), caller })
    }

    /// Waits until the server stops.
    pub async fn stopping(&self) {
        // An error is that nobody can say so any more.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Has all sockets end, and waits until they have.
    pub async fn close(&self) {
        self.stopping.send_replace(true);
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let sockets = &self.sockets;
        let mut by_caller = sockets.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_caller.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                by_caller.remove(&self.caller);
            }
        }
        sockets.open.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_has_so_many_and_closing_waits_for_all() {
        let sockets = Arc::new(Sockets::new(MAX_OF_ONE + 1));
        let taken: Vec<_> = (0..MAX_OF_ONE).map(|_| sockets.take("a".into()).ok()).collect();
        assert!(taken.iter().all(Option::is_some) && sockets.take("a".into()).is_err());
        let other = sockets.take("b".into()).ok();
        assert!(other.is_some() && sockets.take("c".into()).is_err());
        drop(taken);
        assert!(sockets.take("a".into()).is_ok());
        let closing = tokio::spawn({
            let sockets = sockets.clone();
            async move { sockets.close().await }
        });
        sockets.stopping().await;
        assert!(!closing.is_finished());
        drop(other);
        closing.await.unwrap();
    }
}
