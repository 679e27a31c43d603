//! The first contact with a server that runs already: a wrong address or certificate is one error, not one for each
//! request.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::LOCATION;
use tokio::time::timeout;

use super::address::Address;

type Failure = Box<dyn Error>;

/// The timeout of the first connection, and of the ping after it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of characters of a text of a server that is shown.
const MAX_TEXT: usize = 100;

/// A server that answered.
pub(crate) struct Reached {
    /// The version in the header of a ping.
    pub(crate) version: Option<String>,
    /// The version of TLS and the cipher suite, if the server has TLS.
    pub(crate) tls: Option<String>,
}

/// Connects and sends a ping. Any response without a redirect is a server.
pub(crate) async fn reach(address: &Address) -> Result<Reached, Failure> {
    let url = &address.url;
    let connected = timeout(TIMEOUT, address.remote().connect()).await;
    let connected = connected.map_err(|_| format!("{url} cannot be reached: no connection within {TIMEOUT:?}"))?;
    let tls = connected.map_err(|error| not_connected(address, &error))?.tls();
    let ping = address.client()?.get(address.api("/system/ping")).timeout(TIMEOUT);
    let response = ping.send().await.map_err(|error| format!("{url} does not answer a ping: {}", cause(&error)))?;
    if response.status().is_redirection() {
        let place = header(&response, LOCATION.as_str()).unwrap_or_else(|| "another address".to_owned());
        return Err(format!("{url} redirects a ping to {place}; name the address that answers").into());
    }
    Ok(Reached { version: header(&response, "x-version-id"), tls })
}

fn header(response: &Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?.to_str().ok()?;
    Some(value.chars().filter(|letter| !letter.is_control()).take(MAX_TEXT).collect())
}

fn not_connected(address: &Address, error: &io::Error) -> String {
    let url = &address.url;
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => format!(
            "the certificate of {url} is refused: no authority that this machine knows has issued it. If one of yours has, name the file with its certificate with --ca"
        ),
        Some(rustls::Error::InvalidCertificate(cause)) => format!("the certificate of {url} is refused: {cause}"),
        Some(rustls::Error::InvalidMessage(_)) => format!("{url} does not answer with TLS; is it an http address?"),
        _ => format!("{url} cannot be reached: {error}"),
    }
}

/// Returns the innermost cause of an error.
fn cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
