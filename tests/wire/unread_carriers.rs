//! Responses that are sent before their request was read, over TLS and over the local socket.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, interval, timeout};

use super::tls::{Certificate, certificate, connect, settings};
use crate::support::TestServer;

/// Within this time each such connection is closed for good. The server takes 2 s, and the machine may be busy.
const GONE: Duration = Duration::from_secs(8);

/// The timeout of a wait for a response.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Requests whose response does not wait for the body, with the status: an endless body, an announced body that is not
/// sent, and a body that is larger than what the server discards.
const REFUSED: [(&str, &str, &str); 3] = [
    ("POST /api/v4/nothing", "Transfer-Encoding: chunked", "HTTP/1.1 404"),
    ("POST /api/v4/nothing", "Content-Length: 1000", "HTTP/1.1 404"),
    ("POST /api/v4/nothing", "Content-Length: 2000000", "HTTP/1.1 404"),
];

/// Requests that are refused only without a session.
const REFUSED_WITHOUT_SESSION: [(&str, &str, &str); 3] = [
    ("PUT /api/v4/config", "Transfer-Encoding: chunked", "HTTP/1.1 401"),
    ("PUT /api/v4/config", "Content-Length: 2000000", "HTTP/1.1 401"),
    ("POST /api/v4/users/login", "Content-Length: 300000", "HTTP/1.1 413"),
];

/// Sends the request, reads the response to its end, and then sends until the connection is closed.
///
/// `early` bytes of the body are sent before the response is read.
async fn is_refused_and_closed(
    connection: impl AsyncRead + AsyncWrite + Unpin,
    (line, body, status): (&str, &str, &str),
    early: usize,
) {
    let (mut input, mut output) = tokio::io::split(connection);
    let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{body}\r\n\r\n");
    output.write_all(head.as_bytes()).await.unwrap();
    let chunks = "4\r\nGET \r\n".repeat(early / 9);
    // The server may close the connection while the chunks are sent.
    let _ = output.write_all(chunks.as_bytes()).await;
    let started = Instant::now();
    let mut answer = Vec::new();
    let read = timeout(TIMEOUT, input.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    // Over TLS an end without `close_notify` would be an error.
    assert!(read.is_ok(), "{line}, {body}, {early} bytes early: {read:?} after {answer:?}");
    assert!(answer.starts_with(status), "{line}, {body}: {answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{line}, {body}: {answer}");
    let mut beat = interval(Duration::from_millis(50));
    let endless = async {
        while output.write_all(b"4\r\nGET \r\n").await.is_ok() && output.flush().await.is_ok() {
            beat.tick().await;
        }
    };
    timeout(GONE, endless).await.unwrap_or_else(|_| panic!("{line}, {body}: open after {:?}", started.elapsed()));
}

async fn over_tls(server: &TestServer, certificate: &Certificate) -> impl AsyncRead + AsyncWrite + Unpin {
    connect(server, certificate, rustls::DEFAULT_VERSIONS).await.unwrap()
}

#[actix_web::test]
async fn over_tls_an_answer_to_an_unread_body_arrives_whole_and_ends_the_connection() {
    let certificate = certificate();
    let server = TestServer::start_with(&settings(&certificate, "")).await;
    let all = REFUSED.into_iter().chain(REFUSED_WITHOUT_SESSION);
    let refusals = all.flat_map(|refused| [(refused, 0), (refused, 500)]).map(async |(refused, early)| {
        is_refused_and_closed(over_tls(&server, &certificate).await, refused, early).await;
    });
    futures_util::future::join_all(refusals).await;
}

#[actix_web::test]
async fn over_tls_a_client_that_sends_much_before_it_reads_still_finds_the_answer() {
    let certificate = certificate();
    let server = TestServer::start_with(&settings(&certificate, "")).await;
    for refused in [REFUSED[0], REFUSED_WITHOUT_SESSION[0]] {
        is_refused_and_closed(over_tls(&server, &certificate).await, refused, 500_000).await;
    }
}

#[actix_web::test]
async fn over_the_local_socket_an_answer_to_an_unread_body_arrives_whole_and_ends_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local.socket");
    let place =
        format!("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", path.display());
    let _server = TestServer::start_with(&place).await;
    let refusals = REFUSED.iter().flat_map(|refused| [(refused, 0), (refused, 500)]);
    let refusals = refusals.chain([(&REFUSED[0], 500_000), (&REFUSED[2], 500_000)]);
    let refusals = refusals.map(async |(refused, early)| {
        is_refused_and_closed(UnixStream::connect(&path).await.unwrap(), *refused, early).await;
    });
    futures_util::future::join_all(refusals).await;
}
