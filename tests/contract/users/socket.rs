//! The account routes of the local socket.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::TestServer;
use crate::support::server::account;

/// Starts a server with a local socket in a separate folder.
async fn server() -> (TestServer, TempDir, reqwest::Client) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local.socket");
    let settings =
        format!("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", path.display());
    let server = TestServer::start_with(&settings).await;
    let client = reqwest::Client::builder().unix_socket(path).build().unwrap();
    (server, folder, client)
}

async fn send(client: &reqwest::Client, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = client.request(method, format!("http://local/api/v4{path}"));
    let answer = request.body(body.to_string()).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[actix_web::test]
async fn the_socket_makes_lists_changes_and_deletes_accounts_without_a_session() {
    let (server, _folder, socket) = server().await;
    server.admin().await;
    let (status, user) = send(&socket, Method::POST, "/users", account("bert")).await;
    assert_eq!(status, 201, "{user}");
    let id = user["id"].as_str().unwrap();
    let served = [
        (Method::GET, "/users".to_owned(), json!({})),
        (Method::POST, "/users/ids".to_owned(), json!([id])),
        (Method::GET, format!("/users/{id}"), json!({})),
        (Method::GET, "/users/username/bert".to_owned(), json!({})),
        (Method::GET, "/users/email/bert@chat.example".to_owned(), json!({})),
        (Method::PUT, format!("/users/{id}"), user.clone()),
        (Method::PUT, format!("/users/{id}/roles"), json!({ "roles": "system_user" })),
        (Method::PUT, format!("/users/{id}/password"), json!({ "new_password": "another-horse-2" })),
        (Method::PUT, format!("/users/{id}/active"), json!({ "active": true })),
        (Method::POST, format!("/users/{id}/email/verify/member"), json!({})),
        (Method::DELETE, format!("/users/{id}?permanent=true"), json!({})),
    ];
    for (method, path, body) in served {
        let (status, answer) = send(&socket, method, &path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let (status, refusal) = send(&socket, Method::GET, "/users/me", json!({})).await;
    assert_eq!((status, refusal["id"].as_str()), (400, Some("api.context.invalid_url_param.app_error")));
}

#[actix_web::test]
async fn the_socket_serves_no_other_account_route() {
    let (_server, _folder, socket) = server().await;
    let elsewhere = [
        (Method::POST, "/users/login"),
        (Method::POST, "/users/usernames"),
        (Method::POST, "/users/search"),
        (Method::PUT, "/users/me/patch"),
        (Method::POST, "/users/me/reset_failed_attempts"),
    ];
    for (method, path) in elsewhere {
        let (status, refusal) = send(&socket, method, path, json!({})).await;
        assert_eq!((status, refusal["id"].as_str()), (404, Some("api.context.404.app_error")), "{path}");
    }
}
