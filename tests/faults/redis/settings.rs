//! The settings of Redis, wrong ones as well, and what is there.

use serde_json::json;

use super::{Place, QUIET, REASON, change, changed};
use crate::support::process::Workplace;
use crate::support::redis::{PASSWORD, Redis};
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{Proxy, TestServer, database, server};

#[actix_web::test]
async fn a_check_warns_and_names_the_step_that_fails() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(redis) = Redis::start() else { return };
    let right = Redis::settings_at(&redis.address());
    let closed = Proxy::start_refused(&redis.address());
    let cases = [
        (right.clone(), None),
        (right.replace(PASSWORD, "mistyped"), Some("Redis: log in: ")),
        (right.replace("RedisDB = 0", "RedisDB = 99"), Some("Redis: log in: ")),
        (Redis::settings_at(&closed.address().to_string()), Some("Redis: ")),
    ];
    for (settings, problem) in cases {
        let output = Workplace::new(&settings).await.run(&["check"], "").await;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "a server starts without Redis: {said}");
        assert_eq!(said.contains("warning: Redis cannot be used"), problem.is_some(), "{said}");
        assert!(problem.is_none_or(|problem| said.contains(problem)), "{problem:?} is missing in: {said}");
        assert!(!said.contains("mistyped"), "the password is not shown: {said}");
        assert_eq!(redis.run(&["KEYS", "*"]), [""; 0], "the check leaves nothing");
    }
}

#[actix_web::test]
async fn an_address_that_cannot_be_used_is_refused_where_it_is_set() {
    for (address, shown) in [
        ("http://cache", " is \"http://cache\": "),
        ("redis://chat:planted@cache", ": "),
        ("chat:planted@cache:6379", ": "),
        ("cache.redis.windows.net:6380,password=planted,ssl=True", ": "),
        ("redis://cache:6379/0?password=planted", ": "),
    ] {
        let output = Workplace::new(&Redis::settings_at(address)).await.run(&["check"], "").await;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && said.contains(&format!("CacheSettings.RedisAddress{shown}")), "{said}");
        assert!(!said.contains("planted"), "a password in the address is not shown: {said}");
    }
}

#[actix_web::test]
async fn redis_holds_no_token_and_no_password() {
    let Some(place) = Place::start().await else { return };
    let user = place.one.user(&place.anna, "bertha").await;
    place.anna.put("/config/patch", json!({ "EmailSettings": { "SMTPPassword": "planted-secret" } })).await.expect(200);
    let all = || place.redis.entries().into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n");
    let is_there = async || {
        change(&user, "an ordinary value").await;
        all().contains("an ordinary value")
    };
    until("the event is there", is_there).await;
    let revoke = format!("/users/{}/sessions/revoke/all", user.user_id);
    place.anna.post(&revoke, json!({})).await.expect_ok();
    place.uses_redis().await;
    let entries = all();
    let tokens = [place.anna.token.as_deref().unwrap(), user.token.as_deref().unwrap()];
    for secret in tokens.iter().chain(&[PASSWORD, "planted-secret", server::PASSWORD]) {
        assert!(!entries.contains(secret), "{secret} is in {entries}");
    }
    for key in place.redis.run(&["KEYS", "*"]) {
        assert!(key.starts_with("quarterdeck:"), "{key}");
    }
}

#[actix_web::test]
async fn redis_with_tls_needs_a_certificate_that_is_valid_or_accepted() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(redis) = Redis::start_on_tls() else { return };
    let settings = Redis::settings_at(&format!("rediss://{}", redis.address()));
    let output = Workplace::new(&settings).await.run(&["check"], "").await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("warning: Redis cannot be used") && said.contains("Redis: TLS: "), "{said}");
    let insecure = format!("{QUIET}EnableInsecureOutgoingConnections = true\n{settings}");
    let one = TestServer::start_with(&insecure).await;
    let anna = one.admin().await;
    let rows = async |value: &str| one.texts(&format!("SELECT kind FROM qd_events WHERE body LIKE '%{value}%'")).await;
    change(&anna, "of one server.").await;
    until("an event in a row is found", async || rows("of one server.").await == ["event"]).await;
    let other = one.start_beside(&insecure).await;
    let (mut socket, _) = WebSocket::greeted(&anna.at(&other.base)).await;
    let mut number = 0;
    let is_over_tls = async || {
        number += 1;
        let value = format!("over TLS {number}.");
        change(&anna, &value).await;
        assert_eq!(changed(&mut socket).await.as_ref(), Some(&value));
        rows(&value).await.is_empty()
    };
    until("an event crosses over TLS and is in no row", is_over_tls).await;
}

#[actix_web::test]
async fn servers_start_with_wrong_settings_of_redis_and_use_the_database() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(redis) = Redis::start() else { return };
    let wrong = Redis::settings_at(&redis.address()).replace(PASSWORD, "mistyped");
    let one = TestServer::start_with(&format!("{QUIET}{wrong}")).await;
    let anna = one.admin().await;
    let other = one.start_beside(&format!("{QUIET}{wrong}")).await;
    let (mut socket, _) = WebSocket::greeted(&anna.at(&other.base)).await;
    change(&anna, "without Redis").await;
    assert_eq!(changed(&mut socket).await.as_deref(), Some("without Redis"));
    assert_eq!(redis.entries(), []);
}
