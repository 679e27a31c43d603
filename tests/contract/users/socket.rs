//! The account routes of the local socket.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::TestServer;
use crate::support::backdoor::texts_in;
use crate::support::server::{PASSWORD, account};
use crate::support::teams::{newcomer, open_team};
use crate::support::trail::newest_in;
use crate::support::websocket::{Frame, WebSocket};

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

#[actix_web::test]
async fn the_socket_serves_the_routes_of_the_command_line_for_teams_bots_and_guests() {
    let (server, _folder, socket) = server().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let team = admin.found(open_team("crew")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    let id = &bert.user_id;
    let auth = json!({ "auth_data": "b", "auth_service": "saml" });
    let migration = json!({ "from": "email", "force": false, "match_field": "email" });
    for (method, path, body, expected) in [
        (Method::POST, "/teams/search".to_owned(), json!({ "term": "crew" }), 200),
        (Method::PUT, format!("/teams/{team}"), json!({ "id": team, "display_name": "New" }), 200),
        (Method::PUT, format!("/teams/{team}/patch"), json!({ "display_name": "Newer" }), 200),
        (Method::PUT, format!("/teams/{team}/privacy"), json!({ "privacy": "I" }), 200),
        (Method::DELETE, format!("/teams/{team}/members/{id}"), json!({}), 200),
        (Method::DELETE, format!("/teams/{team}"), json!({}), 200),
        (Method::POST, format!("/teams/{team}/restore"), json!({}), 200),
        (Method::DELETE, format!("/teams/{team}?permanent=true"), json!({}), 200),
        (Method::POST, format!("/users/{id}/demote"), json!({}), 501),
        (Method::POST, format!("/users/{id}/promote"), json!({}), 501),
        (Method::POST, format!("/users/{id}/convert_to_bot"), json!({}), 200),
        (Method::GET, format!("/bots/{id}"), json!({}), 200),
        (Method::PUT, format!("/bots/{id}"), json!({ "display_name": "R2" }), 200),
        (Method::POST, format!("/bots/{id}/disable"), json!({}), 200),
        (Method::POST, format!("/bots/{id}/enable"), json!({}), 200),
        (Method::POST, format!("/bots/{id}/assign/{}", admin.user_id), json!({}), 200),
        (Method::POST, format!("/bots/{id}/convert_to_user"), json!({ "password": PASSWORD }), 200),
        (Method::PUT, format!("/users/{id}/auth"), auth, 200),
        (Method::POST, "/users/migrate_auth/ldap".to_owned(), migration, 501),
    ] {
        let (status, answer) = send(&socket, method, &path, body).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }
}

#[actix_web::test]
async fn the_socket_alone_deletes_all_accounts() {
    let (server, _folder, socket) = server().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    admin.found(open_team("crew")).await;
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    admin.delete("/users").await.expect_refusal(404, "api.context.404.app_error");
    let (status, answer) = send(&socket, Method::DELETE, "/users", json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert!(matches!(to_bert.end().await, Frame::Close(Some(1008), _)));
    admin.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    for table in ["users", "teammembers", "channelmembers", "preferences", "sessions"] {
        let left = texts_in(server.folder(), &format!("SELECT 'row' FROM {table}")).await;
        assert!(left.is_empty(), "{table}");
    }
    let (status, carla) = send(&socket, Method::POST, "/users", account("carla")).await;
    assert_eq!((status, &carla["roles"]), (201, &json!("system_admin system_user")));
    server.login("carla").await.audits().await;
    assert_eq!(newest_in(server.folder(), "permanentDeleteAllUsers").await["parameters"]["count"], 2);
}
