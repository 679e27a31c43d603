//! TLS with a certificate from a file.

use std::sync::Arc;

use quarterdeck::settings::Sources;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::TestServer;

pub(super) struct Certificate {
    pub(super) folder: tempfile::TempDir,
    der: rustls::pki_types::CertificateDer<'static>,
}

pub(super) fn certificate() -> Certificate {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    Certificate { folder, der: made.cert.der().clone() }
}

pub(super) fn settings(certificate: &Certificate, more: &str) -> String {
    let folder = certificate.folder.path().display();
    format!(
        "[ServiceSettings]\nConnectionSecurity = \"TLS\"\nTLSCertFile = \"{folder}/cert.pem\"\nTLSKeyFile = \"{folder}/key.pem\"\n{more}"
    )
}

pub(super) async fn connect(
    server: &TestServer,
    certificate: &Certificate,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_to(&server.server.addresses()[0].to_string(), certificate, versions).await
}

/// Connects to `host:port`. Fails unless the server has this certificate.
pub(super) async fn connect_to(
    address: &str,
    certificate: &Certificate,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let tcp = TcpStream::connect(address).await?;
    connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await
}

async fn ping(
    server: &TestServer,
    certificate: &Certificate,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<String> {
    let mut tls = connect(server, certificate, versions).await?;
    tls.write_all(b"GET /api/v4/system/ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[actix_web::test]
async fn a_server_with_a_certificate_answers_over_tls() {
    let certificate = certificate();
    let server = TestServer::start_with(&settings(&certificate, "")).await;
    assert!(server.base.starts_with("https://"));
    let answer = ping(&server, &certificate, &[&rustls::version::TLS12]).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[actix_web::test]
async fn a_client_below_the_minimum_version_is_turned_away() {
    let certificate = certificate();
    let server = TestServer::start_with(&settings(&certificate, "TLSMinVer = \"1.3\"\n")).await;
    ping(&server, &certificate, &[&rustls::version::TLS12]).await.unwrap_err();
    ping(&server, &certificate, &[&rustls::version::TLS13]).await.unwrap();
}

#[actix_web::test]
async fn a_missing_certificate_refuses_the_start_and_names_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let text = format!(
        "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nConnectionSecurity = \"TLS\"\nTLSCertFile = \"/nowhere\"\n[SqlSettings]\nDataSource = \"{0}/a.db\"\n[FileSettings]\nDirectory = \"{0}\"\n",
        folder.path().display()
    );
    std::fs::write(&file, text).unwrap();
    let sources = Sources::isolated(Some(file), Vec::new());
    let refusal = quarterdeck::server::Server::start(sources.load().unwrap(), sources).await.err().unwrap().to_string();
    assert!(
        refusal.contains("ServiceSettings.TLSCertFile is \"/nowhere\": TLS needs a certificate file that exists"),
        "{refusal}"
    );
}
