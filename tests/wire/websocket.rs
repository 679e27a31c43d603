//! The WebSocket, frame by frame.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::websocket::{BINARY, CLOSE, Frame, PING, PONG, TEXT, WebSocket, frame, quiet, upgrade};

const UPGRADE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[actix_rt::test]
async fn the_switch_carries_what_the_protocol_asks_for_and_nothing_else() {
    let server = quiet("").await;
    let head = WebSocket::head(&server.base, &upgrade("", "Sec-WebSocket-Protocol: chat\r\n")).await.to_lowercase();
    let mut names: Vec<&str> = head.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    names.retain(|name| !name.is_empty() && *name != "date");
    names.sort_unstable();
    assert_eq!(names, ["connection", "sec-websocket-accept", "upgrade"], "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
}

#[actix_rt::test]
async fn what_is_no_request_for_a_socket_is_refused_with_the_version_that_is_spoken() {
    let server = quiet("").await;
    let good = upgrade("", "");
    for (from, to, status) in [
        ("Connection: Upgrade", "Connection: close", 400),
        ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n", 400),
        ("Version: 13", "Version: 12", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhl", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "no base64!", 400),
        ("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n", 403),
        ("\r\n\r\n", "\r\nOrigin: null\r\n\r\n", 403),
    ] {
        let answer = WebSocket::try_open(&server.base, &good.replacen(from, to, 1)).await.err().unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{to}: {answer}");
        assert!(answer.to_lowercase().contains("sec-websocket-version: 13\r\n"), "{to}: {answer}");
    }
    let plain = server.client().get("/websocket").await;
    assert_eq!(plain.expect(400)["id"], "api.web_socket.connect.upgrade.app_error");
    for origin in ["http://chat.example", "HTTPS://CHAT.EXAMPLE"] {
        let head = upgrade("", &format!("Origin: {origin}\r\n"));
        assert!(WebSocket::try_open(&server.base, &head).await.is_ok(), "{origin}");
    }
    let with_slash = good.replacen("websocket HTTP", "websocket/ HTTP", 1);
    assert!(WebSocket::try_open(&server.base, &with_slash).await.is_ok());
}

#[actix_rt::test]
async fn a_star_inside_an_origin_admits_pages_as_it_does_for_the_api() {
    let server = quiet("AllowCorsFrom = \"https://one.example https://*.chat.example\"\n").await;
    for (origin, is_admitted) in [("https://a.chat.example", true), ("https://a.chat.example.evil.example", false)] {
        let head = upgrade("", &format!("Origin: {origin}\r\n"));
        assert_eq!(WebSocket::try_open(&server.base, &head).await.is_ok(), is_admitted, "{origin}");
    }
}

#[actix_rt::test]
async fn a_page_of_any_site_opens_a_socket_but_the_cookie_of_its_visitor_does_not_log_in() {
    let server = quiet("AllowCorsFrom = \"*\"\nSiteURL = \"http://chat.example\"\n").await;
    let admin = server.admin().await;
    let cookie = format!("Cookie: MMAUTHTOKEN={}\r\n", admin.token.as_deref().unwrap());
    for (origin, is_logged_in) in [
        ("", true),
        ("Origin: http://chat.example:80\r\n", true),
        ("Origin: https://evil.example\r\n", false),
        ("Origin: null\r\n", false),
    ] {
        let mut socket = WebSocket::try_open(&server.base, &upgrade("", &format!("{origin}{cookie}"))).await.unwrap();
        if is_logged_in {
            socket.event_named("hello").await;
        } else {
            assert!(socket.is_silent().await, "{origin}");
            let token = admin.token.as_deref().unwrap();
            let reply = socket.reply(1, "authentication_challenge", json!({ "token": token })).await;
            assert_eq!(reply["status"], "OK", "{origin}");
        }
    }
}

#[actix_rt::test]
async fn what_cannot_be_resumed_by_its_form_is_refused_before_the_switch() {
    let server = quiet("").await;
    let id = "abcdefghijklmnopqrstuvwxyz";
    for (query, name) in [
        ("?connection_id=short&sequence_number=1", "connection_id"),
        (&format!("?connection_id={id}"), "sequence_number"),
        (&format!("?connection_id={id}&sequence_number="), "sequence_number"),
        (&format!("?connection_id={id}&sequence_number=x"), "sequence_number"),
    ] {
        let answer = WebSocket::try_open(&server.base, &upgrade(query, "")).await.err().unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{query}: {answer}");
        let (client, path) = (server.client(), format!("/websocket{query}"));
        let refusal = client.send(reqwest::Method::GET, &path, None, &UPGRADE).await.expect(400);
        assert!(refusal["message"].as_str().unwrap().contains(name), "{refusal}");
    }
    let first = upgrade("?connection_id=&sequence_number=0&posted_ack=maybe&disconnect_err_code=9", "");
    assert!(WebSocket::try_open(&server.base, &first).await.is_ok());
}

#[actix_rt::test]
async fn who_is_logged_in_is_greeted_at_once_and_needs_no_challenge() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let version = server.client().get("/system/ping").await.header("x-version-id");
    let mut socket = WebSocket::of(&admin, "").await;
    let text = socket.text().await;
    let id = text.split('"').nth(9).unwrap().to_owned();
    let hostname = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    assert_eq!(id.len(), 26);
    assert_eq!(
        text,
        format!(
            "{{\"event\":\"hello\",\"data\":{{\"connection_id\":\"{id}\",\"server_hostname\":\"{hostname}\",\"server_version\":\"{version}\"}},\
             \"broadcast\":{{\"omit_users\":null,\"user_id\":\"{}\",\"channel_id\":\"\",\"team_id\":\"\",\"connection_id\":\"\",\
             \"omit_connection_id\":\"\"}},\"seq\":0}}\n",
            admin.user_id
        )
    );
    socket.ask(1, "authentication_challenge", json!({ "token": "wrong" })).await;
    assert!(socket.is_silent().await);
    let token = admin.token.as_ref().unwrap();
    let mut by_cookie =
        WebSocket::try_open(&server.base, &upgrade("", &format!("Cookie: MMAUTHTOKEN={token}\r\n"))).await.unwrap();
    assert_eq!(by_cookie.event().await["event"], "hello");
}

#[actix_rt::test]
async fn a_challenge_is_answered_by_the_greeting_and_then_its_reply() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let mut socket = WebSocket::open(&server.base).await;
    socket.ask(7, "ping", json!({})).await;
    socket.ask(7, "presence", json!({})).await;
    assert!(socket.is_silent().await);
    socket.ask(1, "authentication_challenge", json!({ "token": admin.token.as_ref().unwrap() })).await;
    let hello = socket.event().await;
    assert_eq!((hello["event"].as_str(), hello["seq"].as_i64()), (Some("hello"), Some(0)));
    assert_eq!(socket.text().await, "{\"status\":\"OK\",\"seq_reply\":1}\n");
}

