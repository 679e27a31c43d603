//! Mails that no response waits for: how many may wait, and what the log says of one that is dropped.

use serde_json::json;
use tokio::net::TcpListener;

use crate::support::process::{Workplace, read};
use crate::support::server::account;
use crate::support::waiting::until;

/// The number of mails that may wait.
const MAX_MAILS_IN_BACKGROUND: usize = 64;

const DROPPED: &str = "a mail about an account was not sent: too many wait";

#[actix_web::test]
async fn a_confirmation_that_finds_no_place_is_logged_and_an_unwanted_one_needs_none() {
    // It accepts connections and says nothing, so that each mail waits.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let place = Workplace::new(&format!(
        "[EmailSettings]\nSMTPServer = \"127.0.0.1\"\nSMTPPort = \"{port}\"\nSMTPServerTimeout = 120\n"
    ))
    .await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let dropped = || read(&place.path("stderr")).matches(DROPPED).count();
    let require = async |is_required: bool| {
        let wanted = json!({
            "ServiceSettings": { "SiteURL": "https://chat.example" },
            "EmailSettings": { "RequireEmailVerification": is_required },
        });
        admin.put("/config/patch", wanted).await.expect(200);
    };
    let move_to = async |id: &str, email: &str| {
        admin.put(&format!("/users/{id}/patch"), json!({ "email": email })).await.expect(200);
    };
    require(true).await;
    for number in 0..MAX_MAILS_IN_BACKGROUND {
        admin.post("/users", account(&format!("user{number}"))).await.expect(201);
    }
    // No confirmation is required now, so this account takes no place and leaves no line.
    require(false).await;
    admin.post("/users", account("bert")).await.expect(201);
    require(true).await;
    admin.post("/users", account("clara")).await.expect(201);
    until("the log names the first one", async || dropped() > 0).await;
    assert_eq!(dropped(), 1);
    let clara = admin.get("/users/username/clara").await.expect(200);
    let clara = clara["id"].as_str().unwrap();
    move_to(clara, "clara@other.example").await;
    until("the log names the second one", async || dropped() > 1).await;
    move_to(clara, "clara@third.example").await;
    until("the log names the third one", async || dropped() > 2).await;
    assert_eq!(dropped(), 3);
}
