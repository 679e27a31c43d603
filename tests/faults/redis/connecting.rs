//! Connections to Redis with a prefix, another database, an account of the access control list, and TLS. Over each of them,
//! events arrive.

use serde_json::json;

use super::{QUIET, REASON, change, changed};
use crate::support::redis::{PASSWORD, Redis};
use crate::support::server::account;
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{Client, Home, TestServer, database};

/// The password of the account of the access control list.
const WORD: &str = "word-of-the-account";

/// Returns the settings of a server that uses a Redis, with some of them replaced.
fn settings(redis: &Redis, (before, after): (&str, &str)) -> String {
    format!("{QUIET}{}", Redis::settings_at(&redis.address()).replace(before, after))
}

/// Publishes events on one server until one has arrived at another one and is in no row of the database, so that it came
/// over Redis.
async fn crosses(here: &Client, there: &Client, rows: impl AsyncFn(&str) -> Vec<String>) {
    let (mut socket, _) = WebSocket::greeted(there).await;
    let mut number = 0;
    let is_in_redis = async || {
        number += 1;
        let value = format!("over Redis {number}.");
        change(here, &value).await;
        assert_eq!(changed(&mut socket).await.as_ref(), Some(&value));
        rows(&format!("SELECT kind FROM qd_events WHERE body LIKE '%{value}%'")).await.is_empty()
    };
    until("an event crosses over Redis", is_in_redis).await;
}

/// Starts two servers with these settings, and publishes events on one of them.
async fn two_servers_cross(settings: &str) {
    let one = TestServer::start_with(settings).await;
    let anna = one.admin().await;
    let other = one.start_beside(settings).await;
    crosses(&anna, &anna.at(&other.base), async |sql: &str| one.texts(sql).await).await;
}

#[actix_web::test]
async fn events_arrive_with_a_prefix_and_in_another_database() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(redis) = Redis::start() else { return };
    two_servers_cross(&settings(&redis, ("RedisDB = 0", "RedisDB = 0\nRedisCachePrefix = \"chat:\""))).await;
    let keys = redis.run(&["KEYS", "*"]);
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("chat:quarterdeck:")), "{keys:?}");
    two_servers_cross(&settings(&redis, ("RedisDB = 0", "RedisDB = 3"))).await;
    let told = redis.run(&["INFO", "keyspace"]).concat();
    assert!(told.contains("db3:keys=1"), "{told}");
}

#[actix_web::test]
async fn events_arrive_with_an_account_that_may_run_the_documented_commands_only() {
    const COMMANDS: [&str; 8] = ["info", "ping", "xadd", "xread", "xrange", "xrevrange", "pexpire", "del"];
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(redis) = Redis::start() else { return };
    let documents = include_str!("../../../docs/cluster.md");
    assert!(COMMANDS.iter().all(|command| documents.contains(&format!("`{}`", command.to_uppercase()))));
    let word = format!(">{WORD}");
    let allowed = COMMANDS.map(|command| format!("+{command}"));
    let rules = ["ACL", "SETUSER", "chat", "on", &word, "~quarterdeck:*", "-@all"];
    let rules: Vec<&str> = rules.into_iter().chain(allowed.iter().map(String::as_str)).collect();
    assert_eq!(redis.run(&rules), ["OK"]);
    let address = format!("redis://chat@{}", redis.address());
    let settings = Redis::settings_at(&address).replace(PASSWORD, WORD);
    two_servers_cross(&format!("{QUIET}{settings}")).await;
}

#[actix_web::test]
async fn events_arrive_over_tls_with_a_certificate_that_is_valid() {
    let Some(base) = database::only_postgres(REASON) else { return };
    let Some(redis) = Redis::start_on_tls() else { return };
    let section = database::settings_in(&base, &database::fresh_schema(&base).await);
    let settings = format!("{QUIET}{}", Redis::settings_at(&format!("rediss://{}", redis.address())));
    let home = || {
        let home = Home::on_database(&section, &settings);
        home.with_variable("SSL_CERT_FILE", redis.certificate().to_str().unwrap())
    };
    let (first, second) = (home(), home());
    let (one, other) = (first.start().await, second.start().await);
    one.client().post("/users", account("anna")).await.expect(201);
    let anna = one.client().log_in("anna").await;
    let rows = async |sql: &str| crate::support::backdoor::texts_in(first.folder(), sql).await;
    crosses(&anna, &anna.at(&other.base), rows).await;
    let insecure =
        anna.get("/config").await.expect(200)["ServiceSettings"]["EnableInsecureOutgoingConnections"].clone();
    assert_eq!(insecure, json!(false), "the certificate is checked");
}
