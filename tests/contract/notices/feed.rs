//! Fetching the feed, and the notices in force when the feed is invalid.

use serde_json::json;

use crate::support::notices::{Noticed, entry, shown, shows};
use crate::support::waiting::until;
use crate::support::web_peer::WebPeer;
use crate::support::{Proxy, TestServer};

const MARKS: &str = "ETag: \"first\"\r\nDate: Tue, 10 Mar 2026 15:00:00 GMT\r\n";

#[actix_web::test]
async fn a_feed_that_did_not_change_is_asked_for_by_its_marks_and_kept() {
    let noticed = Noticed::start("").await;
    noticed.feed.answer_with(200, MARKS, &json!([entry("one")]).to_string());
    noticed.fetch().await;
    shows(&noticed.admin, &["one"]).await;
    noticed.feed.answer(304, "");
    noticed.fetch().await;
    assert_eq!(noticed.feed.last_header("if-none-match"), "\"first\"");
    assert_eq!(noticed.feed.last_header("if-modified-since"), "Tue, 10 Mar 2026 15:00:00 GMT");
    assert!(noticed.feed.last_header("user-agent").starts_with("Quarterdeck/"));
    noticed.fetch().await;
    assert_eq!(shown(&noticed.admin).await, ["one"]);
    assert_eq!(noticed.feed.last_header("if-none-match"), "\"first\"");
    noticed.tell(json!([entry("two")])).await;
    shows(&noticed.admin, &["two"]).await;
    noticed.fetch().await;
    assert_eq!(noticed.feed.last_header("if-none-match"), "");
    assert!(noticed.feed.lines().iter().all(|line| line == "GET /feed HTTP/1.1"));
}

#[actix_web::test]
async fn who_skips_the_cache_sends_no_marks() {
    let noticed = Noticed::start("NoticesSkipCache = true\n").await;
    noticed.feed.answer_with(200, MARKS, &json!([entry("one")]).to_string());
    noticed.fetch().await;
    shows(&noticed.admin, &["one"]).await;
    noticed.fetch().await;
    let feed = &noticed.feed;
    assert_eq!((feed.last_header("if-none-match"), feed.last_header("if-modified-since")), Default::default());
}

#[actix_web::test]
async fn a_refusal_drops_the_feed_but_not_who_saw_it_and_the_next_fetch_begins_anew() {
    let noticed = Noticed::start("").await;
    for status in [204, 401, 404, 500] {
        noticed.feed.answer_with(200, MARKS, &json!([entry("one"), entry("two")]).to_string());
        noticed.fetch().await;
        until("the feed is there", async || !shown(&noticed.admin).await.is_empty()).await;
        noticed.admin.put("/system/notices/view", json!(["one"])).await.expect_ok();
        noticed.feed.answer(status, "");
        noticed.fetch().await;
        shows(&noticed.admin, &[]).await;
        noticed.fetch().await;
        assert_eq!(noticed.feed.last_header("if-none-match"), "", "{status}");
    }
    noticed.tell(json!([entry("one"), entry("two")])).await;
    shows(&noticed.admin, &["two"]).await;
}

#[actix_web::test]
async fn an_answer_that_is_no_feed_or_has_no_end_changes_nothing() {
    let noticed = Noticed::start("").await;
    noticed.tell(json!([entry("one")])).await;
    shows(&noticed.admin, &["one"]).await;
    let large = json!([entry(&"x".repeat(1024 * 1024))]).to_string();
    for body in ["", "null", "{}", "<html>", "[{\"id\":\"two\"", large.as_str()] {
        noticed.feed.answer(200, body);
        noticed.fetch().await;
    }
    // The last entry was processed before the next fetch.
    noticed.fetch().await;
    assert_eq!(shown(&noticed.admin).await, ["one"]);
    noticed.tell(json!([{ "id": "broken" }, 5, entry("three")])).await;
    shows(&noticed.admin, &["three"]).await;
}

#[actix_web::test]
async fn nobody_waits_for_a_feed_that_is_not_there_and_it_is_asked_for_again() {
    let feed = WebPeer::start().await;
    feed.answer(200, &json!([entry("one")]).to_string());
    let proxy = Proxy::start_refused(&format!("127.0.0.1:{}", feed.port()));
    let url = format!("http://{}/feed", proxy.address());
    let settings = format!("[AnnouncementSettings]\nNoticesURL = \"{url}\"\nNoticesFetchFrequency = 1\n");
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    assert_eq!(shown(&admin).await, [""; 0]);
    // The next fetch starts by itself.
    proxy.restore();
    shows(&admin, &["one"]).await;
    // The last fetched notices stay in force while the source is unreachable.
    proxy.refuse();
    feed.answer(200, "[]");
    assert_eq!(shown(&admin).await, ["one"]);
    proxy.restore();
    shows(&admin, &[]).await;
}

#[actix_web::test]
async fn another_address_or_a_switch_is_followed_at_once() {
    let noticed = Noticed::start("AdminNoticesEnabled = true\nUserNoticesEnabled = true\n").await;
    noticed.tell(json!([entry("one")])).await;
    shows(&noticed.admin, &["one"]).await;
    let other = WebPeer::start().await;
    other.answer(500, "");
    noticed.configure("NoticesURL", &format!("\"{}\"", other.url())).await;
    // Notices of the earlier URL are not in force for the new one.
    shows(&noticed.admin, &[]).await;
    other.answer(200, &json!([entry("two")]).to_string());
    noticed.configure("UserNoticesEnabled", "false").await;
    shows(&noticed.admin, &["two"]).await;
    until("it was asked for", async || other.count() == 2).await;
    noticed.configure("AdminNoticesEnabled", "false").await;
    assert_eq!(shown(&noticed.admin).await, [""; 0]);
    noticed.configure("NoticesFetchFrequency", "1").await;
    other.answer(200, &json!([entry("three")]).to_string());
    assert_eq!(other.count(), 2, "nothing is fetched while nobody is to be told anything");
    noticed.configure("AdminNoticesEnabled", "true").await;
    shows(&noticed.admin, &["three"]).await;
}