#[actix_rt::test]
async fn who_is_not_known_in_time_or_not_known_at_all_is_dropped_without_a_word() {
    let server = quiet("").await;
    for data in [json!({ "token": "nonsense" }), json!({}), json!({ "token": 1 })] {
        let mut socket = WebSocket::open(&server.base).await;
        socket.ask(1, "authentication_challenge", data).await;
        assert_eq!(socket.next().await, Frame::End);
    }
    let begun = Instant::now();
    let mut silent = WebSocket::open(&server.base).await;
    assert_eq!(silent.next().await, Frame::End);
    let waited = begun.elapsed().as_secs_f32();
    assert!((4.5..8.0).contains(&waited), "{waited}");
}

#[actix_rt::test]
async fn who_is_not_known_gains_no_time_by_sending_all_the_while() {
    let server = quiet("").await;
    let mut stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(upgrade("", "").as_bytes()).await.unwrap();
    // Pongs get no reply.
    let pongs = frame(true, PONG, b"").repeat(10_000);
    let begun = Instant::now();
    while stream.write_all(&pongs).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(8), "it is still connected");
    }
}

#[actix_rt::test]
async fn every_action_is_answered_as_the_wire_has_it() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let (mut socket, _) = WebSocket::greeted(&admin).await;
    let pong = socket.reply(1, "ping", json!(null)).await;
    let time = pong["data"]["server_time"].as_i64().unwrap();
    assert_eq!(
        pong,
        json!({ "status": "OK", "seq_reply": 1, "data": { "text": "pong", "version": "11.6.0", "server_time": time, "node_id": "" } })
    );
    for (action, data) in
        [("presence", json!({ "channel_id": "x", "team_id": 3 })), ("posted_notify_ack", json!({ "status": 1 }))]
    {
        socket.ask(2, action, data).await;
        assert_eq!(socket.text().await, "{\"status\":\"OK\",\"seq_reply\":2}\n", "{action}");
    }
    for (text, id, status, seq) in [
        (r#"{"seq":3}"#, "api.web_socket_router.no_action.app_error", 400, json!(3)),
        (r#"{"seq":0,"action":"ping"}"#, "api.web_socket_router.bad_seq.app_error", 400, json!(null)),
        (r#"{"seq":-5,"action":"ping"}"#, "api.web_socket_router.bad_seq.app_error", 400, json!(-5)),
        (r#"{"seq":4,"action":"nonsense"}"#, "api.web_socket_router.bad_action.app_error", 500, json!(4)),
        (r#"{"seq":5,"action":"user_typing"}"#, "api.websocket_handler.invalid_param.app_error", 400, json!(5)),
    ] {
        socket.send_text(text).await;
        let refusal = socket.event().await;
        assert_eq!(refusal["status"], "FAIL", "{text}");
        assert_eq!(refusal["seq_reply"], seq, "{text}");
        assert_eq!(refusal["error"]["id"], id, "{text}");
        assert_eq!(refusal["error"]["status_code"], status, "{text}");
        assert_eq!(refusal["error"]["detailed_error"], "", "{text}");
        assert_ne!(refusal["error"]["message"], "", "{text}");
    }
    socket.ask(6, "custom_plugin_action", json!({})).await;
    assert!(socket.is_silent().await);
}

#[actix_rt::test]
async fn the_members_of_a_request_may_be_in_any_letter_case() {
    let server = quiet("").await;
    let (mut socket, _) = WebSocket::greeted(&server.admin().await).await;
    socket.send_text(r#"{"Seq": 7, "Action": "ping", "Data": {}}"#).await;
    assert_eq!(socket.answer(7).await["data"]["text"], "pong");
}

#[actix_rt::test]
async fn a_binary_request_is_answered_in_text() {
    let server = quiet("").await;
    let (mut socket, _) = WebSocket::greeted(&server.admin().await).await;
    // {"seq": 9, "action": "ping"}
    socket.send_frame(true, BINARY, b"\x82\xa3seq\x09\xa6action\xa4ping").await;
    let pong = socket.event().await;
    assert_eq!((&pong["seq_reply"], &pong["data"]["text"]), (&json!(9), &json!("pong")));
}

#[actix_rt::test]
async fn messages_may_be_as_long_as_8192_bytes_in_as_many_frames_as_the_client_likes() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let (mut socket, _) = WebSocket::greeted(&admin).await;
    let request = r#"{"seq":1,"action":"presence","data":{}}"#;
    let longest = format!("{request}{}", " ".repeat(8192 - request.len()));
    socket.send_text(&longest).await;
    assert_eq!(socket.event().await["status"], "OK");
    socket.send_frame(false, TEXT, &request.as_bytes()[..9]).await;
    socket.send_frame(true, PING, b"between").await;
    socket.send_frame(false, 0, b"").await;
    socket.send_frame(true, 0, &request.as_bytes()[9..]).await;
    assert_eq!(socket.next_but_ping().await, Frame::Pong(b"between".to_vec()));
    assert_eq!(socket.event().await["status"], "OK");
    socket.send_text(&format!("{longest} ")).await;
    assert_eq!(socket.end().await, Frame::Close(Some(1009), String::new()));
    assert_eq!(socket.next().await, Frame::End);
    // The length in the header is enough: the payload is never sent.
    let (mut socket, _) = WebSocket::greeted(&admin).await;
    socket.send_raw(b"\x81\xfe\x20\x01").await;
    assert_eq!(socket.end().await, Frame::Close(Some(1009), String::new()));
    assert_eq!(socket.next().await, Frame::End);
}

#[actix_rt::test]
async fn what_breaks_the_protocol_ends_the_connection_and_says_so() {
    let server = quiet("").await;
    let admin = server.admin().await;
    for bytes in [
        b"\x81\x01x".to_vec(),
        frame(true, 3, b"reserved"),
        frame(true, 0, b"continues nothing"),
        frame(false, PING, b"in parts"),
        frame(true, PING, &[b'x'; 126]),
        b"\xc1\x80\x00\x00\x00\x00".to_vec(),
    ] {
        let (mut socket, _) = WebSocket::greeted(&admin).await;
        socket.send_raw(&bytes).await;
        assert_eq!(socket.end().await, Frame::Close(Some(1002), "protocol error".to_owned()), "{bytes:?}");
        assert_eq!(socket.next().await, Frame::End);
    }
    for text in ["no JSON", "[]", r#"{"seq":"1","action":"ping"}"#] {
        let (mut socket, _) = WebSocket::greeted(&admin).await;
        socket.send_text(text).await;
        assert_eq!(socket.next_but_ping().await, Frame::End, "{text}");
    }
}

#[actix_rt::test]
async fn a_client_that_closes_gets_its_code_back_and_a_ping_of_it_its_payload() {
    let server = quiet("").await;
    let (mut socket, _) = WebSocket::greeted(&server.admin().await).await;
    socket.send_frame(true, PONG, b"unasked").await;
    assert!(socket.is_silent().await);
    socket.send_frame(true, CLOSE, &[0x0f, 0xa1]).await;
    assert_eq!(socket.end().await, Frame::Close(Some(4001), String::new()));
    assert_eq!(socket.next().await, Frame::End);
}

#[actix_rt::test]
async fn the_server_pings_and_drops_who_does_not_answer() {
    let server = quiet("[Quarterdeck]\nSocketPingSeconds = 1\nSocketSilenceSeconds = 3\n").await;
    let admin = server.admin().await;
    let (mut answering, _) = WebSocket::greeted(&admin).await;
    let (mut silent, _) = WebSocket::greeted(&admin).await;
    silent.ask(1, "presence", json!({})).await;
    for _ in 0..5 {
        assert_eq!(answering.next().await, Frame::Ping);
        answering.send_frame(true, PONG, b"").await;
    }
    assert_eq!(silent.end().await, Frame::Close(Some(1001), "no answer to pings".to_owned()));
    assert!(answering.is_silent().await);
}

#[actix_rt::test]
async fn sockets_of_one_user_and_of_all_are_limited_with_a_clear_refusal() {
    let server = quiet("[Quarterdeck]\nMaximumSockets = 3\nMaximumSocketsPerUser = 2\n").await;
    let admin = server.admin().await;
    let (_one, _) = WebSocket::greeted(&admin).await;
    let (_two, _) = WebSocket::greeted(&admin).await;
    let token = admin.token.as_ref().unwrap();
    let head = upgrade("", &format!("Authorization: Bearer {token}\r\n"));
    let refused = WebSocket::try_open(&server.base, &head).await.err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    let mut third = WebSocket::open(&server.base).await;
    let full = WebSocket::try_open(&server.base, &upgrade("", "")).await.err().unwrap();
    assert!(full.starts_with("HTTP/1.1 503 "), "{full}");
    third.ask(1, "authentication_challenge", json!({ "token": token })).await;
    let reason = "this user has too many connections".to_owned();
    assert_eq!(third.end().await, Frame::Close(Some(1013), reason));
}
