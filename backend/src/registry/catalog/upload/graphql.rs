//! Uploads under way in GraphQL: fields and list, for administrators.

use async_graphql::{ComplexObject, Context, ID, Object};

use super::LIFE_SECONDS;
use super::open::{self, OpenUpload, UploadKind};
use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, actor};
use crate::connection::Connection;
use crate::error::Result;
use crate::in_flight::WAIT_SECONDS;
use crate::loader::loaders;
use crate::long::Long;
use crate::page::{LOOK_UP, Page, cost};
use crate::registry::catalog::file::sql::AddressOf;
use crate::registry::people::user;

#[ComplexObject]
impl OpenUpload {
    /// Its id, as in the address that the client was given. Only the person who began it can go on with it.
    async fn id(&self) -> ID {
        self.id.as_str().into()
    }

    /// How the file comes.
    async fn kind(&self) -> UploadKind {
        self.kind_of()
    }

    /// Where the file will be, such as `vision/ocr/1.0.0/model.onnx`. If it comes in parts that don't say it yet, the
    /// folder, with a slash at its end.
    #[graphql(complexity = "LOOK_UP")]
    async fn address(&self, ctx: &Context<'_>) -> Result<String> {
        let found = loaders(ctx).load_one(AddressOf(self.owner_id.clone())).await?;
        let address = found.as_ref().and_then(|found| found.first());
        Ok(address.map_or_else(|| self.path.clone(), |address| address.of_file(&self.path)))
    }

    /// How large it will be, in bytes; null if that is not known yet.
    async fn size(&self) -> Option<Long> {
        (!self.is_deferred).then_some(Long(self.size))
    }

    /// Whether bytes have arrived in the last five minutes.
    async fn active(&self, ctx: &Context<'_>) -> bool {
        let last_bytes_at = self.expires_at_ms.plus_seconds(-LIFE_SECONDS);
        last_bytes_at.plus_seconds(WAIT_SECONDS) > loaders(ctx).loader().app.clock.now()
    }

    /// The project that the file is for; null if it was deleted meanwhile.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn project(&self, ctx: &Context<'_>) -> Result<Option<Project>> {
        match &self.project_id {
            Some(id) => loaders(ctx).load_one(id.clone()).await,
            None => Ok(None),
        }
    }

    /// The person or robot who began it.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.user_id)).await
    }
}

#[derive(Default)]
pub struct UploadQuery;

#[Object]
impl UploadQuery {
    /// Uploads under way in the whole registry, what began last first; only for administrators.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn open_uploads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<OpenUpload>> {
        access::auditor(actor(ctx))?;
        let now = loaders(ctx).loader().app.clock.now();
        Ok(open::list(now, Page::new(first, after, last, before)?))
    }
}
