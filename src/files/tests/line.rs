//! Tests with hosts that are missing, do not respond, or have a wrong certificate.

use std::sync::Arc;
use std::time::Duration;

use quarterdeck_actors::storage::report::{Kind, Report, Step};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::support::{expect_failure, install_cryptography, passed, probed, probed_within, s3_at};
use crate::files::Limits;

#[tokio::test]
async fn a_name_without_an_address_fails_at_the_name() {
    let report = probed(&s3_at("nowhere.invalid")).await;
    expect_failure(&report, Step::Resolve, Kind::Other, None, "FileSettings.AmazonS3Endpoint");
}

#[tokio::test]
async fn a_host_that_refuses_fails_at_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let report = probed(&s3_at(&address)).await;
    expect_failure(&report, Step::Connect, Kind::Other, Some("ECONNREFUSED"), "firewall");
}

#[tokio::test]
async fn a_host_that_hangs_fails_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = Limits { step: Duration::from_millis(100), whole: Duration::from_secs(1) };
    let report = probed_within(&s3_at(&listener.local_addr().unwrap().to_string()), limits).await;
    expect_failure(&report, Step::Authenticate, Kind::Other, Some("Timeout"), "FileSettings.AmazonS3Endpoint");
    assert!(report.duration_ms < 1000, "{report:?}");
}

#[tokio::test]
async fn the_request_timeout_counts_where_it_is_shorter() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = s3_at(&listener.local_addr().unwrap().to_string());
    settings.amazon_s3_request_timeout_milliseconds = 50;
    let report = probed(&settings).await;
    expect_failure(&report, Step::Authenticate, Kind::Other, Some("Timeout"), "delays its responses");
}

#[tokio::test]
async fn a_certificate_that_has_expired_fails_at_tls() {
    let report = over_tls(1990, |_| {}).await;
    expect_failure(&report, Step::Tls, Kind::Other, Some("CertificateExpired"), "Renew");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_fails_at_tls_unless_none_is_checked() {
    let report = over_tls(2000, |_| {}).await;
    expect_failure(&report, Step::Tls, Kind::Other, Some("UnknownIssuer"), "EnableInsecureOutgoingConnections");
    let report = over_tls(2000, |settings| settings.skip_certificate_check = true).await;
    assert!(passed(&report).contains(&"tls"), "{report:#?}");
    expect_failure(&report, Step::Bucket, Kind::Missing, Some("NoSuchBucket"), "FileSettings.AmazonS3Bucket");
}

#[tokio::test]
async fn plain_text_to_a_port_that_expects_tls_is_recognised() {
    let report = over_tls(2000, |settings| settings.amazon_s3_ssl = false).await;
    expect_failure(&report, Step::Authenticate, Kind::Other, None, "turn FileSettings.AmazonS3SSL on");
}

#[tokio::test]
async fn a_port_without_tls_fails_at_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = s3_at(&listener.local_addr().unwrap().to_string());
    settings.amazon_s3_ssl = true;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let report = probed(&settings).await;
    expect_failure(&report, Step::Tls, Kind::Other, Some("NotTls"), "FileSettings.AmazonS3SSL");
}

#[tokio::test]
async fn another_region_is_named_or_followed() {
    let answers = [moved(), moved(), missing()];
    let report = answered(answers.to_vec(), |settings| settings.amazon_s3_region = "us-west-2".to_owned()).await;
    expect_failure(&report, Step::Bucket, Kind::Other, Some("PermanentRedirect"), "eu-central-1");
    let report = answered([moved(), missing()].to_vec(), |_| {}).await;
    expect_failure(&report, Step::Bucket, Kind::Missing, Some("NoSuchBucket"), "FileSettings.AmazonS3Bucket");
}

#[tokio::test]
async fn keys_and_regions_that_no_request_can_carry_reach_no_host() {
    for key in ["AKIA\nEXAMPLE", "AKIAEXAMPLE\u{200b}", "AKIAÉXAMPLE"] {
        let report = answered(vec![missing()], |settings| settings.amazon_s3_access_key_id = key.to_owned()).await;
        expect_failure(&report, Step::Settings, Kind::Unusable, None, "FileSettings.AmazonS3AccessKeyId");
    }
    for region in ["eu\u{a0}west", "eu\n", "evil.example/", "x@evil.example"] {
        let region = format!("a{region}b");
        let report = answered(vec![missing()], |settings| settings.amazon_s3_region = region).await;
        expect_failure(&report, Step::Settings, Kind::Unusable, None, "FileSettings.AmazonS3Region");
    }
}

