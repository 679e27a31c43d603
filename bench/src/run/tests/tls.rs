//! A server with TLS: its certificate is checked once before the load, and connections are kept.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::compare::Folder;
use crate::run::address::Address;
use crate::run::attack::Hostile;
use crate::run::target::Target;

/// An authority with the folder that holds its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: Folder,
}

impl Authority {
    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = Folder::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns the TLS of a server with a certificate for `name`, which ends at the beginning of a year.
    fn server(&self, name: &str, end: i32) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(end, 1, 1));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }
}

#[tokio::test]
async fn each_user_keeps_one_connection_with_a_full_handshake() {
    let authority = Authority::named("known");
    let stub = Stub::start_tls(Behaviour::default(), authority.server("localhost", 4000));
    let url = format!("https://localhost:{}", stub.address.port());
    let address = Address::resolve(&url, Some(&authority.file())).await.unwrap();
    let plan = Plan { remote: address.remote(), warmup: Duration::ZERO, ..plan(&stub, Pace::Closed, 4) };
    let (run, _) = once(&plan).await;
    let recorder = run.recorder.borrow();
    assert!(recorder.total.count > 4 && recorder.total.failed() == 0, "{:?}", recorder.total.failures);
    assert_eq!((recorder.connections, stub.handshakes(), stub.resumed()), (4, 4, 0));
}

#[tokio::test]
async fn a_refused_certificate_is_an_error_before_the_load() {
    let (known, unknown) = (Authority::named("known"), Authority::named("unknown"));
    for (server, ca, cause) in [
        (known.server("localhost", 4000), unknown.file(), "no authority that this machine knows has issued it."),
        (known.server("elsewhere.invalid", 4000), known.file(), "is only valid for"),
        (known.server("localhost", 2001), known.file(), "expired"),
    ] {
        let stub = Stub::start_tls(Behaviour::default(), server);
        let url = format!("https://localhost:{}/", stub.address.port());
        let refused = Target::running(&url, Some(&ca), None, false).await.err().unwrap().to_string();
        assert!(refused.starts_with(&format!("the certificate of {url} is refused: ")), "{refused}");
        assert!(refused.contains(cause), "{refused}");
        assert_eq!(stub.received(), 0);
    }
}

#[tokio::test]
async fn a_server_with_tls_is_described_and_one_without_is_told() {
    let authority = Authority::named("known");
    let stub = Stub::start_tls(Behaviour::default(), authority.server("127.0.0.1", 4000));
    let url = format!("https://{}", stub.address);
    let target = Target::running(&url, Some(&authority.file()), None, false).await.unwrap();
    assert!(target.facts.tls.as_ref().unwrap().starts_with("TLS 1.3, TLS13_"), "{:?}", target.facts.tls);
    let plain = Stub::start(Behaviour::default());
    let url = format!("https://{}/", plain.address);
    let refused = Target::running(&url, Some(&authority.file()), None, false).await.err().unwrap().to_string();
    assert_eq!(refused, format!("{url} does not answer with TLS; is it an http address?"));
}

#[tokio::test]
async fn a_server_with_tls_is_not_attacked() {
    let authority = Authority::named("known");
    let address = Address::resolve("https://127.0.0.1:1", Some(&authority.file())).await.unwrap();
    assert!(Hostile::permit(&address).unwrap_err().to_string().contains("no TLS"));
}

#[tokio::test]
async fn a_file_of_authorities_has_certificates() {
    let folder = Folder::new().unwrap();
    for (name, content, cause) in [
        ("absent", None, "No such file"),
        ("empty", Some(""), "no certificate in PEM"),
        ("cut", Some("-----BEGIN CERTIFICATE-----\nMIIB\n"), "cut: "),
        ("other", Some("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), "cannot be used"),
    ] {
        let file = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let refused = Address::resolve("https://127.0.0.1:1", Some(&file)).await.unwrap_err().to_string();
        assert!(refused.contains(cause), "{name}: {refused}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_or_redirects_is_an_error_before_the_load() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    let refused = Target::running(&url, None, None, false).await.err().unwrap().to_string();
    assert!(refused.starts_with(&format!("{url} cannot be reached: ")), "{refused}");
    let stub = Stub::start(Behaviour { redirects: true, ..Behaviour::default() });
    let url = format!("http://{}/", stub.address);
    let refused = Target::running(&url, None, None, false).await.err().unwrap().to_string();
    assert_eq!(refused, format!("{url} redirects a ping to https://chat.invalid/; name the address that answers"));
}
