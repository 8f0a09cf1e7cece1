//! The address of an object store: a bucket, and where it is, as `--storage` says it.
//!
//! Keys and passwords are never part of it, since addresses are logged: they come from the environment, as the tools of
//! the cloud have them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use openidconnect::url::Url;

/// How large the parts of an upload are unless told, in MiB, and how large they can be.
const PART_MIB: u64 = 8;
const PARTS_MIB: RangeInclusive<u64> = 5..=128;

/// Who keeps the objects, or what speaks like them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    S3,
    Azure,
    Google,
}

impl Service {
    /// The beginning of an address.
    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "az",
            Self::Google => "gs",
        }
    }

    /// The variables with its keys.
    pub fn keys(self) -> &'static str {
        match self {
            Self::S3 => {
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_PROFILE and ~/.aws are not read)"
            }
            Self::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
            Self::Google => "GOOGLE_SERVICE_ACCOUNT",
        }
    }
}

/// A bucket or container, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub service: Service,
    pub name: String,
    /// What all keys begin with; may be empty.
    pub prefix: String,
    /// Where the service is, if not where its provider has it.
    pub endpoint: Option<Url>,
    /// Where clients reach it, if not there.
    pub public_endpoint: Option<Url>,
    pub region: Option<String>,
    /// Whether the bucket is part of the host name.
    pub virtual_host: bool,
    /// How large the parts of an upload are, in bytes.
    pub part_size: u64,
    /// What objects cost and how soon they are read, as the service calls it, such as `GLACIER_IR`.
    pub class: Option<String>,
    /// What the names of its variables begin with, where it has keys of its own: `ARCHIVE` of `ARCHIVE_AWS_ACCESS_KEY_ID`.
    pub env: Option<String>,
}

/// A class whose objects are read at once: others have to be asked for hours before.
fn class(service: Service, value: &str) -> Result<String, String> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if value.is_empty() || !value.bytes().all(is_word) {
        return Err("class: must be a storage class, such as GLACIER_IR or STANDARD_IA".to_owned());
    }
    match value.to_ascii_uppercase().as_str() {
        "GLACIER" | "DEEP_ARCHIVE" if service == Service::S3 => Err(format!(
            "class: objects of {value} can't be read at once. Choose another class, such as GLACIER_IR"
        )),
        _ => Ok(value.to_owned()),
    }
}

fn secret(service: Service) -> String {
    let keys = service.keys();
    format!("must have no key or password: addresses are logged. Set {keys} in the environment")
}

impl FromStr for Bucket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text.parse().map_err(|error| {
            format!("must be an address such as s3://BUCKET/PREFIX?endpoint=URL: {error}")
        })?;
        let services = [Service::S3, Service::Azure, Service::Google];
        let service = services.into_iter().find(|service| service.scheme() == url.scheme());
        let service = service.ok_or("must begin with s3://, az:// or gs://")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(secret(service));
        }
        let name = url.host_str().unwrap_or_default();
        if name.is_empty() || url.port().is_some() || url.fragment().is_some() {
            let scheme = service.scheme();
            return Err(format!("must be {scheme}://BUCKET or {scheme}://BUCKET/PREFIX"));
        }
        let mut bucket = Self {
            service,
            name: name.to_owned(),
            prefix: url.path().trim_matches('/').to_owned(),
            endpoint: None,
            public_endpoint: None,
            region: None,
            virtual_host: false,
            part_size: PART_MIB << 20,
            class: None,
            env: None,
        };
        for (name, value) in url.query_pairs() {
            bucket.set(&name, &value)?;
        }
        Ok(bucket)
    }
}

