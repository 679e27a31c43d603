//! The end of the server.

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::process::{Process, Workplace, lines};
use crate::support::raw::read_to_end;
use crate::support::server::account;
use crate::support::slow::SlowReader;
use crate::support::waiting::until;

const FILE_LOG: &str =
    "[LogSettings]\nEnableConsole = false\nFileLocation = \"logs\"\n[FileSettings]\nDirectory = \"files\"\n";

#[actix_web::test]
async fn sigterm_takes_no_new_requests_and_lets_one_under_way_finish() {
    let place = Workplace::new(FILE_LOG).await;
    let mut server = place.serve().await;
    let mut slow = connect(&server).await;
    let body = r#"{"login_id":"nobody","password":"nothing"}"#;
    let head = format!(
        "POST /api/v4/users/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    slow.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    slow.write_all(&body.as_bytes()[..10]).await.unwrap();
    server.signal(Signal::TERM);
    until("the server is stopping", async || logged(&place, "stopping")).await;
    until("nobody is let in", async || TcpStream::connect(address(&server)).await.is_err()).await;
    slow.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(logged(&place, "stopped"));
}

#[actix_web::test]
async fn sigint_ends_the_server_as_well() {
    let place = Workplace::new(FILE_LOG).await;
    let mut server = place.serve().await;
    server.signal(Signal::INT);
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(logged(&place, "stopped"));
}

#[actix_web::test]
async fn the_next_request_on_a_kept_connection_is_answered_although_the_server_stops() {
    let place = Workplace::new(FILE_LOG).await;
    let mut server = place.serve().await;
    let mut kept = Vec::new();
    for _ in 0..60 {
        let mut connection = connect(&server).await;
        assert!(ping(&mut connection).await.starts_with("HTTP/1.1 200"));
        kept.push(connection);
    }
    server.signal(Signal::TERM);
    for connection in &mut kept {
        connection.write_all(PING).await.unwrap();
    }
    for mut connection in kept {
        // A connection whose request was answered before the server handled the signal is closed a little later.
        let answer = read_to_end(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    }
    assert_eq!(server.ended().await.code(), Some(0));
}

#[actix_web::test]
async fn while_it_drains_the_server_is_not_ready_and_serves_on_until_a_second_signal() {
    let place = Workplace::new(&format!("{FILE_LOG}[Quarterdeck]\nDrainSeconds = 600\n")).await;
    let mut server = place.serve().await;
    let mut kept = connect(&server).await;
    assert!(ping(&mut kept).await.starts_with("HTTP/1.1 200"));
    server.signal(Signal::TERM);
    until("it is not ready", async || server.client().get("//readyz").await.status == 503).await;
    for connection in [&mut kept, &mut connect(&server).await] {
        connection.write_all(PING).await.unwrap();
        let answer = read_to_end(connection).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
        assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    }
    let drains = "draining: requests are still served, and each connection is closed after its response";
    until("the drain is logged", async || logged(&place, drains)).await;
    assert!(!logged(&place, "stopping"));
    server.signal(Signal::TERM);
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(logged(&place, "the drain ended early") && logged(&place, "stopped"));
}

#[actix_web::test]
async fn a_slow_download_is_sent_to_its_end_although_the_server_stops_and_not_beyond_the_limit() {
    for (limit, is_whole) in [(60, true), (1, false)] {
        let settings = format!("{FILE_LOG}[Quarterdeck]\nStopSeconds = {limit}\n");
        let place = Workplace::new(&settings).await;
        let mut server = place.serve().await;
        server.client().post("/users", account("admin")).await.expect(201);
        let admin = server.client().log_in("admin").await;
        let line = format!("{}\n", "x".repeat(1_023));
        std::fs::write(place.path("logs/mattermost.log"), line.repeat(8 * 1_024)).unwrap();
        let slow = SlowReader::start(&admin, "/logs/download").await;
        assert_eq!(slow.status(), 200);
        server.signal(Signal::TERM);
        until("nobody is let in", async || TcpStream::connect(address(&server)).await.is_err()).await;
        if is_whole {
            assert!(slow.finish().await.len() >= 8 << 20);
        } else {
            // A client that reads nothing does not delay the server further.
            assert_eq!(server.ended().await.code(), Some(0));
            continue;
        }
        assert_eq!(server.ended().await.code(), Some(0));
    }
}

#[actix_web::test]
async fn signals_without_a_meaning_change_nothing_and_sighup_reloads() {
    let place = Workplace::new(FILE_LOG).await;
    let mut server = place.serve().await;
    for signal in [Signal::USR1, Signal::USR2, Signal::HUP] {
        server.signal(signal);
    }
    let unused = "signal ignored; SIGHUP reloads the configuration, SIGTERM and SIGINT stop the server";
    let count = || lines(&place.path("logs/mattermost.log")).iter().filter(|line| line["msg"] == unused).count();
    until("both are logged", async || count() == 2).await;
    assert_eq!(server.client().get("/system/ping").await.status, 200);
    server.signal(Signal::TERM);
    // The signals are ignored during a stop as well.
    for signal in [Signal::USR1, Signal::USR2, Signal::HUP] {
        server.signal(signal);
    }
    assert_eq!(server.ended().await.code(), Some(0));
}

const PING: &[u8] = b"GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\n\r\n";

/// Returns the beginning of the response. The connection stays open.
async fn ping(connection: &mut TcpStream) -> String {
    connection.write_all(PING).await.unwrap();
    let mut answer = vec![0; 16 * 1024];
    let read = connection.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

async fn connect(server: &Process) -> TcpStream {
    TcpStream::connect(address(server)).await.unwrap()
}

fn address(server: &Process) -> &str {
    server.base.trim_start_matches("http://")
}

fn logged(place: &Workplace, message: &str) -> bool {
    lines(&place.path("logs/mattermost.log")).iter().any(|line| line["msg"] == message)
}
