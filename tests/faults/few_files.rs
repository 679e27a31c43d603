//! A server with a low limit of open files: it divides them and logs it, and idle clients do not block others.

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::process::{Process, Workplace, lines};
use crate::support::raw::connect;
use crate::support::server::account;
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;

const FILES: u32 = 256;
const FILE_LOG: &str = "[LogSettings]\nEnableConsole = false\nFileLocation = \"logs\"\n";
const PING: &[u8] = b"GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\n\r\n";

#[actix_web::test]
async fn few_files_are_told_of_and_divided_between_connections_sockets_and_the_database() {
    let (place, server) = server_with_few_files().await;
    let warned = lines(&place.path("logs/mattermost.log"));
    let warned = warned.iter().find(|line| line["files"] == FILES && line["level"] == "warn");
    let warned = warned.expect("nothing warns of few files");
    let share = |name: &str| usize::try_from(warned[name].as_u64().unwrap()).unwrap();
    let (connections, sockets) = (share("connections"), share("sockets"));
    assert!(sockets >= 50 && connections > sockets && share("database.connections") >= 1, "{warned}");
    // The other files are the reserved ones and a few connections to the database.
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(open_files(&server) <= 84 + 6 * cores + share("database.connections"), "{}", open_files(&server));
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    // All allowed sockets are open, and other requests are served as well.
    let open = join_all((0..sockets).map(|_| WebSocket::greeted(&admin))).await;
    assert!(
        WebSocket::try_open(&server.base, &socket_of(admin.token.as_deref())).await.is_err(),
        "one socket too many"
    );
    for _ in 0..20 {
        admin.get("/users/me").await.expect(200);
        admin.put("/users/me/patch", json!({ "nickname": "x" })).await.expect(200);
    }
    assert!(open_files(&server) < FILES as usize);
    drop(open);
}

#[actix_web::test]
async fn idle_connections_make_room_for_new_ones_and_a_socket_does_not() {
    let (_place, server) = server_with_few_files().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let (mut socket, _) = WebSocket::greeted(&admin).await;
    // More connections than files: half of them send nothing, half are idle after a request.
    let mut idle = Vec::new();
    for number in 0..2 * FILES {
        // New connections are refused until the others have been idle for a second.
        let mut connection = connect(&server.base).await;
        if number % 2 == 0 {
            until("a connection is served", async || {
                let is_served = ping(&mut connection).await;
                if !is_served {
                    connection = connect(&server.base).await;
                }
                is_served
            })
            .await;
        }
        idle.push(connection);
    }
    assert!(open_files(&server) < FILES as usize);
    // The longest idle connection was closed to make room.
    until("the first is closed", async || is_closed(&idle[0])).await;
    assert_eq!(socket.reply(1, "ping", json!({})).await["status"], "OK");
}

async fn server_with_few_files() -> (Workplace, Process) {
    let mut place = Workplace::new(FILE_LOG).await;
    place.limit_files(FILES);
    let server = place.serve().await;
    (place, server)
}

/// Returns true if a ping on the connection is answered.
async fn ping(connection: &mut TcpStream) -> bool {
    // The server may have closed a refused connection already.
    let _ = connection.write_all(PING).await;
    let mut answer = vec![0; 16 * 1024];
    let read = connection.read(&mut answer).await.unwrap_or(0);
    answer[..read].starts_with(b"HTTP/1.1 200")
}

/// Returns true if the server closed the connection.
fn is_closed(connection: &TcpStream) -> bool {
    let mut rest = vec![0; 16 * 1024];
    matches!(connection.try_read(&mut rest), Ok(0))
        || connection.try_read(&mut rest).is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
}

fn socket_of(token: Option<&str>) -> String {
    let token = token.unwrap();
    crate::support::websocket::upgrade("", &format!("Authorization: Bearer {token}\r\n"))
}

fn open_files(server: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count()
}
