//! Tests of the check of certificates.

use super::tests::peer::{answer, receive, send};
use super::tests::*;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Starts a server with a self-signed certificate for `name`.
async fn start(name: &str) -> (u16, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = crate::base::trust::provider();
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    actix_web::rt::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // A client that rejects the certificate ends the handshake here.
            if let Ok(mut connection) = acceptor.accept(connection).await {
                receive(&mut connection).await;
                send(&mut connection, &answer(200, "well")).await;
            }
        }
    });
    (port, certificate)
}

fn believing(certificate: &CertificateDer<'static>) -> Outbound {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    with_roots(&["127.0.0.1"], roots)
}

#[actix_web::test]
async fn a_certificate_that_nobody_signed_is_refused_unless_the_settings_accept_it() {
    let (port, certificate) = start("chat.test").await;
    let url = format!("https://chat.test:{port}/");
    let without_root = outbound(&["127.0.0.1"]);
    let refused = without_root.call(get(&url), &settings("chat.test", false)).await.unwrap_err();
    assert!(matches!(&refused, CallFailure::Certificate { host, .. } if host == "chat.test"), "{refused}");
    assert!(refused.to_string().contains("ServiceSettings.EnableInsecureOutgoingConnections"), "{refused}");
    let accepted = without_root.call(get(&url), &settings("chat.test", true)).await.unwrap();
    assert_eq!(&accepted.body[..], b"well");
    believing(&certificate).call(get(&url), &settings("chat.test", false)).await.unwrap();
}

#[actix_web::test]
async fn a_certificate_must_be_for_the_name_that_was_called_not_for_where_it_leads() {
    let (port, certificate) = start("other.test").await;
    let outbound = believing(&certificate);
    let refused = outbound.call(get(&format!("https://chat.test:{port}/")), &service("127.0.0.1")).await.unwrap_err();
    assert!(matches!(refused, CallFailure::Certificate { .. }), "{refused}");
    for name in ["other.test", "OTHER.test."] {
        outbound.call(get(&format!("https://{name}:{port}/")), &service("127.0.0.1")).await.unwrap();
    }
}

#[actix_web::test]
async fn an_insecure_client_still_follows_the_address_policy() {
    let (port, _) = start("chat.test").await;
    let url = format!("https://chat.test:{port}/");
    let refused = outbound(&["127.0.0.1"]).call(get(&url), &settings("", true)).await.unwrap_err();
    assert!(matches!(refused, CallFailure::Internal(_)), "{refused}");
}
