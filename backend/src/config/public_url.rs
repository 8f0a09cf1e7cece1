//! The public URL: where users see this server, perhaps below a path that it shares a host with others by.

use std::fmt;
use std::str::FromStr;

/// `https://models.example.org`, or below a path, `https://example.org/registry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// Scheme, host and port, as browsers write them in `Origin`.
    pub origin: String,
    /// What every path begins with: empty, or `/registry`.
    pub base: String,
}

impl PublicUrl {
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let port = match scheme.as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => return Err("must begin with http:// or https://".to_owned()),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host.to_ascii_lowercase();
        if host.is_empty() || host.contains(['?', '#', '@', ' ']) {
            return Err("must have a host, optionally with a port and a path".to_owned());
        }
        let path = path.trim_end_matches('/');
        let is_segment = |segment: &str| {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
            segment.bytes().all(good) && !matches!(segment, "" | "." | "..")
        };
        if !path.is_empty() && !path.split('/').all(is_segment) {
            return Err("can only have A-Z, a-z, 0-9, -, _, . and ~ in its path".to_owned());
        }
        if model_registry_names::is_reserved(path.split('/').next().unwrap_or_default()) {
            return Err(format!(
                "can't have the path /{path}, which the server uses itself: choose another path"
            ));
        }
        let base = if path.is_empty() { String::new() } else { format!("/{path}") };
        let host = host.strip_suffix(port).unwrap_or(&host);
        Ok(Self { origin: format!("{scheme}://{host}"), base })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_written_as_browsers_do() {
        for (text, origin, base) in [
            ("https://Models.example.org:443/", "https://models.example.org", ""),
            ("http://localhost:8080", "http://localhost:8080", ""),
            ("HTTPS://example.org/Registry/", "https://example.org", "/Registry"),
            ("https://example.org:8443/ml/models", "https://example.org:8443", "/ml/models"),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.origin.as_str(), url.base.as_str()), (origin, base), "{text}");
            assert_eq!(url.to_string(), format!("{origin}{base}"));
        }
        for wrong in [
            "models.example.org",
            "https://",
            "ftp://a",
            "https://u@a",
            "https://a?b",
            "https://a/b?c",
            "https://a/b//c",
            "https://a/../b",
            "https://a/b c",
            "https://a/%2e",
            "https://a/files",
            "https://a/graphql/x",
        ] {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
    }
}
