//! What every request can reach: the database, the blobs, the configuration and the clock.

use std::sync::Arc;

use axum::http::request::Parts;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::access::embed::Embed;
use crate::cache::{Cache, Figures, LastVersion, Recent};
use crate::config::Serve;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::in_flight::InFlight;
use crate::network;
use crate::outbound::Outbound;
use crate::sealing::Sealing;
use crate::signing::Signing;
use crate::sockets::Sockets;
use crate::store::{Storages, Store};
use crate::throttle::{Rate, Throttle};
use crate::time::Clock;

/// The parts that the server is made of. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    /// What takes what is uploaded.
    pub store: Store,
    /// All that there are, by their names.
    pub storages: Storages,
    pub config: Arc<Serve>,
    pub clock: Clock,
    /// Who may.
    pub access: Access,
    /// What the next version of a model comes after, by the id of the model; also before that is durable. It is no
    /// more than a guess.
    pub last_versions: Arc<Cache<LastVersion>>,
    /// What was counted of all that is stored.
    pub figures: Arc<Recent<Figures>>,
    /// Refused changes, by who was refused.
    pub refusals: Arc<Throttle>,
    /// Requests for cards, badges and feeds, by network.
    pub embeds: Arc<Rate>,
    /// Operations with embed tokens, by token and network.
    pub embedded: Arc<Rate>,
    /// How many descriptions are rendered at once: users write them, and some take long.
    pub rendering: Arc<Semaphore>,
    /// Signs addresses that stand for who asked for them.
    pub signing: Arc<Signing>,
    /// Seals secrets that the database keeps.
    pub sealing: Arc<Sealing>,
    /// Sends what users asked for to elsewhere.
    pub outbound: Arc<Outbound>,
    /// Tests of webhooks, by webhook.
    pub webhook_tests: Arc<Rate>,
    /// Who follows what changes.
    pub sockets: Arc<Sockets>,
    /// Held by who removes what was deleted for good.
    pub removing: Arc<Mutex<()>>,
    /// Whether the server is about to stop, which whoever sends it requests should know before it does.
    pub stopping: Arc<watch::Sender<bool>>,
    /// Which files are arriving.
    pub in_flight: Arc<InFlight>,
    /// What goes on beside the answers, such as a line of the log that nobody waits for: a server that stops does.
    pub beside: TaskTracker,
}

impl App {
    pub fn new(db: Db, storages: Storages, signing: Signing, config: Serve, clock: Clock) -> Self {
        let sealing = Sealing::new(
            config.webhooks.secret_key_file.as_deref(),
            &config.data.data,
            // With either of them it has the data folder to itself.
            storages.first().is_folder() || db.has_one_writer(),
        );
        let outbound = Outbound::new(&config);
        let config = Arc::new(config);
        let beside = TaskTracker::new();
        Self {
            access: Access::new(db.reserved(), config.clone(), clock.clone(), beside.clone()),
            db,
            store: storages.first().clone(),
            storages,
            sockets: Arc::new(Sockets::new(config.max_connections)),
            config,
            clock,
            last_versions: Arc::default(),
            figures: Arc::default(),
            refusals: Arc::new(Throttle::new(1000)),
            embeds: Arc::new(Rate::new(300)),
            embedded: Arc::new(Rate::new(120)),
            rendering: Arc::new(Semaphore::new(2)),
            signing: Arc::new(signing),
            sealing: Arc::new(sealing),
            outbound: Arc::new(outbound),
            webhook_tests: Arc::new(Rate::new(10)),
            removing: Arc::default(),
            stopping: Arc::new(watch::Sender::new(false)),
            in_flight: Arc::default(),
            beside,
        }
    }

    /// Counts a request with an embed token, live or not, and refuses it where its network sends too many.
    pub fn count_embedded(&self, token: &Embed, request: &Parts) -> Result<()> {
        let Some(network) = network::counted_of(&self.config, request) else { return Ok(()) };
        let key = format!("{} {network}", token.id.raw());
        let taken = self.embedded.take(&key, self.clock.now());
        taken.map_err(|seconds| Error::TooOften {
            what: "Too many requests with this embed token",
            seconds,
        })
    }
}
