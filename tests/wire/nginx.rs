//! With nginx as a proxy that streams bodies, the response to an unread body reaches the client.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::support::raw::{connect, read_to_end};
use crate::support::{TestServer, needs};

/// Settings that keep connections to the server open.
const KEEP_ALIVE: &str = "proxy_set_header Connection \"\";";

/// Starts nginx in front of `server`, with these settings of `location /`. It ends with the test.
pub(super) async fn front(server: &TestServer, program: &std::path::Path, location: &str) -> (Child, String) {
    front_at(server, program, &[("/", "http://quarterdeck", location)]).await
}

/// Starts nginx with several locations: the path, the address that it is passed on to, and more settings.
pub async fn front_at(
    server: &TestServer,
    program: &std::path::Path,
    locations: &[(&str, &str, &str)],
) -> (Child, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = server.folder().join("nginx");
    std::fs::create_dir(&folder).unwrap();
    let (path, upstream) = (folder.display(), server.base.strip_prefix("http://").unwrap());
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let places: String = places.map(|name| format!("{name}_temp_path {path}/{name};\n")).concat();
    let location = |(path, target, more): &(&str, &str, &str)| {
        format!(
            "location {path} {{ proxy_pass {target}; proxy_http_version 1.1; {more} proxy_request_buffering off;\n\
             client_max_body_size 0; }}\n"
        )
    };
    let locations: String = locations.iter().map(location).collect();
    let settings = format!(
        "daemon off; master_process off; pid {path}/pid; error_log {path}/error.log;\n\
         events {{}}\n\
         http {{\n access_log off;\n{places}\
         upstream quarterdeck {{ server {upstream}; keepalive 4; }}\n\
         server {{ listen 127.0.0.1:{port};\n{locations} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new(program);
    command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(&file).stdout(Stdio::null()).kill_on_drop(true);
    let child = command.spawn().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    crate::support::waiting::until("nginx listens", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
    (child, base)
}

#[actix_web::test]
async fn a_refusal_of_an_unread_body_passes_a_proxy_that_streams() {
    let Some(folder) = needs::peer("nginx") else { return };
    let server = TestServer::start().await;
    let (_nginx, base) = front(&server, &folder.join("nginx"), KEEP_ALIVE).await;
    let announced = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n");
    let chunked = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let filler = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).repeat(64);
    for (line, status) in [
        ("PUT /api/v4/config", "HTTP/1.1 401"),
        ("POST /api/v4/nothing", "HTTP/1.1 404"),
        ("POST /api/v4/users", "HTTP/1.1 413"),
    ] {
        for head in [announced(line), chunked(line)] {
            let mut connection = connect(&base).await;
            connection.write_all(head.as_bytes()).await.unwrap();
            // The filler is larger than all buffers; the proxy may stop reading when it has the response.
            let _ = connection.write_all(filler.as_bytes()).await;
            let answer = read_to_end(&mut connection).await;
            assert!(answer.starts_with(status), "{head}{answer}");
        }
    }
    assert!(crate::support::raw::exchange(&base, "GET /api/v4/system/ping HTTP/1.0\r\n\r\n").await.contains("200 OK"));
}

#[actix_web::test]
async fn a_proxy_that_buffers_passes_the_steps_of_a_test_on_as_they_come() {
    let Some(folder) = needs::peer("nginx") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let settings = "proxy_buffering on;";
    let (_nginx, base) = front(&server, &folder.join("nginx"), settings).await;
    // The store accepts the connection and never answers, so the response has no end yet.
    let store = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let body = crate::support::steps::hanging(&admin, &store).await;
    let mut steps = crate::support::steps::begin(&base, &admin, &body).await;
    assert!(steps.head.starts_with("HTTP/1.1 200"), "{}", steps.head);
    let lines = steps.until_started("tls").await;
    assert!(lines.len() > 4, "{lines:?}");
    // The client hangs up at the proxy, which hangs up at the server.
    let (mut connection, _) = store.accept().await.unwrap();
    drop(steps);
    let end = async { while tokio::io::AsyncReadExt::read_u8(&mut connection).await.is_ok() {} };
    crate::support::waiting::within("the abandoned test ends", end).await;
}
