//! How the server ends.

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::process::{Process, Workplace, lines, until};

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
    until("the server stops", async || logged(&place, "stopping")).await;
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

async fn connect(server: &Process) -> TcpStream {
    TcpStream::connect(address(server)).await.unwrap()
}

fn address(server: &Process) -> &str {
    server.base.trim_start_matches("http://")
}

fn logged(place: &Workplace, message: &str) -> bool {
    lines(&place.path("logs/mattermost.log")).iter().any(|line| line["msg"] == message)
}