impl Bucket {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "region" | "virtual_host" | "public_endpoint" if self.service != Service::S3 => {
                return Err(format!("{name}: is for s3:// only"));
            }
            "endpoint" => self.endpoint = Some(self.endpoint(name, value)?),
            "public_endpoint" => self.public_endpoint = Some(self.endpoint(name, value)?),
            "region" => self.region = Some(value.to_owned()),
            "virtual_host" => {
                self.virtual_host =
                    value.parse().map_err(|_| "virtual_host: must be true or false")?;
            }
            "part" => {
                let mib = value.strip_suffix("MiB").and_then(|mib| mib.parse().ok());
                let mib: u64 = mib.filter(|mib| PARTS_MIB.contains(mib)).ok_or_else(|| {
                    format!("part: must be {}MiB to {}MiB", PARTS_MIB.start(), PARTS_MIB.end())
                })?;
                self.part_size = mib << 20;
            }
            // Azure's client takes none for what is sent in parts.
            "class" if self.service == Service::Azure => {
                return Err("class: is for s3:// and gs:// only".to_owned());
            }
            "class" => self.class = Some(class(self.service, value)?),
            "env" => {
                let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
                if value.is_empty() || !value.bytes().all(is_name) {
                    return Err(
                        "env: must be the beginning of names of variables, such as ARCHIVE"
                            .to_owned(),
                    );
                }
                self.env = Some(value.to_owned());
            }
            name if ["key", "secret", "token"].iter().any(|word| name.contains(word)) => {
                return Err(secret(self.service));
            }
            name => {
                return Err(format!(
                    "{name:?} is not known: there are endpoint, public_endpoint, region, virtual_host, part, class and env"
                ));
            }
        }
        Ok(())
    }

    fn endpoint(&self, name: &str, value: &str) -> Result<Url, String> {
        let wrong =
            || format!("{name}: must be https://HOST or, on a network that you trust, http://HOST");
        let url: Url = value.parse().map_err(|_| wrong())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(secret(self.service));
        }
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.has_host();
        match url.scheme() {
            "https" | "http" if is_plain => Ok(url),
            _ => Err(wrong()),
        }
    }
}

/// As it is told to people.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.service.scheme(), self.name)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_with_where_it_is() {
        let of = |text: &str| text.parse::<Bucket>();
        let plain = of("s3://models").unwrap();
        assert_eq!((&*plain.name, &*plain.prefix, plain.part_size), ("models", "", 8 << 20));
        assert_eq!(plain.to_string(), "s3://models");
        let whole = "s3://models/a/b/?endpoint=https://s3.example.org:9000&region=eu&part=16MiB&virtual_host=true\
                     &public_endpoint=https://files.example.org";
        let whole = of(whole).unwrap();
        assert_eq!((&*whole.prefix, whole.part_size, whole.virtual_host), ("a/b", 16 << 20, true));
        assert_eq!(whole.to_string(), "s3://models/a/b at https://s3.example.org:9000/");
        assert_eq!(whole.public_endpoint.unwrap().as_str(), "https://files.example.org/");
        let archive = of("s3://models?class=GLACIER_IR&env=ARCHIVE").unwrap();
        assert_eq!(
            (archive.class.as_deref(), archive.env.as_deref()),
            (Some("GLACIER_IR"), Some("ARCHIVE"))
        );
        let azure = of("az://models/a?endpoint=http://127.0.0.1:10000/account").unwrap();
        assert_eq!(azure.to_string(), "az://models/a at http://127.0.0.1:10000/account");
        assert_eq!(of("gs://models").unwrap().service, Service::Google);
        for wrong in [
            "models",
            "ftp://models",
            "s3://",
            "s3://key:secret@models",
            "s3://models?secret_access_key=x",
            "s3://models?endpoint=s3.example.org",
            "s3://models?endpoint=https://a:b@s3.example.org",
            "s3://models?public_endpoint=files.example.org",
            "s3://models?part=1MiB",
            "s3://models?virtual_host=yes",
            "s3://models?colour=red",
            "s3://models?class=DEEP_ARCHIVE",
            "s3://models?env=archive",
            "az://models?region=eu",
            "az://models?class=Cool",
            "gs://models?virtual_host=true",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
