//! Files in GraphQL: where they are fetched, and deleting one.

use async_graphql::{ComplexObject, Context, InputObject, Object};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::sql::AddressOf;
use super::{File, rules};
use crate::access::actor;
use crate::change;
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::registry::{object, payload};

#[ComplexObject]
impl File {
    /// Where to GET the bytes: an address on this server.
    async fn download_url(&self, ctx: &Context<'_>) -> Result<String> {
        let owner = loaders(ctx).load_one(AddressOf(self.owner_id.clone())).await?;
        let address = owner.as_ref().and_then(|addresses| addresses.first());
        let address = address.ok_or_else(|| Error::internal("a file without its owner"))?;
        Ok(format!(
            "{}/files/{}/{}/{}/{}",
            loaders(ctx).loader().app.config.base(),
            address.project,
            encode(&address.model),
            encode(&address.reference),
            self.path.split('/').map(encode).collect::<Vec<_>>().join("/")
        ))
    }
}

fn encode(segment: &str) -> String {
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
    utf8_percent_encode(segment, KEPT).to_string()
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
