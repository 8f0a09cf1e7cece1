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
    callers: Vec<String>,
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
        let full = || {
            Error::RateLimited(format!(
                "You already have {MAX_OF_ONE} open sockets and event streams. Close one, or use several subscriptions in one \
                 socket."
            ))
        };
        self.take_as(vec![(caller, MAX_OF_ONE)], full)
    }

    /// One more stream of a page with an embed token: of those with this token in its network, `most`, and of all pages a
    /// quarter of what there may be.
    pub fn take_embedded(self: &Arc<Self>, token: String, most: usize) -> Result<Seat> {
        let full = || {
            Error::RateLimited(
                "Too many event streams are open with this embed token. Try again later, or ask with queries.".into(),
            )
        };
        self.take_as(vec![(token, most), ("embedded".to_owned(), self.most / 4)], full)
    }

    /// One more, which counts as each of these callers, who may have so many.
    fn take_as(
        self: &Arc<Self>,
        callers: Vec<(String, usize)>,
        full: impl FnOnce() -> Error,
    ) -> Result<Seat> {
        let mut by_caller = self.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |caller| by_caller.get(caller).copied().unwrap_or_default();
        if callers.iter().any(|(caller, most)| own(caller) >= *most) {
            return Err(full());
        }
        if *self.open.borrow() >= self.most {
            return Err(Error::RateLimited("Too many sockets are open. Try again later.".into()));
        }
        let callers: Vec<_> = callers.into_iter().map(|(caller, _)| caller).collect();
        for caller in &callers {
            *by_caller.entry(caller.clone()).or_default() += 1;
        }
        self.open.send_modify(|open| *open += 1);
        Ok(Seat { sockets: self.clone(), callers })
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
        for caller in &self.callers {
            if let Some(own) = by_caller.get_mut(caller) {
                *own -= 1;
                if *own == 0 {
                    by_caller.remove(caller);
                }
            }
        }
        sockets.open.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_leave_most_to_others() {
        let sockets = Arc::new(Sockets::new(8));
        let taken: Vec<_> =
            ["a", "a", "a", "b"].map(|token| sockets.take_embedded(token.into(), 2).ok()).into();
        assert!(taken[1].is_some() && taken[2].is_none() && taken[3].is_none(), "two of eight");
        assert!(sockets.take("a".into()).is_ok());
        drop(taken);
        assert!(sockets.take_embedded("b".into(), 2).is_ok());
    }

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
