//! Steps of the wall clock and pauses of the process change no duration and close no connection.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Client;
use crate::support::process::{Process, Workplace};
use crate::support::raw::connect;
use crate::support::server::{PASSWORD, account};
use crate::support::waiting::until;
use crate::support::wall_clock::WallClock;
use crate::support::websocket::{Frame, PONG, WebSocket};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// The positions of the wall clock, one after the other, in seconds from the correct time.
const STEPS: [i64; 6] = [HOUR_S, DAY_S, 0, -HOUR_S, -DAY_S, 0];

/// Short times, so that a test covers several of each. A busy machine may take seconds between two steps of a test.
const SHORT: &str = "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableUserStatuses = false\nIdleTimeout = 10\n\
                     [Quarterdeck]\nSocketPingSeconds = 1\nSocketSilenceSeconds = 12\n";

/// Longer than all limits of `SHORT` and of the server for a silent client.
const PAUSE: Duration = Duration::from_secs(15);

#[actix_web::test]
async fn a_step_of_the_wall_clock_closes_no_socket_stops_no_ping_and_keeps_every_window_open() {
    let place = Workplace::new(SHORT).await;
    let Some(clock) = WallClock::new(place.path("clock")) else { return };
    let server = place.serve_with(&clock.variables(), &["serve"]).await;
    let admin = administrator(&server).await;
    admin.post("/server_busy?seconds=3600", json!({})).await.expect(200);
    let busy = busy(&admin).await;
    let (mut socket, _) = WebSocket::greeted(&admin).await;
    for (number, step) in (1..).zip(STEPS) {
        let (absent, id) = WebSocket::greeted(&admin).await;
        drop(absent);
        clock.step_to(step);
        let shown = socket.reply(number, "ping", json!({})).await["data"]["server_time"].as_i64().unwrap();
        assert!((shown / 1000 - wall_s() - step).abs() < HOUR_S / 2, "the server shows {shown} after a step to {step}");
        // More pings in a row than a client may leave unanswered.
        for _ in 0..5 {
            assert_eq!(socket.next().await, Frame::Ping, "after a step to {step}");
            socket.send_frame(true, PONG, b"").await;
        }
        // A client that reconnects after the step resumes its connection and gets no hello.
        let mut back = WebSocket::of(&admin, &format!("?connection_id={id}&sequence_number=1")).await;
        let reply = back.reply(1, "ping", json!({})).await;
        assert_eq!((&reply["status"], &reply["seq_reply"]), (&json!("OK"), &json!(1)), "after a step to {step}");
        // The flag keeps its duration.
        assert_eq!(self::busy(&admin).await, busy);
    }
    assert!(socket.is_silent().await);
}

#[actix_web::test]
async fn the_rate_limit_and_cached_sessions_outlast_steps_of_the_wall_clock() {
    let limit = "[RateLimitSettings]\nEnable = true\nPerSec = 1\nMaxBurst = 20\nVaryByRemoteAddr = true\n";
    let place = Workplace::new(limit).await;
    let Some(clock) = WallClock::new(place.path("clock")) else { return };
    let server = place.serve_with(&clock.variables(), &["serve"]).await;
    let admin = administrator(&server).await;
    let remaining = async || admin.get("/users/me").await.header("x-ratelimit-remaining").parse::<i64>().unwrap();
    let mut before = remaining().await;
    for step in STEPS {
        clock.step_to(step);
        let after = remaining().await;
        // A bucket that counted the step as elapsed time would be full, or never fill again.
        assert!((before - 1..before + 10).contains(&after), "{after} after {before} and a step to {step}");
        before = after;
    }
}

#[actix_web::test]
async fn a_pause_of_the_process_costs_no_client_anything() {
    let place = Workplace::new(SHORT).await;
    let server = place.serve().await;
    let admin = administrator(&server).await;
    let (mut answering, _) = WebSocket::greeted(&admin).await;
    let pings = Rc::new(Cell::new(0));
    let counted = pings.clone();
    // From its first ping on, however long the steps below take on a busy machine.
    let answered = actix_web::rt::spawn(async move {
        let mut frame = answering.next().await;
        while frame == Frame::Ping {
            counted.set(counted.get() + 1);
            answering.send_frame(true, PONG, b"").await;
            frame = answering.next().await;
        }
        frame
    });
    let (absent, id) = WebSocket::greeted(&admin).await;
    drop(absent);
    let mut kept = connect(&server.base).await;
    assert!(get(&mut kept, "/api/v4/system/ping").await.starts_with("HTTP/1.1 200"));
    let mut upload = connect(&server.base).await;
    let body = json!({ "login_id": "admin", "password": PASSWORD }).to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let head =
        format!("POST /api/v4/users/login HTTP/1.1\r\nHost: chat.example\r\nContent-Length: {}\r\n\r\n", body.len());
    upload.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
    let mut unknown = WebSocket::open(&server.base).await;

    server.signal(Signal::STOP);
    // The data is sent while the server does not read.
    let token = admin.token.clone().unwrap();
    unknown.ask(1, "authentication_challenge", json!({ "token": token })).await;
    kept.write_all(b"GET /api/v4/system/ping HTTP/1.1\r\nHost: chat.example\r\n\r\n").await.unwrap();
    tokio::time::sleep(PAUSE).await;
    server.signal(Signal::CONT);

    let before = pings.get();
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    upload.write_all(rest.as_bytes()).await.unwrap();
    let uploaded = answer(&mut upload).await;
    assert!(uploaded.starts_with("HTTP/1.1 200"), "{uploaded}");
    assert_eq!(unknown.answer(1).await["status"], "OK");
    // The server pings first, and keeps the connection open as long as the client answers.
    until("five pings", async || pings.get() >= before + 5 || answered.is_finished()).await;
    assert!(!answered.is_finished(), "{:?}", answered.await.unwrap());
    answered.abort();
    let mut back = WebSocket::of(&admin, &format!("?connection_id={id}&sequence_number=1")).await;
    assert_eq!(back.reply(1, "ping", json!({})).await["seq_reply"], 1);
}

async fn administrator(server: &Process) -> Client {
    server.client().post("/users", account("admin")).await.expect(201);
    server.client().log_in("admin").await
}

async fn busy(admin: &Client) -> Value {
    admin.get("/server_busy").await.expect(200)
}

async fn get(connection: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: chat.example\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    answer(connection).await
}

/// Returns the head of the next response, with the part of the body that came with it.
async fn answer(connection: &mut TcpStream) -> String {
    let mut answer = vec![0; 16 * 1024];
    let read = tokio::time::timeout(Duration::from_secs(30), connection.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// Returns the wall time in Unix seconds.
fn wall_s() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
