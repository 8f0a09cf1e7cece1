//! What every request can reach: the database, the blobs, the configuration and the clock.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::access::password::Known;
use crate::cache::Memory;
use crate::config::Serve;
use crate::db::Db;
use crate::in_flight::InFlight;
use crate::signing::Signing;
use crate::sockets::Sockets;
use crate::store::Store;
use crate::throttle::Throttle;
use crate::time::Clock;

/// The parts that the server is made of. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub store: Store,
    pub config: Arc<Serve>,
    pub clock: Clock,
    /// How many passwords are hashed at once: each takes 19 MiB and a core for a while.
    pub password_hashing: Arc<Semaphore>,
    /// What was read of who may what, and is still so.
    pub memory: Arc<Memory>,
    /// Passwords that were right a moment ago.
    pub known_passwords: Arc<Known>,
    /// Wrong passwords, by account and address.
    pub wrong_passwords: Arc<Throttle>,
    /// Wrong passwords that were written into the log, by network.
    pub logged_passwords: Arc<Throttle>,
    /// Refused changes, by who was refused.
    pub refusals: Arc<Throttle>,
    /// How many descriptions are rendered at once: users write them, and some take long.
    pub rendering: Arc<Semaphore>,
    /// Signs addresses that stand for who asked for them.
    pub signing: Arc<Signing>,
    /// Who follows what changes.
    pub sockets: Arc<Sockets>,
    /// Which files are arriving.
    pub in_flight: Arc<InFlight>,
}

impl App {
    pub fn new(db: Db, store: Store, config: Serve, clock: Clock) -> Self {
        Self {
            db,
            store,
            sockets: Arc::new(Sockets::new(config.max_connections)),
            config: Arc::new(config),
            clock,
            password_hashing: Arc::new(Semaphore::new(2)),
            memory: Arc::default(),
            known_passwords: Arc::default(),
            wrong_passwords: Arc::new(Throttle::new(20)),
            logged_passwords: Arc::new(Throttle::new(1000)),
            refusals: Arc::new(Throttle::new(1000)),
            rendering: Arc::new(Semaphore::new(2)),
            signing: Arc::default(),
            in_flight: Arc::default(),
        }
    }
}
