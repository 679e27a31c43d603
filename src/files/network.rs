//! The first steps of a store's test, below HTTP: name resolution, TCP connection, and TLS handshake.

use std::io;
use std::net::SocketAddr;

use quarterdeck_actors::storage::report::{Kind, Step, StepFailure};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, Error as TlsError};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::host_policy::{is_refusal, refused};
use super::objects::{StoreDescription, is_code};

/// Returns the addresses of the host.
pub(super) async fn resolve(endpoint: &Endpoint, about: &StoreDescription) -> Result<Vec<SocketAddr>, StepFailure> {
    let addresses = endpoint.policy.addresses(&endpoint.host, endpoint.port).await.map_err(|error| {
        if is_refusal(&error) { refused(Step::Resolve, about.place) } else { unknown_host(endpoint, about, &error) }
    })?;
    if addresses.is_empty() {
        let nothing = io::Error::from(io::ErrorKind::NotFound);
        return Err(unknown_host(endpoint, about, &nothing));
    }
    Ok(addresses)
}

fn unknown_host(endpoint: &Endpoint, about: &StoreDescription, error: &io::Error) -> StepFailure {
    StepFailure {
        step: Step::Resolve,
        kind: Kind::Other,
        code: None,
        cause: format!("the host name {} cannot be resolved: {error}", endpoint.host),
        remedy: format!("Check {}, and that this server can reach a DNS server.", about.place),
    }
}

/// Connects to the first address that accepts.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    endpoint: &Endpoint,
    about: &StoreDescription,
) -> Result<TcpStream, StepFailure> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(StepFailure {
        step: Step::Connect,
        kind: Kind::Other,
        code: code(&last).map(str::to_owned),
        cause: format!("no connection to {} on port {}: {last}", endpoint.host, endpoint.port),
        remedy: format!("Check host and port in {}, and that no firewall blocks the connection.", about.place),
    })
}

/// Returns the symbolic name of an I/O error, such as `EACCES`.
pub(super) fn code(error: &io::Error) -> Option<&'static str> {
    let errno = rustix::io::Errno::from_io_error(error)?;
    NAMES.iter().find(|(known, _)| *known == errno).map(|(_, name)| *name)
}

const NAMES: &[(rustix::io::Errno, &str)] = &[
    (rustix::io::Errno::ACCESS, "EACCES"),
    (rustix::io::Errno::PERM, "EPERM"),
    (rustix::io::Errno::ROFS, "EROFS"),
    (rustix::io::Errno::NOSPC, "ENOSPC"),
    (rustix::io::Errno::DQUOT, "EDQUOT"),
    (rustix::io::Errno::NOTDIR, "ENOTDIR"),
    (rustix::io::Errno::ISDIR, "EISDIR"),
    (rustix::io::Errno::EXIST, "EEXIST"),
    (rustix::io::Errno::NOENT, "ENOENT"),
    (rustix::io::Errno::LOOP, "ELOOP"),
    (rustix::io::Errno::NAMETOOLONG, "ENAMETOOLONG"),
    (rustix::io::Errno::MFILE, "EMFILE"),
    (rustix::io::Errno::IO, "EIO"),
    (rustix::io::Errno::STALE, "ESTALE"),
    (rustix::io::Errno::CONNREFUSED, "ECONNREFUSED"),
    (rustix::io::Errno::CONNRESET, "ECONNRESET"),
    (rustix::io::Errno::HOSTUNREACH, "EHOSTUNREACH"),
    (rustix::io::Errno::NETUNREACH, "ENETUNREACH"),
    (rustix::io::Errno::TIMEDOUT, "ETIMEDOUT"),
];

/// Performs a TLS handshake with the same certificate rules as later requests.
pub(super) async fn shake_hands(
    stream: TcpStream,
    endpoint: &Endpoint,
    about: &StoreDescription,
) -> Result<(), StepFailure> {
    let Some(rules) = endpoint.tls.clone() else { return Ok(()) };
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| {
        let remedy = format!("Check the host in {}.", about.place);
        failure(
            Some("InvalidName"),
            format!("{} is not a valid host name for a certificate: {error}", endpoint.host),
            remedy,
        )
    })?;
    TlsConnector::from(rules).connect(name, stream).await.map_err(|error| not_trusted(&error, endpoint, about))?;
    Ok(())
}

fn failure(code: Option<&str>, cause: String, remedy: String) -> StepFailure {
    StepFailure { step: Step::Tls, kind: Kind::Other, code: code.map(str::to_owned), cause, remedy }
}

fn not_trusted(error: &io::Error, endpoint: &Endpoint, about: &StoreDescription) -> StepFailure {
    let (host, port) = (&endpoint.host, endpoint.port);
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(TlsError::InvalidCertificate(reason)) => bad_certificate(reason, host, about),
        Some(TlsError::InvalidMessage(_)) => failure(
            Some("NotTls"),
            format!("{host} does not speak TLS on port {port}"),
            format!("Check the port in {}, or turn {} off.", about.place, about.tls),
        ),
        Some(TlsError::AlertReceived(alert)) => {
            let alert = format!("{alert:?}");
            failure(Some(&alert).filter(|alert| is_code(alert)).map(String::as_str), ended(host, port), no_tls(about))
        }
        Some(_) | None => failure(code(error), ended(host, port), no_tls(about)),
    }
}

fn ended(host: &str, port: u16) -> String {
    format!("{host} ended the TLS handshake on port {port}")
}

fn no_tls(about: &StoreDescription) -> String {
    format!("Check that it speaks TLS 1.2 or 1.3, or turn {} off.", about.tls)
}

fn bad_certificate(reason: &CertificateError, host: &str, about: &StoreDescription) -> StepFailure {
    let clock = "Renew the certificate of the endpoint, or correct the clock of this server.".to_owned();
    let is_expired = matches!(reason, CertificateError::Expired | CertificateError::ExpiredContext { .. });
    if is_expired {
        return failure(Some("CertificateExpired"), format!("the certificate of {host} has expired"), clock);
    }
    if matches!(reason, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) {
        return failure(Some("CertificateNotValidYet"), format!("the certificate of {host} is not valid yet"), clock);
    }
    if matches!(reason, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) {
        let remedy = format!("Set {} to a host name in the certificate.", about.place);
        return failure(Some("NotValidForName"), format!("the certificate is not valid for {host}"), remedy);
    }
    let is_unknown = matches!(reason, CertificateError::UnknownIssuer);
    failure(
        Some(if is_unknown { "UnknownIssuer" } else { "InvalidCertificate" }),
        format!("the certificate of {host} is not signed by an authority that this system trusts"),
        "Add the authority to the root certificates of this system, or turn \
         ServiceSettings.EnableInsecureOutgoingConnections on to accept any certificate."
            .to_owned(),
    )
}
