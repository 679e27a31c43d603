//! The views of notices.

use serde_json::json;

use super::{EXPIRED, VIEWS_FAILED, ask, view};
use crate::support::notices::{Noticed, entry, shown, shows};
use crate::support::waiting::until;
use crate::support::{Client, TestServer};

const ROWS: &str = "SELECT noticeid || ' ' || viewed FROM productnoticeviewstate WHERE userid = ";

async fn rows(noticed: &Noticed, user: &Client) -> Vec<String> {
    noticed.rows(&format!("{ROWS}'{}' ORDER BY noticeid", user.user_id)).await
}

#[actix_web::test]
async fn a_notice_is_shown_until_it_was_seen_and_only_those_who_saw_it_are_spared() {
    let noticed = Noticed::start("").await;
    let bert = noticed.server.user(&noticed.admin, "bert").await;
    let mut again = entry("again");
    again["repeatable"] = json!(true);
    noticed.tell(json!([entry("one"), entry("two"), again])).await;
    shows(&bert, &["one", "two", "again"]).await;
    bert.put("/system/notices/view", json!(["one", "again", "one"])).await.expect_ok();
    assert_eq!(shown(&bert).await, ["two"]);
    assert_eq!(shown(&noticed.admin).await, ["one", "two", "again"]);
    assert_eq!(rows(&noticed, &bert).await, ["again 1", "one 1"]);
    // The earlier view was two hours ago, and this is the fourth.
    let user_id = &bert.user_id;
    let back =
        format!("UPDATE productnoticeviewstate SET \"timestamp\" = \"timestamp\" - 7200 WHERE userid = '{user_id}'");
    noticed.server.execute(&back).await;
    assert_eq!(shown(&bert).await, ["two", "again"]);
    for _ in 0..3 {
        bert.put("/system/notices/view", json!(["again"])).await.expect_ok();
    }
    noticed.server.execute(&back).await;
    assert_eq!(rows(&noticed, &bert).await, ["again 4", "one 1"]);
    assert_eq!(shown(&bert).await, ["two"]);
}

#[actix_web::test]
async fn any_ids_are_taken_and_none_are_fine() {
    let noticed = Noticed::start("").await;
    let admin = &noticed.admin;
    for body in ["null", "[]", " [ ] "] {
        view(admin, body).await.expect_ok();
    }
    assert!(rows(&noticed, admin).await.is_empty());
    let longest = "é".repeat(26);
    admin.put("/system/notices/view", json!(["in no feed", longest, ""])).await.expect_ok();
    assert_eq!(rows(&noticed, admin).await.len(), 3);
    let many: Vec<String> = (0..1500).map(|number| format!("n{number}")).collect();
    for _ in 0..2 {
        admin.put("/system/notices/view", json!(many)).await.expect_ok();
    }
    let counted = rows(&noticed, admin).await;
    assert_eq!((counted.len(), counted.iter().filter(|row| row.ends_with(" 2")).count()), (1503, 1500));
}

#[actix_web::test]
async fn what_is_no_list_of_ids_is_refused_and_stores_nothing() {
    let noticed = Noticed::start("[ServiceSettings]\nMaximumPayloadSizeBytes = 1000\n").await;
    let admin = &noticed.admin;
    for body in ["", "{", "{}", "\"a\"", "5", "[5]", "[null]", "[[\"a\"]]", "[\"a\"", "[\"a\"]x"] {
        view(admin, body).await.expect_refusal(400, "api.payload.parse.error");
    }
    let large = json!(["a", " ".repeat(3000)]).to_string();
    view(admin, &large).await.expect_refusal(413, "api.context.request_body_too_large.app_error");
    for id in ["n".repeat(27), "a\u{0}b".to_owned()] {
        admin.put("/system/notices/view", json!(["good", id])).await.expect_refusal(400, VIEWS_FAILED);
    }
    view(&noticed.server.client(), "{").await.expect_refusal(401, EXPIRED);
    assert!(rows(&noticed, admin).await.is_empty());
}

#[actix_web::test]
async fn views_that_cannot_be_read_or_stored_refuse_the_request() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.execute("DROP TABLE productnoticeviewstate").await;
    ask(&admin, "client=web&clientVersion=1.0.0").await.expect_refusal(400, VIEWS_FAILED);
    view(&admin, "[\"a\"]").await.expect_refusal(400, VIEWS_FAILED);
    view(&admin, "[]").await.expect_ok();
}

#[actix_web::test]
async fn who_is_new_is_spared_what_is_there_and_told_what_comes() {
    let noticed = Noticed::start("").await;
    noticed.tell(json!([entry("one"), entry("two"), entry("two")])).await;
    shows(&noticed.admin, &["one", "two", "two"]).await;
    let bert = noticed.server.user(&noticed.admin, "bert").await;
    shows(&bert, &[]).await;
    assert_eq!(rows(&noticed, &bert).await, ["one 1", "two 1"]);
    noticed.tell(json!([entry("one"), entry("three")])).await;
    shows(&bert, &["three"]).await;
    // The views of notices that left the feed are deleted, for all users.
    until("the view is forgotten", async || rows(&noticed, &bert).await == ["one 1"]).await;
    noticed.server.execute("DROP TABLE productnoticeviewstate").await;
    noticed.server.user(&noticed.admin, "carla").await;
}
