//! The local socket: its permissions, its routes, and its file.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::support::server::account;
use crate::support::{Home, Socket};

#[actix_web::test]
async fn the_socket_is_its_owners_alone() {
    let place = Place::new();
    let _server = place.home().await.start().await;
    let found = std::fs::symlink_metadata(&place.socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o600);
    assert_eq!(names_in(place.folder.path()), ["local.socket"]);
}

#[actix_web::test]
async fn only_routes_of_the_socket_are_served_on_it() {
    let place = Place::new();
    let server = place.home().await.start().await;
    let socket = Socket::new(&place.socket);
    assert_eq!(socket.get("/system/ping").await.expect(200)["status"], "OK");
    for path in ["/users/nowhere/at/all", "/system/timezones", "/system/ping/"] {
        let reply = socket.get(path).await;
        assert_eq!(reply.expect(404)["id"], "api.context.404.app_error", "{path}");
    }
    socket.post("/users/login", json!({})).await.expect_refusal(404, "api.context.404.app_error");
    assert_eq!(server.client().get("/system/ping").await.status, 200);
}

#[actix_web::test]
async fn a_caller_on_the_socket_needs_no_account_and_is_nobody() {
    let place = Place::new();
    let server = place.home().await.start().await;
    let socket = Socket::new(&place.socket);
    socket.post("/users", account("anna")).await.expect(201);
    // Sign-up over the network is closed by now; over the socket it is always open.
    let bert = socket.post("/users", account("bert")).await.expect(201);
    assert_eq!(bert["roles"], "system_user");
    server.client().log_in("bert").await;
    assert_eq!(socket.get("/users/me").await.status, 400, "there is no such user");
}

#[actix_web::test]
async fn the_socket_of_a_killed_server_is_taken_over() {
    let place = Place::new();
    let home = place.home().await;
    home.start().await.kill().await;
    assert!(place.socket.exists(), "a killed server cleans nothing up");
    let _server = home.start().await;
    Socket::new(&place.socket).get("/system/ping").await.expect(200);
}

#[actix_web::test]
async fn the_socket_of_a_living_server_is_not_stolen() {
    let place = Place::new();
    let _first = place.home().await.start().await;
    let second = place.home().await.launch();
    let (status, errors) = second.end().await;
    assert_eq!(status.code(), Some(1), "{errors}");
    let reason = format!("{}: another server listens on this socket", place.socket.display());
    assert!(errors.contains(&reason), "{errors}");
    Socket::new(&place.socket).get("/system/ping").await.expect(200);
}

#[actix_web::test]
async fn a_file_in_the_way_is_left_alone() {
    let place = Place::new();
    std::fs::write(&place.socket, "precious").unwrap();
    let (status, errors) = place.home().await.launch().end().await;
    assert_eq!(status.code(), Some(1), "{errors}");
    let reason = format!("{}: the path exists and is not a socket", place.socket.display());
    assert!(errors.contains(&reason), "{errors}");
    assert_eq!(std::fs::read_to_string(&place.socket).unwrap(), "precious");
}

#[actix_web::test]
async fn the_socket_goes_with_its_server() {
    let place = Place::new();
    let server = place.home().await.start().await;
    assert!(server.stop().await.success());
    assert_eq!(names_in(place.folder.path()), Vec::<String>::new());
}

#[actix_web::test]
async fn a_socket_that_nobody_listens_on_is_replaced() {
    let place = Place::new();
    drop(UnixListener::bind(&place.socket).unwrap());
    let _server = place.home().await.start().await;
    Socket::new(&place.socket).get("/system/ping").await.expect(200);
}

/// A folder for one socket.
struct Place {
    folder: TempDir,
    socket: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("local.socket");
        Self { folder, socket }
    }

    /// Creates a server whose socket is here.
    async fn home(&self) -> Home {
        let socket = self.socket.display();
        Home::new(&format!("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{socket}\"\n")).await
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
