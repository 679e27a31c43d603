//! The TCP connection closes together with the close frame of a WebSocket. The tests compare orders, not times.

use serde_json::json;

use crate::support::websocket::{CLOSE, Frame, WebSocket, quiet};

/// The number of replies to another client that would all arrive while a connection waited for a second.
const REPLIES: i64 = 500;

#[actix_rt::test]
async fn nothing_is_read_any_more_once_a_client_has_closed() {
    let server = quiet("").await;
    let (mut socket, _) = WebSocket::greeted(&server.admin().await).await;
    socket.send_frame(true, CLOSE, &[0x03, 0xe8]).await;
    assert_eq!(socket.end().await, Frame::Close(Some(1000), String::new()));
    assert_eq!(socket.next().await, Frame::End);
    // A server that still reads discards this byte. One that has closed its side answers it with a reset.
    socket.send_raw(b"x").await;
    socket.is_reset().await;
}

#[actix_rt::test]
async fn the_end_of_the_connection_follows_a_close_frame_of_the_server_at_once() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let (mut other, _) = WebSocket::greeted(&admin).await;
    for bytes in [&b"\x81\x01x"[..], b"\x81\xfe\x20\x01"] {
        let (mut socket, _) = WebSocket::greeted(&admin).await;
        socket.send_raw(bytes).await;
        assert!(matches!(socket.end().await, Frame::Close(Some(_), _)), "{bytes:?}");
        let replies = async {
            for seq in 1..=REPLIES {
                other.reply(seq, "ping", json!({})).await;
            }
        };
        tokio::select! {
            biased;
            end = socket.next() => assert_eq!(end, Frame::End, "{bytes:?}"),
            () = replies => panic!("{REPLIES} replies arrived before the end of the connection: {bytes:?}"),
        }
    }
}
