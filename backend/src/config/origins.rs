//! Allowed origins: whose pages may use the API in a browser (`--allowed-origins`).

use std::str::FromStr;

use super::public_url::PublicUrl;

/// An origin as browsers write it in `Origin`, or every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// All of them, without credentials.
    Any,
    /// `https://dash.example.org`, with the port if it is not the scheme's own.
    Exact(String),
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (_, after_scheme) = text.split_once("://").unwrap_or_default();
        if after_scheme.contains(['/', '*']) {
            return Err(
                "must be scheme, host and port, such as https://dash.example.org: no path and no *"
                    .to_owned(),
            );
        }
        text.parse::<PublicUrl>().map(|url| Self::Exact(url.origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact_or_any() {
        let parse = |text: &str| text.parse::<AllowedOrigin>();
        assert_eq!(parse("*"), Ok(AllowedOrigin::Any));
        for (text, origin) in [
            ("https://Dash.example.org", "https://dash.example.org"),
            ("https://dash.example.org:443", "https://dash.example.org"),
            ("http://localhost:3000", "http://localhost:3000"),
        ] {
            assert_eq!(parse(text), Ok(AllowedOrigin::Exact(origin.to_owned())), "{text}");
        }
        for wrong in [
            "null",
            "dash.example.org",
            "https://*.example.org",
            "https://a/",
            "https://a/b",
            "ftp://a",
            "",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
