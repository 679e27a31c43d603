//! The requests of mmctl, over the socket and over the network. mmctl is not available as a package.
//!
//! Chapter 3 of the project's notes on clients lists its requests and the responses that it needs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{PASSWORD, account};
use crate::support::smtp::MailServer;
use crate::support::teams::{meeting, open_team};
use crate::support::websocket::{BINARY, Frame, PONG, WebSocket};
use crate::support::{Client, Home, Reply, Socket};

/// The headers that the Go client adds to every request. They contain no content type.
const GO: [(&str, &str); 3] =
    [("User-Agent", "mmctl/11.6.0 (linux)"), ("Accept-Encoding", "gzip"), ("If-None-Match", "")];

#[actix_web::test]
async fn mmctl_local_asks_for_the_status_and_makes_an_account() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mmctl.socket");
    let local_mode = format!("EnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", path.display());
    let home = Home::new(&format!("[ServiceSettings]\n{local_mode}")).await;
    let server = home.start().await;
    let socket = Socket::new(&path);

    let status = socket.get("/system/ping?get_server_status=true&use_rest_semantics=true").await.expect(200);
    assert_eq!((&status["status"], &status["database_status"]), (&json!("OK"), &json!("OK")));
    assert_eq!(status["filestore_status"], "OK");

    let created = socket.post("/users", proposed("anna")).await.expect(201);
    let id = created["id"].as_str().unwrap();
    let promoted = socket.put(&format!("/users/{id}/roles"), json!({ "roles": "system_user system_admin" })).await;
    promoted.expect_ok();
    // The order in which mmctl looks for a user: address, name, id.
    for path in ["/users/email/anna@chat.example", "/users/username/anna", &format!("/users/{id}")] {
        assert_eq!(socket.get(path).await.expect(200)["id"], id, "{path}");
    }
    for unknown in ["/users/email/nobody@chat.example", "/users/username/nobody", "/users/username/No%20Body"] {
        let status = socket.get(unknown).await.status;
        assert!(matches!(status, 400 | 404), "{unknown}: {status} makes mmctl give up its search");
    }
    server.client().log_in("anna").await;
}

#[actix_web::test]
async fn mmctl_auth_login_accepts_the_site_the_token_and_the_version() {
    let site = "[ServiceSettings]\nSiteURL = \"http://127.0.0.1/team\"\n";
    // The address that is entered may have the path of the site, or not have it: then mmctl follows a redirect.
    for (settings, path, front) in [("", "", "//"), (site, "/team", "//"), (site, "", "//?from=root")] {
        let server = Home::new(settings).await.start().await;
        server.client().post("/users", account("anna")).await.expect(201);
        logs_in(&server.client().at(&format!("{}{path}", server.base)), front).await;
    }
}

async fn logs_in(site: &Client, front: &str) {
    assert_eq!(go(site, Method::GET, front, None, None).await.status, 200);
    let login = json!({ "login_id": "anna", "password": PASSWORD });
    let login = go(site, Method::POST, "/users/login", Some(login), None).await;
    login.expect(200);
    assert!(login.headers.get("set-cookie").is_none(), "only scripts of pages are given cookies");
    let token = login.header("token");

    let me = go(site, Method::GET, "/users/me", None, Some(&token)).await;
    assert_eq!(me.expect(200)["username"], "anna");
    assert_is_a_version(&me.header("x-version-id"));
    let ping = "/system/ping?get_server_status=false&use_rest_semantics=false";
    let ping = go(site, Method::GET, ping, None, Some(&token)).await;
    assert_eq!(ping.expect(200)["status"], "OK");
    assert_eq!(ping.header("x-version-id"), me.header("x-version-id"));
}

