//! Tags in GraphQL: what sets and removes them.

use async_graphql::{Context, InputObject, Object};

use super::{Tag, TagInput, rules};
use crate::access::actor;
use crate::change;
use crate::error::Result;
use crate::registry::{object, payload};

/// A tag to set on a model or, with `version` or `candidate`, on one of its versions or candidates.
#[derive(InputObject)]
pub struct SetTagInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: Option<String>,
    /// The number of the candidate.
    candidate: Option<i32>,
    /// The key, 1–255 characters.
    key: String,
    /// The value, at most 100,000 characters.
    value: String,
}

/// A tag to remove from a model or, with `version` or `candidate`, from one of its versions or candidates.
#[derive(InputObject)]
pub struct DeleteTagInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: Option<String>,
    /// The number of the candidate.
    candidate: Option<i32>,
    /// The key.
    key: String,
}

payload! {
    /// The tag that was set.
    SetTagPayload {
        /// The tag.
        tag: Tag
    }
}

payload! {
    /// The tag that was removed.
    DeleteTagPayload {
        /// The tag as it was.
        tag: Tag
    }
}

#[derive(Default)]
pub struct TagMutation;

#[Object]
impl TagMutation {
    /// Sets a tag on a model, version or candidate; an earlier value is replaced.
    async fn set_tag(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which object, key and value.")] input: SetTagInput,
    ) -> Result<SetTagPayload> {
        let mut change = change::of(ctx).await?;
        let (model, version) = (&input.model, input.version.as_deref());
        let (writer, target) =
            object::writable(&mut change, actor(ctx), model, version, input.candidate).await?;
        let tag = TagInput { key: input.key, value: input.value };
        let tag = rules::set(&mut change, &writer, &target, tag).await?;
        change.commit().await?;
        Ok(SetTagPayload { tag })
    }

    /// Removes a tag from a model, version or candidate.
    async fn delete_tag(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which object and key.")] input: DeleteTagInput,
    ) -> Result<DeleteTagPayload> {
        let mut change = change::of(ctx).await?;
        let (model, version) = (&input.model, input.version.as_deref());
        let (writer, target) =
            object::writable(&mut change, actor(ctx), model, version, input.candidate).await?;
        let tag = rules::delete(&mut change, &writer, &target, &input.key).await?;
        change.commit().await?;
        Ok(DeleteTagPayload { tag })
    }
}
