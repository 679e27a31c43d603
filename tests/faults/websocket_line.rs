//! Sockets over a network that fails.

use std::time::Duration;

use quarterdeck_actors::hub::{End, Event};
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::waiting::until;
use crate::support::websocket::{Frame, PONG, TEXT, WebSocket, frame};
use crate::support::{Client, Proxy, TestServer};

/// Starts a server that soon detects silent clients, with a proxy in front of it and a user.
async fn server_behind_a_line() -> (TestServer, Proxy, Client) {
    let server = TestServer::start_with("[Quarterdeck]\nSocketPingSeconds = 1\nSocketSilenceSeconds = 3\n").await;
    let proxy = Proxy::start(server.base.strip_prefix("http://").unwrap());
    let mut far = server.admin().await;
    far.base = format!("http://{}", proxy.address());
    (server, proxy, far)
}

#[actix_web::test]
async fn a_line_that_hangs_ends_the_connection_and_one_that_stutters_does_not() {
    let (server, proxy, far) = server_behind_a_line().await;
    let (mut socket, id) = WebSocket::greeted(&far).await;
    let mut seq = 1;
    for number in 0..10 {
        proxy.stall();
        server.count_for_all(number..number + 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.restore();
        seq = socket.counts(number..number + 1, seq).await;
        socket.send_frame(true, PONG, b"").await;
    }
    proxy.stall();
    let silent = || server.server.hub().counts().ended(End::Silent);
    until("the silence is noticed", async || silent() == 1).await;
    server.sockets_fall_to(0).await;
    proxy.restore();
    assert_eq!(socket.end().await, Frame::Close(Some(1001), "no answer to pings".to_owned()));
    // A silent network ends the socket, but no event is lost.
    server.count_for_all(10..12).await;
    let mut socket = WebSocket::of(&far, &format!("?connection_id={id}&sequence_number={seq}")).await;
    socket.counts(10..12, seq).await;
}

#[actix_web::test]
async fn a_line_that_is_cut_within_a_frame_costs_nothing() {
    let (server, proxy, far) = server_behind_a_line().await;
    let (mut socket, id) = WebSocket::greeted(&far).await;
    // The server receives half a request, the client half an event.
    let request = frame(true, TEXT, br#"{"seq":1,"action":"ping"}"#);
    socket.send_raw(&request[..request.len() / 2]).await;
    let large = "x".repeat(100_000);
    let event = || Event::new("posted", json!({ "large": large }));
    server.server.hub().publish(event()).await;
    socket.skip(50_000).await;
    proxy.refuse();
    server.sockets_fall_to(0).await;
    server.server.hub().publish(event()).await;
    proxy.restore();
    until("the line is up", async || TcpStream::connect(proxy.address()).await.is_ok()).await;
    let mut socket = WebSocket::of(&far, &format!("?connection_id={id}&sequence_number=1")).await;
    for _ in 0..2 {
        assert_eq!(socket.event_named("posted").await["data"]["large"], large);
    }
    assert!(socket.has_counted().await);
}
