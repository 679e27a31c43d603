//! Tests of the client against a server that sends given bytes.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;

const DEADLINE: Duration = Duration::from_secs(30);

/// Answers each request of each connection with the next text, and closes a connection after a text that ends with `!`.
async fn server(texts: &[&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let texts = texts.to_vec();
    tokio::spawn(async move {
        let mut texts = texts.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let Some(text) = texts.next() else { return };
                // One byte after the other: a response may arrive in any pieces.
                for byte in text.trim_end_matches('!').bytes() {
                    stream.write_all(&[byte]).await.unwrap();
                }
                if text.ends_with('!') {
                    break;
                }
            }
        }
    });
    address
}

async fn exchange(connection: &mut Connection) -> io::Result<Response> {
    timeout(DEADLINE, connection.exchange(b"GET / HTTP/1.1\r\n\r\n", false)).await.unwrap()
}

#[tokio::test]
async fn responses_of_every_framing_are_read_on_one_connection() {
    let address = server(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end!",
        "HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 1\r\n\r\na!",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ])
    .await;
    let mut connection = Connection::new(&Remote::Resolved(vec![address], None));
    let mut read = Vec::new();
    for _ in 0..6 {
        let response = exchange(&mut connection).await.unwrap();
        read.push((response.status, String::from_utf8(response.body).unwrap()));
    }
    let expected = [(200, "hello"), (404, "abcde"), (204, ""), (200, "until the end"), (200, "a"), (200, "")];
    assert_eq!(read, expected.map(|(status, body)| (status, body.to_owned())));
}

#[tokio::test]
async fn a_broken_response_is_an_error_and_the_next_request_has_a_new_connection() {
    let address = server(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort!",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n!",
        "SSH-2.0-server\r\n\r\n!",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n!",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ])
    .await;
    let mut connection = Connection::new(&Remote::Resolved(vec![address], None));
    let mut kinds = Vec::new();
    for _ in 0..4 {
        kinds.push(exchange(&mut connection).await.unwrap_err().kind());
    }
    let invalid = io::ErrorKind::InvalidData;
    assert_eq!(kinds, [io::ErrorKind::UnexpectedEof, invalid, invalid, invalid]);
    assert_eq!(exchange(&mut connection).await.unwrap().body, b"ok");
}

#[test]
fn only_the_beginning_of_a_long_body_is_returned() {
    let mut body = Body { start: Vec::new(), length: 0 };
    let mut buffer = vec![b'a'; 10_000];
    assert_eq!(body.take(&mut buffer, 9_000).unwrap(), 9_000);
    assert_eq!((body.start.len(), body.length, buffer.len()), (BODY_START_BYTES, 9_000, 1_000));
}

#[test]
fn a_head_without_an_end_is_refused() {
    assert_eq!(head(&vec![b'a'; MAX_HEAD_BYTES], false).unwrap(), None);
    assert!(head(&vec![b'a'; MAX_HEAD_BYTES + 1], false).is_err());
    let answer = head(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true).unwrap().unwrap();
    assert_eq!(answer.framing, Framing::Length(0));
}
