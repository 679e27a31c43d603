//! Clients that send arbitrary bytes.

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::server::account;
use crate::support::websocket::{BINARY, CLOSE, PING, PONG, TEXT, WebSocket, frame};
use crate::support::{Client, Home};

/// The variable with the number of messages. Nightly runs set a higher number.
const VARIABLE: &str = "QUARTERDECK_TEST_HOSTILE";
const DEFAULT_MESSAGES: u64 = 2_000;

/// The maximum number of messages on one socket.
const MESSAGES_OF_ONE: u64 = 10;

/// The number of sockets at a time.
const SOCKETS_AT_ONCE: u64 = 50;

#[actix_web::test]
async fn whatever_clients_send_the_server_stays_up_and_no_part_of_it_fails() {
    let messages = std::env::var(VARIABLE).map_or(DEFAULT_MESSAGES, |text| text.parse().unwrap());
    let home = Home::new("").await;
    let server = home.start().await;
    server.client().post("/users", account("anna")).await.expect(201);
    let anna = server.client().log_in("anna").await;
    let seeds: Vec<u64> = (0..messages / MESSAGES_OF_ONE).collect();
    for seeds in seeds.chunks(usize::try_from(SOCKETS_AT_ONCE).unwrap()) {
        join_all(seeds.iter().map(|seed| attack(&anna, *seed))).await;
    }
    let (mut socket, _) = WebSocket::greeted(&anna).await;
    assert_eq!(socket.reply(1, "ping", json!(null)).await["data"]["text"], "pong");
    assert_eq!(server.client().get("//readyz").await.status, 200);
    drop(socket);
    server.terminate();
    let (status, errors) = server.end().await;
    assert!(status.success());
    assert!(!errors.contains("panicked"), "{errors}");
}

/// Sends messages that depend only on the seed, so that a failure can be reproduced.
async fn attack(client: &Client, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let is_known = random.random_bool(0.5);
    let mut socket = if is_known { WebSocket::of(client, "").await } else { WebSocket::open(&client.base).await };
    for _ in 0..MESSAGES_OF_ONE {
        let bytes = hostile(&mut random);
        if !socket.try_send_raw(&bytes).await {
            return;
        }
    }
    let is_cut = random.random_bool(0.5);
    if is_cut {
        socket.cut();
    }
}

fn hostile(random: &mut StdRng) -> Vec<u8> {
    let kind = *[TEXT, BINARY, CLOSE, PING, PONG, 0, 3, 7, 11, 15].choose(random).unwrap();
    match random.random_range(0..10) {
        0 => noise(random, 200),
        1 => frame(random.random_bool(0.5), kind, &noise(random, 300)),
        2 => frame(true, kind, &noise(random, 20_000)),
        3 => cut_short(&frame(true, kind, &noise(random, 300)), random),
        4 => fragments(random),
        5 => claim(random),
        6 => frame(true, TEXT, almost_a_request(random).as_bytes()),
        7 => frame(true, BINARY, &packed(random)),
        8 => frame(true, TEXT, "[".repeat(random.random_range(1..8_192)).as_bytes()),
        _ => flipped(frame(true, TEXT, br#"{"seq":1,"action":"presence","data":{"channel_id":"x"}}"#), random),
    }
}

fn noise(random: &mut StdRng, max_length: usize) -> Vec<u8> {
    let length = random.random_range(0..max_length);
    std::iter::repeat_with(|| random.random()).take(length).collect()
}

fn cut_short(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    bytes[..random.random_range(0..bytes.len())].to_vec()
}

/// Returns a fragmented message with control frames between its parts, which may lack its end.
fn fragments(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = frame(false, TEXT, &noise(random, 100));
    for _ in 0..random.random_range(0..50) {
        let kind = *[0, 0, 0, PING, PONG, TEXT].choose(random).unwrap();
        bytes.extend(frame(kind >= CLOSE, kind, &noise(random, 125)));
    }
    bytes.extend(frame(random.random_bool(0.5), 0, b"\"}"));
    bytes
}

/// Returns the head of a frame that claims an enormous length.
fn claim(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0x80 | TEXT, 0xff];
    let length = *[8_193, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX].choose(random).unwrap();
    bytes.extend(length.to_be_bytes());
    bytes.extend(noise(random, 10_000));
    bytes
}

fn almost_a_request(random: &mut StdRng) -> String {
    let seq = ["1", "-1", "0", "9223372036854775807", "9223372036854775808", "1e400", "null", "\"1\"", "[]"];
    let action = ["ping", "presence", "user_typing", "authentication_challenge", "custom_x", "posted_notify_ack", ""];
    let data = [
        "null",
        "{}",
        "[]",
        r#"{"channel_id":null}"#,
        r#"{"channel_id":"\ud800"}"#,
        r#"{"token":"\u0000"}"#,
        r#"{"thread_channel_id":"x","is_thread_view":"maybe"}"#,
        r#"{"channel_id":"aaaaaaaaaaaaaaaaaaaaaaaaaa","parent_id":{}}"#,
        "{\"channel_id\":\"'; DROP TABLE channels; --\"}",
    ];
    let [seq, action, data] = [&seq[..], &action[..], &data[..]].map(|all| *all.choose(random).unwrap());
    format!(r#"{{"seq":{seq},"action":"{action}","data":{data}}}"#)
}

/// Returns a map with random parts, or one that is nested deeper than its length.
fn packed(random: &mut StdRng) -> Vec<u8> {
    let is_deep = random.random_bool(0.3);
    if is_deep {
        return vec![*[0x81, 0x91, 0xdd].choose(random).unwrap(); random.random_range(1..8_192)];
    }
    let mut bytes = b"\x83\xa3seq\x01\xa6action\xa4ping\xa4data".to_vec();
    bytes.extend(noise(random, 64));
    bytes
}

/// Returns a valid frame with a few flipped bits.
fn flipped(mut bytes: Vec<u8>, random: &mut StdRng) -> Vec<u8> {
    for _ in 0..random.random_range(1..4) {
        let place = random.random_range(0..bytes.len());
        bytes[place] ^= 1 << random.random_range(0..8);
    }
    bytes
}