#[tokio::test]
async fn of_what_a_store_says_little_is_shown() {
    let long = "x".repeat(1 << 20);
    for answer in [refusal("403 Forbidden", &long, ""), with_body("200 OK", "", &format!("<x long=\"{long}\"/>"))] {
        let report = answered(vec![answer], |_| {}).await;
        let shown = serde_json::to_string(&report).unwrap();
        assert!(!report.is_ok() && shown.len() < 4096, "{} bytes", shown.len());
    }
}

/// The response of a host that hands out credentials. No report may repeat any of it.
const CANARY: &str = "AKIACANARY/canary-secret";

#[tokio::test]
async fn nothing_that_a_host_says_is_repeated() {
    let json = format!("{{\"SecretAccessKey\":\"{CANARY}\"}}");
    for text in [
        with_body("200 OK", &format!("x-secret: {CANARY}\r\n"), &json),
        with_body("200 OK", "", CANARY),
        with_body("404 Not Found", "", &json),
        with_body("500 Oops", &format!("x-amz-request-id: {CANARY}\r\n"), &format!("<{}>", CANARY.replace('/', "-"))),
        refusal("403 Forbidden", CANARY, ""),
        with_body("403 Forbidden", "", &format!("<Error><Code>AccessDenied</Code><Message>{CANARY}</Message></Error>")),
        with_body("301 Moved", &format!("location: http://169.254.169.254/{CANARY}\r\n"), ""),
        refusal("301 Moved", "PermanentRedirect", &format!("x-amz-bucket-region: {CANARY}\r\n")),
        format!("{CANARY}\r\n\r\n"),
    ] {
        let report = answered(vec![text.clone(), text], |_| {}).await;
        let told = format!("{report:?}{}", serde_json::to_string(&report).unwrap());
        assert!(!report.is_ok() && !told.contains("canary") && !told.contains("CANARY"), "{told}");
    }
}

type Settings = quarterdeck_actors::storage::settings::StoreSettings;

/// Runs the test of a store whose TLS certificate is valid in `year` and which has no bucket.
async fn over_tls(year: i32, change: impl FnOnce(&mut Settings)) -> Report {
    install_cryptography();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    certificate.not_before = rcgen::date_time_ymd(year, 1, 1);
    certificate.not_after = rcgen::date_time_ymd(if year < 2000 { year + 1 } else { 4000 }, 1, 1);
    let certificate = certificate.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = s3_at(&format!("localhost:{}", listener.local_addr().unwrap().port()));
    settings.amazon_s3_ssl = true;
    change(&mut settings);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(answer(stream, missing()));
            }
        }
    });
    probed(&settings).await
}

/// Runs the test of a store that sends these responses, one on each connection.
pub(super) async fn answered(answers: Vec<String>, change: impl FnOnce(&mut Settings)) -> Report {
    let mut settings = s3_at(&served(answers).await);
    change(&mut settings);
    probed(&settings).await
}

/// Starts a server that sends these responses, one on each connection. Returns its address.
pub(super) async fn served(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        // The first connection belongs to the step that only connects.
        drop(listener.accept().await.unwrap());
        for text in answers {
            answer(listener.accept().await.unwrap().0, text).await;
        }
    });
    address
}

async fn answer(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, text: String) {
    let mut request = [0; 4096];
    if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

fn missing() -> String {
    refusal("404 Not Found", "NoSuchBucket", "")
}

fn moved() -> String {
    refusal("301 Moved Permanently", "PermanentRedirect", "x-amz-bucket-region: eu-central-1\r\n")
}

fn refusal(status: &str, code: &str, header: &str) -> String {
    with_body(status, header, &format!("<Error><Code>{code}</Code><Message>it says no</Message></Error>"))
}

pub(super) fn with_body(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{header}content-type: application/xml\r\nconnection: close\r\ncontent-length: \
         {length}\r\n\r\n{body}"
    )
}
