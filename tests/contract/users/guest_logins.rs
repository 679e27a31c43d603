//! Logins of guests, and what happens to guests while guest accounts are off.

use serde_json::{Value, json};

use super::server_with_bert;
use crate::support::license::{Seller, upload};
use crate::support::server::{PASSWORD, TestServer};
use crate::support::waiting::until;
use crate::support::websocket::{Frame, WebSocket};

const GUESTS: &str = "[GuestAccountsSettings]\nEnable = true\n";
const WRONG: &str = "api.user.login.invalid_credentials_email_username";
const OUT: &str = "api.context.session_expired.app_error";

async fn login(server: &TestServer, password: &str) -> crate::support::Reply {
    server.client().post("/users/login", json!({ "login_id": "bert", "password": password })).await
}

fn switched(is_on: bool) -> Value {
    json!({ "GuestAccountsSettings": { "Enable": is_on } })
}

#[actix_web::test]
async fn a_guest_logs_in_where_a_licence_and_the_settings_allow_guests() {
    let seller = Seller::new().await;
    let (server, admin, bert) = server_with_bert(&seller.settings("")).await;
    admin.put("/config/patch", switched(true)).await.expect(200);
    server.execute(&format!("UPDATE users SET roles = 'system_guest' WHERE id = '{}'", bert.user_id)).await;
    login(&server, PASSWORD).await.expect_refusal(401, WRONG);
    let without = json!({
        "id": "a".repeat(26), "expires_at": i64::MAX, "customer": {},
        "features": { "users": 9, "guest_accounts": false },
    });
    upload(&admin, &seller.signed(&without.to_string()).await).await.expect(201);
    login(&server, PASSWORD).await.expect_refusal(401, WRONG);
    upload(&admin, &seller.license(&["--users", "10"]).await).await.expect(201);
    login(&server, "wrong password").await.expect_refusal(401, WRONG);
    let reply = login(&server, PASSWORD).await;
    assert_eq!(reply.expect(200)["roles"], "system_guest");
    let guest = server.client().with_token(&reply.header("token"));
    assert_eq!(guest.get("/users/me/sessions").await.expect(200)[0]["props"]["is_guest"], "true");
}

#[actix_web::test]
async fn guests_are_deactivated_and_logged_out_when_guest_accounts_are_switched_off() {
    let seller = Seller::new().await;
    let (server, admin, bert) = server_with_bert(&seller.settings("")).await;
    upload(&admin, &seller.license(&["--users", "10"]).await).await.expect(201);
    admin.put("/config/patch", switched(true)).await.expect(200);
    admin.post(&format!("/users/{}/demote", bert.user_id), json!({})).await.expect_ok();
    bert.get("/users/me").await.expect(200);
    let (mut of_admin, _) = WebSocket::greeted(&admin).await;
    let (mut of_guest, _) = WebSocket::greeted(&bert).await;
    admin.put("/config/patch", switched(false)).await.expect(200);
    of_admin.event_named("guests_deactivated").await;
    // The event is sent after the guests are deactivated.
    bert.get("/users/me").await.expect_refusal(401, OUT);
    assert!(matches!(of_guest.end().await, Frame::Close(Some(1008), _)));
    let path = format!("/users/{}", bert.user_id);
    assert_ne!(admin.get(&path).await.expect(200)["delete_at"], 0);
    assert_eq!(admin.get(&format!("/users/{}", admin.user_id)).await.expect(200)["delete_at"], 0);
    login(&server, PASSWORD).await.expect_refusal(401, "api.user.login.inactive.app_error");
    let record = crate::support::trail::newest_in(server.folder(), "deactivateGuests").await;
    assert_eq!(record["parameters"], json!({ "user_ids": [bert.user_id] }));
    let refused = admin.put(&format!("{path}/active"), json!({ "active": true })).await;
    let off = "api.user.update_active.cannot_enable_guest_when_guest_feature_is_disabled.app_error";
    refused.expect_refusal(401, off);

    admin.put("/config/patch", switched(true)).await.expect(200);
    login(&server, PASSWORD).await.expect_refusal(401, "api.user.login.inactive.app_error");
    admin.put(&format!("{path}/active"), json!({ "active": true })).await.expect_ok();
    login(&server, PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn a_start_with_guest_accounts_off_deactivates_guests() {
    let (server, admin, bert) = server_with_bert(GUESTS).await;
    let carl = server.user(&admin, "carl").await;
    server.execute(&format!("UPDATE users SET roles = 'system_guest' WHERE id = '{}'", bert.user_id)).await;
    // The other server shares the database, and its settings switch guests off.
    let other = server.start_beside("[GuestAccountsSettings]\nEnable = false\n").await;
    let admin = other.client().with_token(admin.token.as_deref().unwrap());
    let is_out = async || admin.get(&format!("/users/{}", bert.user_id)).await.expect(200)["delete_at"] != json!(0);
    until("the guest is deactivated", is_out).await;
    other.client().with_token(carl.token.as_deref().unwrap()).get("/users/me").await.expect(200);
    let refused = async || bert.get("/users/me").await.status == 401;
    until("the first server reads its sessions again", refused).await;
}

/// Starts a server with bert as a guest.
async fn with_guest(seller: &Seller) -> (TestServer, crate::support::Client, crate::support::Client) {
    let (server, admin, bert) = server_with_bert(&seller.settings("")).await;
    upload(&admin, &seller.license(&["--users", "10"]).await).await.expect(201);
    admin.put("/config/patch", switched(true)).await.expect(200);
    admin.post(&format!("/users/{}/demote", bert.user_id), json!({})).await.expect_ok();
    (server, admin, bert)
}

#[actix_web::test]
async fn guests_are_logged_out_although_a_change_of_something_else_waits_for_its_confirmation() {
    let seller = Seller::new().await;
    let (_server, admin, bert) = with_guest(&seller).await;
    let (mut of_admin, _) = WebSocket::greeted(&admin).await;
    let other = json!({ "TeamSettings": { "SiteName": "new" }, "ServiceSettings": { "ReadTimeout": 301 } });
    admin.put("/config/patch?confirm_within=3600", other).await.expect(200);
    admin.put("/config/patch", switched(false)).await.expect(200);
    of_admin.event_named("guests_deactivated").await;
    bert.get("/users/me").await.expect_refusal(401, OUT);
}

#[actix_web::test]
async fn guests_stay_until_the_change_that_switched_them_off_is_confirmed_also_if_it_waits_for_a_start_then() {
    let seller = Seller::new().await;
    let (_server, admin, bert) = with_guest(&seller).await;
    let (mut of_admin, _) = WebSocket::greeted(&admin).await;
    let mut both = switched(false);
    both["ServiceSettings"] = json!({ "ReadTimeout": 301 });
    let reply = admin.put("/config/patch?confirm_within=3600", both).await;
    reply.expect(200);
    bert.get("/users/me").await.expect(200);
    let version = crate::support::config_place::version_of(&reply);
    let confirmed = admin.post(&format!("/config/versions/{version}/confirm"), Value::Null).await.expect(200);
    assert_eq!(confirmed["confirmation"]["stage"], "before_start");
    of_admin.event_named("guests_deactivated").await;
    bert.get("/users/me").await.expect_refusal(401, OUT);
}
