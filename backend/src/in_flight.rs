//! In-flight uploads: which files are arriving at this moment, by what is to have them.
//!
//! In memory, because what a connection brings ends with the server. Uploads that outlive their connections have
//! rows, see [`upload`](crate::registry::catalog::upload). Knows no rules: who publishes asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// For how long after its last bytes an upload is waited for.
pub const WAIT_SECONDS: i64 = 300;

/// A file that is arriving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The raw id of what is to have it.
    pub owner_id: String,
    pub path: String,
}

/// What is arriving at this server.
#[derive(Default)]
pub struct InFlight(Mutex<State>);

#[derive(Default)]
struct State {
    last: u64,
    /// Requests whose bytes are being read.
    requests: HashMap<u64, Arrival>,
}

/// Says that a request is under way, until it is dropped.
pub struct UnderWay {
    in_flight: Arc<InFlight>,
    number: u64,
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins to bring bytes of a file.
    pub fn begin(self: &Arc<Self>, arrival: Arrival) -> UnderWay {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        state.requests.insert(number, arrival);
        UnderWay { in_flight: self.clone(), number }
    }

    /// The paths of what is arriving for something, each once, in order.
    pub fn paths(&self, owner_id: &str) -> Vec<String> {
        let state = self.lock();
        let mut paths: Vec<String> = state
            .requests
            .values()
            .filter(|arrival| arrival.owner_id == owner_id)
            .map(|arrival| arrival.path.clone())
            .collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.in_flight.lock().requests.remove(&self.number);
    }
}
