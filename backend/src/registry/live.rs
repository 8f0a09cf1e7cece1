//! Following something as it changes: what every subscription of GraphQL has in common.
//!
//! A notice says only that something was changed. Who it may be shown to is asked anew before every item,
//! and every few seconds where there is none: whoever may not any more gets an error, and nothing after.

use std::time::Duration;

use async_graphql::Context;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use tokio::time::{Instant, sleep, timeout};

use crate::access::{self, Actor, actor};
use crate::app::App;
use crate::db::Watch;
use crate::error::Result;
use crate::loader::loaders;

/// The least time between two items.
const PAUSE: Duration = Duration::from_millis(250);
/// How long somebody who hears nothing is believed that they still may.
pub const BELIEVED: Duration = Duration::from_secs(10);

/// Who follows something.
pub struct Caller {
    pub app: App,
    pub actor: Actor,
}

impl Caller {
    pub fn of(ctx: &Context<'_>) -> Self {
        Self { app: loaders(ctx).loader().app.clone(), actor: actor(ctx).clone() }
    }

    /// Refuses a caller who may not come in any more.
    pub async fn check_live(&self) -> Result<()> {
        access::credential::check_live(&self.app.db, &self.actor, self.app.clock.now()).await
    }
}

/// What a caller follows, as they named it.
pub trait Followed: Send + Sync + 'static {
    type Item: Send;

    /// It, if the caller may still come in and see it.
    fn find(&self, caller: &Caller) -> impl Future<Output = Result<Self::Item>> + Send;

    /// What its changes are told as.
    fn key(item: &Self::Item) -> String;
}

/// When the last item was given.
pub struct Pace(pub Option<Instant>);

impl Pace {
    /// Waits a while, and as long as the last item took to be made and sent: whoever is slow, or asks for
    /// much, gets less of it.
    pub async fn keep(&self) {
        if let Some(last) = self.0 {
            let took = last.elapsed();
            sleep(took.max(PAUSE.saturating_sub(took))).await;
        }
    }
}

/// Something as it is now, and again whenever it was changed.
pub async fn follow<F: Followed>(
    caller: Caller,
    what: F,
) -> Result<BoxStream<'static, Result<F::Item>>> {
    let key = F::key(&what.find(&caller).await?);
    let watch = caller.app.db.watch(&key).await;
    let state = (caller, what, watch, Pace(None));
    let next = async |(caller, what, watch, pace): (Caller, F, Watch, Pace)| {
        pace.keep().await;
        if pace.0.is_some() {
            while timeout(BELIEVED, watch.changed(1)).await.is_err() {
                what.find(&caller).await?;
            }
        }
        let item = what.find(&caller).await?;
        Ok(Some((item, (caller, what, watch, Pace(Some(Instant::now()))))))
    };
    Ok(try_unfold(state, next).boxed())
}
