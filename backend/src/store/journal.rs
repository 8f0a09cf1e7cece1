//! A journal of uploads in parts: an object store lists none that was begun and not completed, and keeps its parts for ever.

use futures_util::future::BoxFuture;

use crate::error::Result;

/// Notes uploads before their first part is sent, so that those whose server died can be ended.
pub trait Journal: Send + Sync {
    /// Notes that the storage calls the upload of the object under `key` `multipart`.
    fn note<'a>(
        &'a self,
        storage: &'a str,
        key: &'a str,
        multipart: &'a str,
    ) -> BoxFuture<'a, Result<()>>;
}
