//! Parses the URLs of calls.

use std::net::IpAddr;

use super::failure::CallFailure;
use reqwest::Url;

const NOT_OF_THE_WEB: &str = "it must begin with http:// or https://";

/// The host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// A host name in lower case without a trailing dot, or an IP address in its canonical form.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Place {
    /// Returns the host and port of `url`, or `None` when it has none.
    pub(super) fn of(url: &Url) -> Option<Self> {
        Some(Self { host: plain(url.host_str()?), port: url.port_or_known_default()? })
    }

    /// Returns the IP address, when the host is one instead of a name.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// Parses a URL. It must be http or https, without user name and password.
pub(super) fn read(text: &str) -> Result<Url, CallFailure> {
    // The parser repairs incomplete URLs and would then take a path for the host.
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(CallFailure::Address(NOT_OF_THE_WEB.to_owned()));
    }
    checked(Url::parse(text).map_err(|cause| CallFailure::Address(cause.to_string()))?)
}

/// Resolves `location`, which may be relative, against `url`.
pub(super) fn join(url: &Url, location: &str) -> Result<Url, CallFailure> {
    checked(url.join(location).map_err(|cause| CallFailure::Address(cause.to_string()))?)
}

fn checked(url: Url) -> Result<Url, CallFailure> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(CallFailure::Address(NOT_OF_THE_WEB.to_owned()));
    }
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if has_credentials {
        return Err(CallFailure::Address("it must not hold a user name or a password".to_owned()));
    }
    Ok(url)
}

/// Returns a host name in the form that `Place` has, or `None` for other text.
pub(super) fn name_of(text: &str) -> Option<String> {
    if text.contains(['/', '\\', '?', '#', '@', ':']) {
        return None;
    }
    let url = Url::parse(&format!("http://{text}/")).ok()?;
    url.host_str().map(plain)
}

fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_owned()
}
