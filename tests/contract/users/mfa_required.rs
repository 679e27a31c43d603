//! One-time codes that settings and licence require of every user with a password.

use serde_json::json;

use crate::support::license::{Seller, upload};
use crate::support::one_time::{code_of, step};
use crate::support::websocket::WebSocket;
use crate::support::{Client, Reply, TestServer};

const REQUIRED: &str = "api.context.mfa_required.app_error";

const SETTINGS: &str = "[ServiceSettings]\nSiteURL = \"\"\nEnableMultifactorAuthentication = true\n\
                        EnforceMultifactorAuthentication = true\nEnableUserAccessTokens = true\n";

async fn server_and_people(seller: &Seller) -> (TestServer, Client, Client) {
    let server = seller.server(SETTINGS).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    (server, admin, bert)
}

async fn license(seller: &Seller, features: &[&str]) -> String {
    let options: Vec<&str> = features.iter().flat_map(|name| ["--feature", name]).collect();
    seller.license(&options).await
}

/// Sets codes up, as a client does that is told to.
async fn set_up(client: &Client) {
    client.get("/users/me").await.expect(200);
    let made = client.post("/users/me/mfa/generate", json!({})).await.expect(200);
    let code = code_of(made["secret"].as_str().unwrap(), step());
    client.put("/users/me/mfa", json!({ "activate": true, "code": code })).await.expect_ok();
}

async fn requested(client: &Client) -> Reply {
    client.get("/users/stats").await
}

#[actix_web::test]
async fn without_codes_a_user_can_only_set_them_up() {
    let seller = Seller::new().await;
    let (server, admin, bert) = server_and_people(&seller).await;
    let (mut socket, _) = WebSocket::greeted(&bert).await;
    requested(&bert).await.expect(200);
    upload(&admin, &license(&seller, &["ldap"]).await).await.expect(201);
    requested(&bert).await.expect(200);
    upload(&admin, &license(&seller, &["mfa"]).await).await.expect(201);
    for path in ["/users/stats", "/users", "/users/me/preferences", "/users/me/sessions", "/config"] {
        bert.get(path).await.expect_refusal(403, REQUIRED);
        admin.get(path).await.expect_refusal(403, REQUIRED);
    }
    bert.put("/users/me/patch", json!({ "nickname": "b" })).await.expect_refusal(403, REQUIRED);
    bert.get(&format!("/users/{}", admin.user_id)).await.expect_refusal(403, REQUIRED);
    bert.get(&format!("/users/{}", bert.user_id)).await.expect(200);
    let others = format!("/users/{}/mfa", bert.user_id);
    admin.put(&others, json!({ "activate": false })).await.expect_refusal(403, REQUIRED);
    for open in ["/config/client?format=old", "/license/client?format=old", "/system/ping"] {
        bert.get(open).await.expect(200);
    }
    // The socket ends, and a new one gets no events.
    socket.end().await;
    let mut silent = WebSocket::of(&bert, "").await;
    assert!(silent.is_silent().await);
    set_up(&bert).await;
    requested(&bert).await.expect(200);
    WebSocket::greeted(&bert).await;
    requested(&admin).await.expect_refusal(403, REQUIRED);
    bert.put("/users/me/mfa", json!({ "activate": false })).await.expect_ok();
    requested(&bert).await.expect_refusal(403, REQUIRED);
    set_up(&admin).await;
    // The settings of this test are pinned, so the licence is what ends it.
    admin.delete("/license").await.expect_ok();
    requested(&bert).await.expect(200);
    bert.post("/users/logout", json!({})).await.expect_ok();
    drop(server);
}

#[actix_web::test]
async fn other_sign_ins_bots_and_guests_are_spared_and_tokens_are_not() {
    let seller = Seller::new().await;
    let (server, admin, bert) = server_and_people(&seller).await;
    let guest = server.user(&admin, "clara").await;
    let elsewhere = server.user(&admin, "dora").await;
    let directory = server.user(&admin, "emil").await;
    let machine = server.user(&admin, "robot").await;
    let path = format!("/users/{}/tokens", admin.user_id);
    let token = admin.post(&path, json!({ "description": "t" })).await.expect(200);
    let with_token = server.client().with_token(token["token"].as_str().unwrap());
    for (name, change) in [
        ("clara", "roles = 'system_guest'"),
        ("dora", "authservice = 'saml', authdata = 'd'"),
        ("emil", "authservice = 'ldap', authdata = 'e'"),
    ] {
        server.execute(&format!("UPDATE users SET {change} WHERE username = '{name}'")).await;
    }
    server
        .execute(&format!(
            "INSERT INTO bots (userid, description, ownerid, createat, updateat, deleteat) \
             VALUES ('{}', '', '{}', 1, 1, 0)",
            machine.user_id, admin.user_id
        ))
        .await;
    requested(&with_token).await.expect(200);
    upload(&admin, &license(&seller, &["mfa", "guest_accounts"]).await).await.expect(201);
    for spared in [&guest, &elsewhere, &machine] {
        requested(spared).await.expect(200);
    }
    for concerned in [&admin, &bert, &directory, &with_token] {
        requested(concerned).await.expect_refusal(403, REQUIRED);
    }
    set_up(&admin).await;
    requested(&with_token).await.expect(200);
    let guests = json!({ "GuestAccountsSettings": { "EnforceMultifactorAuthentication": true } });
    admin.put("/config/patch", guests).await.expect(200);
    requested(&guest).await.expect_refusal(403, REQUIRED);
    set_up(&guest).await;
    requested(&guest).await.expect(200);
}
