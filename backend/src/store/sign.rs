//! Addresses by which whoever has them gets an object from the object store itself, for a while.

use std::time::Duration;

use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions};
use openidconnect::url::Url;

use super::{Kind, PATIENCE, Store, cloud};
use crate::error::Result;

impl Store {
    /// An address to get an object by, which is good for so long, or for as long as the credentials that it is signed with
    /// where that is shorter. The answer has these headers. None where that cannot be, such as of
    /// files in a folder.
    pub async fn sign(
        &self,
        key: &str,
        good_for: Duration,
        answer: &[(&str, &str)],
    ) -> Result<Option<Url>> {
        let Kind::Cloud { signer: Some(signer), .. } = &self.kind else { return Ok(None) };
        let answer = answer.iter().map(|(name, value)| (format!("response-{name}"), *value));
        let options = SignedUrlOptions::new().with_query(answer);
        let place = Path::from(key);
        let url = signer.signed_url_opts(Method::GET, &place, good_for, &options);
        cloud::within(PATIENCE, url).await.map(Some)
    }
}
