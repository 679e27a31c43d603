//! The place that connections to a server go to, and the certificates that are accepted there.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::stream::Stream;

type Failure = Box<dyn std::error::Error>;

/// The maximum size of a file with certificates of authorities, in bytes.
const MAX_CA_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Clone)]
pub(crate) enum Remote {
    /// `host:port`, which is resolved for each connection.
    Named(String),
    /// Addresses that were resolved once, and the TLS of the server, if it has TLS.
    Resolved(Vec<SocketAddr>, Option<Tls>),
}

/// The TLS of a server: its name, and the authorities that may have issued its certificate.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Remote {
    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        let (tcp, tls) = match self {
            Self::Named(address) => (TcpStream::connect(address).await?, None),
            Self::Resolved(addresses, tls) => (TcpStream::connect(addresses.as_slice()).await?, tls.as_ref()),
        };
        tcp.set_nodelay(true)?;
        let Some(Tls { config, name }) = tls else { return Ok(Stream::Plain(tcp)) };
        let session = TlsConnector::from(config.clone()).connect(name.clone(), tcp).await?;
        Ok(Stream::Tls(Box::new(session)))
    }
}

impl Tls {
    /// Returns the TLS to a host. Accepts the authorities of this machine, and those in the PEM file `ca`.
    pub(crate) fn to(host: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("`{host}` is not a name for TLS"))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in ca.map(authorities).transpose()?.into_iter().flatten() {
            roots.add(certificate).map_err(|cause| format!("--ca has a certificate that cannot be used: {cause}"))?;
        }
        if roots.is_empty() {
            return Err("this machine has no certificates of authorities; name a file with them with --ca".into());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_root_certificates(roots);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // The users of a run are different clients, none of which has a ticket of another one.
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name })
    }

    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }
}

/// Reads the certificates in a PEM file.
fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let explain = |cause: &dyn std::fmt::Display| format!("{}: {cause}", file.display());
    let mut pem = Vec::new();
    let opened = File::open(file).map_err(|cause| explain(&cause))?;
    opened.take(MAX_CA_BYTES).read_to_end(&mut pem).map_err(|cause| explain(&cause))?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|cause| explain(&cause))?;
    if certificates.is_empty() {
        return Err(explain(&"the file has no certificate in PEM").into());
    }
    Ok(certificates)
}
