//! Several servers on one database, a restart, and sessions that end.

use serde_json::json;

use super::{EXPIRED, MINUTE_MS, PASSWORD, REQUIRED, age, log_in, prove, started};

#[actix_web::test]
async fn a_proof_at_one_server_holds_at_the_others() {
    let (one, _) = started("").await;
    let other = one.start_beside("").await;
    let guarded = log_in(&one).await;
    let there = guarded.at(&other.base);
    age(&one, 15 * MINUTE_MS).await;
    for client in [&guarded, &there] {
        client.delete("/license").await.expect_refusal(403, REQUIRED);
    }
    prove(&guarded, PASSWORD).await.expect_ok();
    assert_ne!(there.delete("/license").await.status, 403, "the other server has cached the earlier time");
}

#[actix_web::test]
async fn a_session_that_ended_at_another_server_is_not_proved_again() {
    let (one, admin) = started("").await;
    let other = one.start_beside("").await;
    let guarded = log_in(&one).await;
    age(&one, 15 * MINUTE_MS).await;
    guarded.delete("/license").await.expect_refusal(403, REQUIRED);
    let elsewhere = admin.at(&other.base);
    elsewhere.post(&format!("/users/{}/sessions/revoke/all", admin.user_id), json!({})).await.expect_ok();
    prove(&guarded, PASSWORD).await.expect_refusal(401, EXPIRED);
    guarded.delete("/license").await.expect_refusal(401, EXPIRED);
    guarded.get("/users/me").await.expect_refusal(401, EXPIRED);
}
