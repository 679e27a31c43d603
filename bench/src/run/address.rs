//! The address of the server under test, and the rule that a server of another machine is loaded only with permission.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Url};
use tokio::net::lookup_host;

use crate::remote::{Remote, Tls};

type Failure = Box<dyn std::error::Error>;

/// The timeout of a request that prepares a run or cleans up after it.
const SETUP_TIMEOUT: Duration = Duration::from_mins(1);

/// An address that was resolved once. All connections of the run go to the resolved addresses.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) url: Url,
    pub(crate) resolved: Vec<SocketAddr>,
    /// The value of the `Host` header.
    pub(crate) host: String,
    /// The path of the site without a slash at its end; empty for a site at `/`.
    pub(crate) prefix: String,
    /// The TLS of the server, if its scheme is `https`.
    pub(crate) tls: Option<Tls>,
}

impl Address {
    /// Reads a URL and resolves its host. The certificate of an `https` host may be of an authority in the file `ca`.
    pub(crate) async fn resolve(text: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let url = Url::parse(text).map_err(|cause| format!("`{text}` is not the URL of a server: {cause}"))?;
        let is_secure = url.scheme() == "https";
        if !is_secure && url.scheme() != "http" {
            let scheme = url.scheme();
            return Err(format!("`{scheme}` is not the scheme of a server: write http:// or https://host:port").into());
        }
        let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
        if has_more || url.password().is_some() {
            return Err(format!("`{text}` has more than host, port and path").into());
        }
        let name = url.host_str().ok_or("the URL has no host")?.to_owned();
        let port = url.port_or_known_default().ok_or("the URL has no port")?;
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let resolved: Vec<SocketAddr> =
            lookup_host((bare, port)).await.map_err(|cause| format!("{name} cannot be resolved: {cause}"))?.collect();
        if resolved.is_empty() {
            return Err(format!("{name} has no address").into());
        }
        let host = url.port().map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
        let prefix = url.path().trim_end_matches('/').to_owned();
        let tls = is_secure.then(|| Tls::to(bare, ca)).transpose()?;
        Ok(Self { url, resolved, host, prefix, tls })
    }

    /// Refuses an address that another machine may have, unless the operator says that the server is theirs.
    pub(crate) fn permit(&self, operates: bool) -> Result<(), Failure> {
        if operates || self.is_loopback() {
            return Ok(());
        }
        let others = self.resolved.iter().filter(|address| !address.ip().to_canonical().is_loopback());
        let others: Vec<String> = others.map(|address| address.ip().to_string()).collect();
        Err(format!(
            "{} resolves to {}, which is not this machine. If you operate that server and may load it, add --i-operate-this-server",
            self.host,
            others.join(", ")
        )
        .into())
    }

    /// Returns true if every resolved address is one of this machine only.
    pub(crate) fn is_loopback(&self) -> bool {
        self.resolved.iter().all(|address| address.ip().to_canonical().is_loopback())
    }

    /// Returns the URL of a path of the API.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}://{}{}/api/v4{path}", self.url.scheme(), self.host, self.prefix)
    }

    /// Returns the place that the connections of the run go to.
    pub(crate) fn remote(&self) -> Remote {
        Remote::Resolved(self.resolved.clone(), self.tls.clone())
    }

    /// Returns a client for the requests that prepare a run. It uses no proxy and only the resolved addresses.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let builder = Client::builder().no_proxy().timeout(SETUP_TIMEOUT);
        let builder = match self.url.domain() {
            Some(domain) => builder.resolve_to_addrs(domain, &self.resolved),
            None => builder,
        };
        let builder = match &self.tls {
            Some(tls) => builder.tls_backend_preconfigured(tls.config().clone()),
            None => builder,
        };
        Ok(builder.redirect(reqwest::redirect::Policy::none()).build()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_of_another_machine_needs_permission() {
        for text in ["http://127.0.0.1:8065", "http://localhost:8065/chat/", "http://[::1]:1", "http://127.9.9.9"] {
            let address = Address::resolve(text, None).await.unwrap();
            assert!(address.permit(false).is_ok(), "{text}");
        }
        for text in ["http://192.0.2.1:8065", "http://[2001:db8::1]:8065", "http://0.0.0.0:1"] {
            let address = Address::resolve(text, None).await.unwrap();
            let refused = address.permit(false).unwrap_err().to_string();
            assert!(refused.contains("--i-operate-this-server"), "{refused}");
            assert!(address.permit(true).is_ok(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_with_one_address_elsewhere_is_refused() {
        let mut address = Address::resolve("http://127.0.0.1:8065", None).await.unwrap();
        address.resolved.push("192.0.2.1:8065".parse().unwrap());
        assert!(!address.is_loopback() && address.permit(false).is_err());
    }

    #[tokio::test]
    async fn an_address_is_host_port_and_path() {
        let address = Address::resolve("http://localhost:8065/chat/", None).await.unwrap();
        assert_eq!(address.api("/system/ping"), "http://localhost:8065/chat/api/v4/system/ping");
        for broken in ["localhost:8065", "ftp://localhost", "http://localhost/?a=b", "http://a:b@localhost", "nothing"]
        {
            assert!(Address::resolve(broken, None).await.is_err(), "{broken}");
        }
    }
}