#[actix_web::test]
async fn mmctl_token_goes_from_generate_to_revoke() {
    let home = Home::new("[ServiceSettings]\nEnableUserAccessTokens = true\n").await;
    let server = home.start().await;
    let site = server.client();
    site.post("/users", account("anna")).await.expect(201);
    let anna = site.log_in("anna").await;
    let session = anna.token.as_deref();

    let path = format!("/users/{}/tokens", anna.user_id);
    let created = go(&site, Method::POST, &path, Some(json!({ "description": "build" })), session).await.expect(200);
    let (id, secret) = (created["id"].as_str().unwrap(), created["token"].as_str().unwrap());
    go(&site, Method::GET, "/users/me", None, Some(secret)).await.expect(200);
    let listed = go(&site, Method::GET, &format!("{path}?page=0&per_page=200"), None, session).await.expect(200);
    assert_eq!((listed[0]["id"].as_str(), listed[0]["is_active"].as_bool()), (Some(id), Some(true)));
    go(&site, Method::POST, "/users/tokens/revoke", Some(json!({ "token_id": id })), session).await.expect_ok();
    let refused = go(&site, Method::GET, "/users/me", None, Some(secret)).await;
    refused.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn mmctl_marks_the_server_as_busy_and_clears_it() {
    let home = Home::new("").await;
    let server = home.start().await;
    let site = server.client();
    site.post("/users", account("anna")).await.expect(201);
    let anna = site.log_in("anna").await;
    let session = anna.token.as_deref();
    let state = || async { go(&site, Method::GET, "/server_busy", None, session).await.expect(200) };

    assert_eq!(state().await["busy"], false);
    go(&site, Method::POST, "/server_busy?seconds=3600", None, session).await.expect_ok();
    let busy = state().await;
    assert_eq!(busy["busy"], true);
    assert!(busy["expires"].is_i64() && busy["expires_ts"].is_string(), "{busy}");
    go(&site, Method::DELETE, "/server_busy", None, session).await.expect_ok();
    assert_eq!(state().await["busy"], false);
}

#[actix_web::test]
async fn mmctl_websocket_connects_twice_and_listens_to_the_second() {
    let home = Home::new("[Quarterdeck]\nSocketPingSeconds = 1\nSocketSilenceSeconds = 3\n").await;
    let server = home.start().await;
    let (channel_id, anna, bert) = meeting(&server.client(), home.folder()).await;
    let token = anna.token.as_ref().unwrap();
    // The first socket is never read.
    let mut abandoned = WebSocket::open(&server.base).await;
    abandoned.ask(1, "authentication_challenge", json!({ "token": token })).await;
    let mut socket = WebSocket::open(&server.base).await;
    socket.ask(2, "authentication_challenge", json!({ "token": token })).await;
    assert_eq!(socket.event_named("hello").await["seq"], 0);
    assert_eq!(socket.answer(2).await, json!({ "status": "OK", "seq_reply": 2 }));

    // {"seq": 3, "action": "ping", "data": null}
    socket.send_frame(true, BINARY, b"\x83\xa3seq\x03\xa6action\xa4ping\xa4data\xc0").await;
    assert_eq!(socket.answer(3).await["data"]["text"], "pong");
    // The silence is longer than the limit. An empty pong to each ping keeps the connection open.
    let mut pings = 0;
    while pings < 5 {
        if socket.next().await == Frame::Ping {
            socket.send_frame(true, PONG, b"").await;
            pings += 1;
        }
    }
    let (mut writer, _) = WebSocket::greeted(&bert).await;
    writer.reply(1, "user_typing", json!({ "channel_id": channel_id })).await;
    assert_eq!(socket.event_named("typing").await["data"]["user_id"], bert.user_id);
    assert_eq!(abandoned.end().await, Frame::Close(Some(1001), "no answer to pings".to_owned()));
}

/// Sends one request of the Go client over the network.
#[actix_web::test]
async fn mmctl_user_invite_sends_a_mail_over_the_network_and_over_the_socket() {
    let Some(mut mail) = MailServer::start(json!({})).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mmctl.socket");
    let home = Home::new(&format!(
        "[ServiceSettings]\nSiteURL = \"https://chat.example\"\nEnableLocalMode = true\n\
         LocalModeSocketLocation = \"{}\"\n[EmailSettings]\nSMTPServer = \"127.0.0.1\"\nSMTPPort = \"{}\"\n",
        path.display(),
        mail.port
    ))
    .await;
    let server = home.start().await;
    let socket = Socket::new(&path);
    socket.post("/users", proposed("anna")).await.expect(201);
    let anna = server.client().log_in("anna").await;
    anna.found(open_team("crew")).await;
    let team = go(&server.client(), Method::GET, "/teams/name/crew", None, anna.token.as_deref()).await.expect(200);
    let invite = format!("/teams/{}/invite/email", team["id"].as_str().unwrap());
    let sent =
        go(&server.client(), Method::POST, &invite, Some(json!(["dora@chat.example"])), anna.token.as_deref()).await;
    sent.expect_ok();
    assert_eq!(mail.next("mail").await["recipients"], json!(["dora@chat.example"]));
    socket.post(&invite, json!(["emil@chat.example"])).await.expect_ok();
    let to_emil = mail.next("mail").await;
    assert!(to_emil["message"].as_str().unwrap().contains("The administrator invites you"), "{to_emil}");
}

async fn go(site: &Client, method: Method, path: &str, body: Option<Value>, token: Option<&str>) -> Reply {
    let authorization = token.map(|token| format!("BEARER {token}"));
    let mut headers = GO.to_vec();
    headers.extend(authorization.as_deref().map(|value| ("Authorization", value)));
    site.send(method, path, body.map(|body| body.to_string()), &headers).await
}

/// Returns the complete user that `mmctl user create` sends.
fn proposed(name: &str) -> Value {
    let mut user = account(name);
    user["nickname"] = json!("");
    user["first_name"] = json!("");
    user["last_name"] = json!("");
    user["locale"] = json!("");
    user["email_verified"] = json!(true);
    user["disable_welcome_email"] = json!(true);
    user
}

/// Fails unless the text has at least three numbers between dots, as mmctl expects.
fn assert_is_a_version(text: &str) {
    let numbers = text.split('.').map_while(|part| part.parse::<u32>().ok()).count();
    assert!(numbers >= 3, "{text}");
}
