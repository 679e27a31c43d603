//! Changes of a password during logins with the old one.

use std::cell::RefCell;
use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use data_encoding::BASE64_NOPAD;
use futures_util::future::join_all;
use serde_json::json;
use tokio::join;

use crate::support::backdoor::texts_in;
use crate::support::server::PASSWORD;
use crate::support::waiting::until;
use crate::support::{Client, Reply, TestServer};

const NEW_PASSWORD: &str = "another-horse-2";

/// The numbers of rounds of a hash that takes much longer than a change of the password, and of a hash of the server.
const SLOW: u32 = 9_000_000;
const USUAL: u32 = 600_000;

const WRONG: &str = "api.user.login.invalid_credentials_email_username";

fn hash(password: &str, work: u32) -> String {
    let mut hash = [0; 32];
    let rounds = NonZeroU32::new(work).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"0123456789abcdef", password.as_bytes(), &mut hash);
    let [salt, hash] = [&b"0123456789abcdef"[..], &hash].map(|bytes| BASE64_NOPAD.encode(bytes));
    format!("$pbkdf2$f=SHA256,w={work},l=32${salt}${hash}")
}

/// Starts a server with an administrator and `anna`, whose password takes long to compare.
async fn slow_account() -> (TestServer, Client, Client) {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let anna = server.user(&admin, "anna").await;
    set_hash(&server, &hash(PASSWORD, SLOW)).await;
    (server, admin, anna)
}

async fn set_hash(server: &TestServer, hash: &str) {
    server.execute(&format!("UPDATE users SET password = '{hash}' WHERE username = 'anna'")).await;
}

/// Waits until a password of `anna` is being compared. The attempt is counted before that.
async fn is_compared(server: &TestServer) {
    const COUNT: &str = "SELECT CAST(failedattempts AS varchar) FROM users WHERE username = 'anna'";
    until("an attempt is counted", async || texts_in(server.folder(), COUNT).await == ["1"]).await;
}

async fn log_in(server: &TestServer, password: &str) -> Reply {
    server.client().post("/users/login", json!({ "login_id": "anna", "password": password })).await
}

/// Sets another password as administrator, as a stored hash, so that no hash waits for its turn.
async fn reset(admin: &Client, user_id: &str) {
    let body = json!({ "new_password": hash(NEW_PASSWORD, USUAL), "already_hashed": "true" });
    admin.put(&format!("/users/{user_id}/password"), body).await.expect_ok();
}

async fn sessions_of(server: &TestServer, user_id: &str) -> usize {
    texts_in(server.folder(), &format!("SELECT id FROM sessions WHERE userid = '{user_id}'")).await.len()
}

#[actix_web::test]
async fn a_login_with_the_old_password_that_ends_after_the_change_opens_no_session() {
    let (server, admin, anna) = slow_account().await;
    let order = RefCell::new(Vec::new());
    let login = async {
        let reply = log_in(&server, PASSWORD).await;
        order.borrow_mut().push("login");
        reply
    };
    let change = async {
        is_compared(&server).await;
        reset(&admin, &anna.user_id).await;
        order.borrow_mut().push("change");
    };
    let (reply, ()) = join!(login, change);
    assert_eq!(*order.borrow(), ["change", "login"]);
    reply.expect_refusal(401, WRONG);
    assert_eq!(sessions_of(&server, &anna.user_id).await, 0);
    log_in(&server, NEW_PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn whatever_the_order_of_logins_and_change_no_session_of_the_old_password_is_left() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let anna = server.user(&admin, "anna").await;
    let has_begun = tokio::sync::Notify::new();
    let logins = (0..10).map(async |_| {
        let reply = log_in(&server, PASSWORD).await;
        has_begun.notify_one();
        reply
    });
    let change = async {
        has_begun.notified().await;
        reset(&admin, &anna.user_id).await;
    };
    let (replies, ()) = join!(join_all(logins), change);
    assert!(replies.iter().any(|reply| reply.status == 200) && replies.iter().any(|reply| reply.status == 401));
    for reply in replies {
        let token = reply.header("token");
        if reply.status == 200 {
            assert_eq!(server.client().with_token(&token).get("/users/me").await.status, 401);
        }
    }
    assert_eq!(sessions_of(&server, &anna.user_id).await, 0);
}

#[actix_web::test]
async fn a_hash_that_another_server_renews_meanwhile_keeps_nobody_out() {
    let (server, _, _) = slow_account().await;
    let renewal = async {
        is_compared(&server).await;
        set_hash(&server, &hash(PASSWORD, USUAL)).await;
    };
    let (reply, ()) = join!(log_in(&server, PASSWORD), renewal);
    reply.expect(200);
}

#[actix_web::test]
async fn the_owner_of_an_old_password_does_not_undo_that_an_administrator_set_another() {
    let (server, admin, anna) = slow_account().await;
    let own = anna.put("/users/me/password", json!({ "current_password": PASSWORD, "new_password": "mine-again-3" }));
    let change = async {
        is_compared(&server).await;
        reset(&admin, &anna.user_id).await;
    };
    let (reply, ()) = join!(own, change);
    reply.expect_refusal(400, "api.user.update_password.incorrect.app_error");
    log_in(&server, NEW_PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn the_owner_of_an_old_password_gives_the_account_no_other_address_after_the_change() {
    let (server, admin, anna) = slow_account().await;
    let patch = json!({ "email": "elsewhere@chat.example", "password": PASSWORD });
    let change = async {
        is_compared(&server).await;
        reset(&admin, &anna.user_id).await;
    };
    let (reply, ()) = join!(anna.put("/users/me/patch", patch), change);
    reply.expect_refusal(400, "api.context.invalid_body_param.app_error");
    let kept = admin.get(&format!("/users/{}", anna.user_id)).await.expect(200);
    assert_eq!(kept["email"], "anna@chat.example");
}
