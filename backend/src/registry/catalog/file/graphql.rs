//! Files in GraphQL: where they are fetched, and deleting one.

use async_graphql::{ComplexObject, Context, InputObject, Object};

use super::sql::AddressOf;
use super::{File, rules};
use crate::access::actor;
use crate::change;
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::registry::address;
use crate::registry::{object, payload};

#[ComplexObject]
impl File {
    /// Where to GET the bytes; absolute if the server knows its public URL.
    async fn download_url(&self, ctx: &Context<'_>) -> Result<String> {
        let owner = loaders(ctx).load_one(AddressOf(self.owner_id.clone())).await?;
        let of = owner.as_ref().and_then(|addresses| addresses.first());
        let of = of.ok_or_else(|| Error::internal("a file without its owner"))?;
        let owner = [&*of.project, &of.model, &of.reference];
        let segments = ["files"].into_iter().chain(owner).chain(self.path.split('/'));
        Ok(address::page(ctx, &segments.collect::<Vec<_>>()))
    }
}

/// A file to remove from a draft version or a candidate.
#[derive(InputObject)]
pub struct DeleteFileInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: Option<String>,
    /// Or the number of the candidate.
    candidate: Option<i32>,
    /// The path of the file.
    path: String,
}

payload! {
    /// The file that was removed.
    DeleteFilePayload {
        /// The file as it was.
        file: File
    }
}

#[derive(Default)]
pub struct FileMutation;

#[Object]
impl FileMutation {
    /// Removes a file from a draft version or a candidate. Files of published versions can't be removed.
    async fn delete_file(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which file of which version or candidate.")] input: DeleteFileInput,
    ) -> Result<DeleteFilePayload> {
        let mut change = change::of(ctx).await?;
        let (model, version) = (&input.model, input.version.as_deref());
        let (writer, target) =
            object::writable(&mut change, actor(ctx), model, version, input.candidate).await?;
        let file = rules::delete(&mut change, &writer, &target, &input.path).await?;
        change.commit().await?;
        Ok(DeleteFilePayload { file })
    }
}
