//! How large an answer may be: fields and texts are counted while it is put together, and what would be too large ends there.
//!
//! The cost of an operation is counted before it runs, by its fields; how long the texts are that they have, only the rows
//! say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::async_trait::async_trait;
use async_graphql::dataloader::DataLoader;
use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo,
};
use async_graphql::{Pos, Response, ServerError, ServerResult, Value};

use super::answer::Executed;
use crate::app::App;
use crate::db::Budget;
use crate::error::Error;
use crate::loader::Loaders;

/// How many bytes of text an answer has at most.
pub const MAX_BYTES: usize = 32 << 20;

/// What a field takes besides the text that it may have: numbers of a long list are many bytes, too.
const FIELD_BYTES: usize = 64;

/// How many bytes of rows an answer may need: of what is not asked for, too.
const MAX_READ: usize = 64 << 20;

/// What one operation reads with.
pub fn within(app: &App) -> App {
    App { db: app.db.within(&Budget::new(MAX_READ)), ..app.clone() }
}

/// Counts each answer.
pub struct Size;

impl ExtensionFactory for Size {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Counter::default())
    }
}

/// The bytes of one answer, or of one item of a subscription.
#[derive(Default)]
struct Counter(AtomicUsize);

fn too_large() -> ServerError {
    let message = "the answer is larger than 32 MiB: ask for fewer things, or for less of each";
    async_graphql::Error::from(Error::TooLarge(message.into())).into_server_error(Pos::default())
}

/// The bytes of texts in a value; objects were counted field by field.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(values) => values.iter().map(bytes_of).sum(),
        _ => 0,
    }
}

#[async_trait]
impl Extension for Counter {
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        self.0.store(0, Ordering::Relaxed);
        if let Some(executed) = ctx.data_opt::<Executed>() {
            executed.begins();
        }
        if let Some(loaders) = ctx.data_opt::<DataLoader<Loaders>>() {
            loaders.loader().app.db.refill();
        }
        let mut response = next.run(ctx, operation_name).await;
        if self.0.load(Ordering::Relaxed) > MAX_BYTES {
            // One reason, and not one for each field that was left out.
            response = Response::from_errors(vec![too_large()]);
        }
        response
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let value = next.run(ctx, info).await?;
        let bytes = FIELD_BYTES + value.as_ref().map_or(0, bytes_of);
        if self.0.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_BYTES {
            return Err(too_large());
        }
        Ok(value)
    }
}
