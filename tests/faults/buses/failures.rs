//! Redis that fails, is slow, is replaced or loses entries: batches go into rows, and what cannot be read is missed.

use std::time::Instant;

use super::*;
use crate::support::waiting::within;

/// Returns the reason why a bus does not use Redis.
fn problem(bus: &dyn Bus) -> Option<String> {
    bus.redis().unwrap().problem
}

#[actix_web::test]
async fn a_redis_that_is_full_gets_nothing_until_it_has_room() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let start = position(&*one).await;
    site.redis().run(&["CONFIG", "SET", "maxmemory", "1"]);
    one.publish(batch("two", 1, &["b"])).await.unwrap();
    assert_eq!((site.last_kind().await.as_str(), bodies_after(&*other, start).await), ("event", vec!["b".to_owned()]));
    let is_full = async || {
        assert!(!site.uses_redis(&*one).await, "it is left alone for a while");
        problem(&*one).is_some_and(|problem| problem.contains("XADD: OOM"))
    };
    until("it is full", is_full).await;
    site.redis().run(&["CONFIG", "SET", "maxmemory", "0"]);
    until("events are in Redis again", async || site.uses_redis(&*one).await).await;
}

#[actix_web::test]
async fn a_redis_that_evicts_keys_is_not_used() {
    let Some(site) = Site::start().await else { return };
    site.redis().run(&["CONFIG", "SET", "maxmemory", "100mb"]);
    site.redis().run(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let bus = site.on_redis().await;
    assert!(problem(&*bus).unwrap().contains("maxmemory-policy"));
}

#[actix_web::test]
async fn a_slow_redis_is_left_alone_and_delays_little() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let start = position(&*one).await;
    site.line().slow(Duration::from_millis(400));
    let entries = site.redis().entries().len();
    let mut uses = 0;
    for number in 1..=20 {
        one.publish(batch("one", number, &["x"])).await.unwrap();
        uses += usize::from(site.uses_redis(&*one).await);
    }
    assert_eq!(uses, 0, "an answer that takes so long is a failure each time");
    assert!(problem(&*one).unwrap().contains("no answer within"), "{:?}", problem(&*one));
    site.line().restore();
    site.both_use_redis(&one, &other).await;
    let is_late = |(_, text): &&(String, String)| text.contains(" one ");
    let late = site.redis().entries()[entries..].iter().filter(is_late).count();
    assert!(late < 6, "a few were tried: {late}");
    let count = bodies_after(&*other, start).await.iter().filter(|body| *body == "x").count();
    assert_eq!(count, 20, "what Redis accepted late is not published again");
}

#[actix_web::test]
async fn a_stream_that_another_program_made_unusable_begins_anew() {
    let Some(site) = Site::start().await else { return };
    let [one, _other] = site.twice().await;
    let key = site.redis().stream().unwrap();
    site.redis().run(&["XADD", &key, "18446744073709551615-18446744073709551615", "c", "x"]);
    until("events are in Redis again", async || site.uses_redis(&*one).await).await;
    site.redis().run(&["DEL", &key]);
    site.redis().run(&["SET", &key, "no stream"]);
    until("events are in Redis again", async || site.uses_redis(&*one).await).await;
}

#[actix_web::test]
async fn messages_that_redis_took_along_are_missed_and_those_behind_them_are_not() {
    let Some(mut site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let start = site.put(&*one, "two", &["c"]).await;
    // A server that started since has not taken them from the stream.
    let reader = site.on_redis().await;
    site.redis_mut().kill();
    site.publish(&*one, "two", &["d"]).await;
    assert_eq!(site.last_kind().await, "event");
    assert_eq!(bodies_after(&*one, start).await, ["c", "d"], "a server that took the entry has it in memory");
    let refused = reader.read(start).await.unwrap_err();
    assert!(refused.to_string().contains("Redis"), "{refused}");
    let behind: Vec<String> = reader.behind(start).await.unwrap().into_iter().map(|placed| placed.body).collect();
    assert_eq!(behind, ["d"]);
    let begun = Instant::now();
    let is_missed = async || reader.read(start).await.is_ok_and(|found| found.len() == 1);
    until("it is missed", is_missed).await;
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(bodies_after(&*reader, start + 2).await, ["d"]);
    site.redis_mut().start_again();
    assert_eq!(read(&*reader, start).await.len(), 1, "it is lost");
    site.both_use_redis(&one, &other).await;
}

#[actix_web::test]
async fn closed_connections_are_opened_again_without_a_failure() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let start = position(&*one).await;
    let mut count = 0;
    for _ in 0..4 {
        let is_put = async || {
            beat(&*one).await;
            site.redis().run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            count += 1;
            site.publish(&*one, "one", &["x"]).await;
            (site.last_kind().await.as_str(), problem(&*one)) == ("redis", None)
        };
        until("a new connection is used", is_put).await;
    }
    assert_eq!(bodies_after(&*other, start).await, vec!["x"; count]);
}

#[actix_web::test]
async fn a_primary_that_was_replaced_is_left_for_the_new_one() {
    let Some(site) = Site::start().await else { return };
    let Some(new) = Redis::start() else { return };
    let [one, other] = site.twice().await;
    // The address leads to the new one; connections to the old one, which is a replica now, stay open.
    site.line().lead_to(&new.address());
    site.redis().run(&["REPLICAOF", "127.0.0.1", "1"]);
    site.both_use_redis(&one, &other).await;
    assert!(new.entries().len() > 1);
}

#[actix_web::test]
async fn an_address_that_leads_to_one_redis_and_another_is_left_alone() {
    let Some(site) = Site::start().await else { return };
    let Some(another) = Redis::start() else { return };
    let [one, other] = site.twice().await;
    let mut failures = 0;
    for number in 1..20 {
        let next = [site.redis(), &another][usize::try_from(number).unwrap() % 2];
        site.line().lead_to(&next.address());
        site.redis().run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        beat(&*one).await;
        beat(&*other).await;
        let begun = Instant::now();
        within("it is published", one.publish(batch("one", number, &["x"]))).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        failures += usize::from(problem(&*one).is_some());
    }
    assert!(failures > 9, "{failures}");
}

#[actix_web::test]
async fn a_batch_that_the_database_does_not_accept_is_put_into_redis_once() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let mut number = 0;
    let is_put_once = async || {
        number += 1;
        beat(&*one).await;
        let (start, entries) = (position(&*one).await, site.redis().entries().len());
        site.execute("ALTER TABLE qd_events RENAME TO away").await;
        for _ in 0..3 {
            one.publish(batch("one", number, &["a"])).await.unwrap_err();
        }
        site.execute("ALTER TABLE away RENAME TO qd_events").await;
        one.publish(batch("one", number, &["a"])).await.unwrap();
        let added = site.redis().entries().len() - entries;
        assert!(added <= 1, "{added}");
        assert_eq!(bodies_after(&*other, start).await, ["a"]);
        added == 1
    };
    until("it is put once", is_put_once).await;
}
