//! How an object store is reached: a bucket of S3 or of what speaks as it does, a container of Azure's Blob Storage, or a
//! bucket of Google's Cloud Storage.
//!
//! The client's own limits of time are off, since they count the body: they would end every long download, and every large
//! part on a slow line. Whoever asks has limits of their own.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::prefix::PrefixStore;
use object_store::signer::Signer;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use openidconnect::url::Url;

use super::address::{Service, Storage};
use crate::error::{Error, Result};

/// A bucket, or a folder of it.
pub(super) struct Reached {
    pub objects: Arc<dyn ObjectStore>,
    /// The same objects, of which parts can be sent one by one.
    pub multipart: Arc<dyn MultipartStore>,
    /// Makes addresses by which clients get objects themselves; none where an address cannot say what the answer is like.
    pub signer: Option<Arc<dyn Signer>>,
}

impl Reached {
    fn new<T: ObjectStore + MultipartStore>(objects: T, storage: &Storage) -> Self {
        let objects = Arc::new(PrefixStore::new(objects, storage.prefix.as_str()));
        Self { multipart: objects.clone(), objects, signer: None }
    }

    fn signed_by<T: ObjectStore + Signer>(self, signer: T, storage: &Storage) -> Self {
        let signer = Arc::new(PrefixStore::new(signer, storage.prefix.as_str()));
        Self { signer: Some(signer), ..self }
    }
}

pub(super) fn connect(storage: &Storage) -> Result<Reached> {
    // Only the first of a process is taken; it is this one anyway.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let reached = match storage.service {
        Service::S3 => s3(storage),
        Service::Azure => azure(storage),
        Service::Google => google(storage),
    };
    reached.map_err(|error| unusable(&storage.to_string(), storage.service, &error))
}

/// Says plainly why an object store cannot be used.
pub(super) fn unusable(name: &str, service: Service, error: &dyn Display) -> Error {
    let keys = service.keys();
    let reason = format!(
        "{name} cannot be used. Check the address, and that the environment has {keys}. {error}"
    );
    Error::invalid("--storage", reason)
}

fn options(endpoint: Option<&Url>) -> ClientOptions {
    let is_plain = endpoint.is_some_and(|url| url.scheme() == "http");
    ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(Duration::from_secs(5))
        .with_allow_http(is_plain)
}

/// Somebody waits behind it.
fn retry() -> RetryConfig {
    RetryConfig { max_retries: 4, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() }
}

/// An endpoint as the clients take it.
fn trimmed(endpoint: &Url) -> &str {
    endpoint.as_str().trim_end_matches('/')
}

fn s3(storage: &Storage) -> object_store::Result<Reached> {
    let objects = s3_at(storage, storage.endpoint.as_ref())?.build()?;
    // The host is part of what is signed.
    let signer = match &storage.public_endpoint {
        None => objects.clone(),
        Some(endpoint) => {
            let builder = s3_at(storage, Some(endpoint))?;
            builder.with_credentials(objects.credentials().clone()).build()?
        }
    };
    Ok(Reached::new(objects, storage).signed_by(signer, storage))
}

/// A bucket as it is reached at an endpoint.
fn s3_at(storage: &Storage, endpoint: Option<&Url>) -> object_store::Result<AmazonS3Builder> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&storage.bucket)
        .with_client_options(options(endpoint))
        .with_retry(retry())
        .with_virtual_hosted_style_request(storage.virtual_host)
        // Some gateways answer it in a way that cannot be read.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = endpoint {
        let mut endpoint = endpoint.clone();
        // The client takes such an endpoint for that of the bucket.
        if let Some(host) = endpoint.host_str().filter(|_| storage.virtual_host) {
            let host = format!("{}.{host}", storage.bucket);
            let set = endpoint.set_host(Some(&host));
            set.map_err(|error| object_store::Error::Generic {
                store: "S3",
                source: error.into(),
            })?;
        }
        builder = builder.with_endpoint(trimmed(&endpoint));
    }
    let of_endpoint = storage.endpoint.as_ref().map(|_| "us-east-1");
    Ok(match storage.region.as_deref().or(of_endpoint) {
        Some(region) => builder.with_region(region),
        None => builder,
    })
}

fn azure(storage: &Storage) -> object_store::Result<Reached> {
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(&storage.bucket)
        .with_client_options(options(storage.endpoint.as_ref()))
        .with_retry(retry());
    if let Some(endpoint) = &storage.endpoint {
        builder = builder.with_endpoint(trimmed(endpoint).to_owned());
    }
    Ok(Reached::new(builder.build()?, storage))
}

fn google(storage: &Storage) -> object_store::Result<Reached> {
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(&storage.bucket)
        .with_client_options(options(storage.endpoint.as_ref()))
        .with_retry(retry());
    if let Some(endpoint) = &storage.endpoint {
        builder = builder.with_base_url(trimmed(endpoint));
    }
    Ok(Reached::new(builder.build()?, storage))
}
