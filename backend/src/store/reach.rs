//! How an object store is reached: a bucket of S3 or of what speaks as it does, a container of Azure's Blob Storage, or a
//! bucket of Google's Cloud Storage.
//!
//! The client's own limits of time are off, since they count the body: they would end every long download, and every large
//! part on a slow line. Whoever asks has limits of their own.

use std::fmt::Display;
use std::str::FromStr;
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

use super::address::{Bucket, Service};
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
    fn new<T: ObjectStore + MultipartStore>(objects: T, bucket: &Bucket) -> Self {
        let objects = Arc::new(PrefixStore::new(objects, bucket.prefix.as_str()));
        Self { multipart: objects.clone(), objects, signer: None }
    }

    fn signed_by<T: ObjectStore + Signer>(self, signer: T, bucket: &Bucket) -> Self {
        let signer = Arc::new(PrefixStore::new(signer, bucket.prefix.as_str()));
        Self { signer: Some(signer), ..self }
    }
}

pub(super) fn connect(bucket: &Bucket) -> Result<Reached> {
    // Only the first of a process is taken; it is this one anyway.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let reached = match bucket.service {
        Service::S3 => s3(bucket),
        Service::Azure => azure(bucket),
        Service::Google => google(bucket),
    };
    reached.map_err(|error| unusable(bucket, &error))
}

/// Says plainly why an object store cannot be used.
pub(super) fn unusable(bucket: &Bucket, error: &dyn Display) -> Error {
    let keys = bucket.service.keys();
    let behind = bucket.env.as_ref().map(|env| format!(", each name behind {env}_"));
    let behind = behind.unwrap_or_default();
    let reason = format!(
        "{bucket} cannot be used. Check the address, and that the environment has {keys}{behind}. {error}"
    );
    Error::invalid("--storage", reason)
}

/// What the environment says of a bucket that has variables of its own.
fn environment<K: FromStr>(prefix: &str) -> Vec<(K, String)> {
    let all = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        let name = name.strip_prefix(prefix)?.strip_prefix('_')?;
        Some((name.to_ascii_lowercase().parse().ok()?, value))
    });
    all.collect()
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

fn s3(bucket: &Bucket) -> object_store::Result<Reached> {
    let objects = s3_at(bucket, bucket.endpoint.as_ref())?.build()?;
    // The host is part of what is signed.
    let signer = match &bucket.public_endpoint {
        None => objects.clone(),
        Some(endpoint) => {
            let builder = s3_at(bucket, Some(endpoint))?;
            builder.with_credentials(objects.credentials().clone()).build()?
        }
    };
    Ok(Reached::new(objects, bucket).signed_by(signer, bucket))
}

/// A bucket as it is reached at an endpoint.
fn s3_at(bucket: &Bucket, endpoint: Option<&Url>) -> object_store::Result<AmazonS3Builder> {
    let keys = match &bucket.env {
        None => AmazonS3Builder::from_env(),
        Some(env) => environment(env)
            .into_iter()
            .fold(AmazonS3Builder::new(), |keys, (name, value)| keys.with_config(name, value)),
    };
    let mut builder = keys
        .with_bucket_name(&bucket.name)
        .with_client_options(options(endpoint))
        .with_retry(retry())
        .with_virtual_hosted_style_request(bucket.virtual_host)
        // Some gateways answer it in a way that cannot be read.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = endpoint {
        let mut endpoint = endpoint.clone();
        // The client takes such an endpoint for that of the bucket.
        if let Some(host) = endpoint.host_str().filter(|_| bucket.virtual_host) {
            let host = format!("{}.{host}", bucket.name);
            let set = endpoint.set_host(Some(&host));
            set.map_err(|error| object_store::Error::Generic {
                store: "S3",
                source: error.into(),
            })?;
        }
        builder = builder.with_endpoint(trimmed(&endpoint));
    }
    let of_endpoint = bucket.endpoint.as_ref().map(|_| "us-east-1");
    Ok(match bucket.region.as_deref().or(of_endpoint) {
        Some(region) => builder.with_region(region),
        None => builder,
    })
}

fn azure(bucket: &Bucket) -> object_store::Result<Reached> {
    let keys = match &bucket.env {
        None => MicrosoftAzureBuilder::from_env(),
        Some(env) => environment(env)
            .into_iter()
            .fold(MicrosoftAzureBuilder::new(), |keys, (name, value)| {
                keys.with_config(name, value)
            }),
    };
    let mut builder = keys
        .with_container_name(&bucket.name)
        .with_client_options(options(bucket.endpoint.as_ref()))
        .with_retry(retry());
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(trimmed(endpoint).to_owned());
    }
    Ok(Reached::new(builder.build()?, bucket))
}

fn google(bucket: &Bucket) -> object_store::Result<Reached> {
    let keys = match &bucket.env {
        None => GoogleCloudStorageBuilder::from_env(),
        Some(env) => environment(env)
            .into_iter()
            .fold(GoogleCloudStorageBuilder::new(), |keys, (name, value)| {
                keys.with_config(name, value)
            }),
    };
    let mut builder = keys
        .with_bucket_name(&bucket.name)
        .with_client_options(options(bucket.endpoint.as_ref()))
        .with_retry(retry());
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_base_url(trimmed(endpoint));
    }
    Ok(Reached::new(builder.build()?, bucket))
}
