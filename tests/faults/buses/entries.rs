//! Entries in Redis: where batches are, that they are published once, and that lost and changed ones are no messages.

use super::*;

/// The lock of the bus, in the list of all locks.
const BUS_LOCK: &str = "locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = \
                        hashtextextended('quarterdeck bus ' || current_schema(), 0)";

#[actix_web::test]
async fn events_are_in_redis_only_while_all_servers_use_the_same_one() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let start = site.put(&*one, "one", &["a", "b"]).await;
    let text = format!(" one {}\nevent 1\naevent 1\nb", site.last.get());
    assert!(site.redis().entries().pop().unwrap().1.ends_with(&text));
    // An older server, which does not know such rows, misses at least the position before the messages.
    let range = one.end().await.unwrap().place;
    assert_eq!(range.position, start + 3);

    // A server with other settings, or of an earlier version.
    let apart = site.in_database();
    join(&*apart, "apart").await;
    site.publish(&*one, "one", &["c"]).await;
    assert_eq!(site.last_kind().await, "event");
    for bus in [&*one, &*other, &*apart] {
        assert_eq!(bodies_after(bus, range.position).await, ["c"]);
    }
    // It cannot read what came before, and passes nothing over.
    assert!(apart.read(start).await.unwrap().iter().all(|placed| placed.place.position <= start));
    assert_eq!(apart.read(range.position).await.unwrap()[0].place, range);

    apart.leave("apart".to_owned()).await.unwrap();
    site.put(&*one, "one", &["again"]).await;
    // Another Redis, as another half of a cluster would use it.
    site.execute("UPDATE qd_nodes SET bus = 'another' WHERE id = 'four'").await;
    site.publish(&*one, "two", &["d"]).await;
    assert_eq!(site.last_kind().await, "event");
}

#[actix_web::test]
async fn facts_and_the_events_of_a_server_alone_are_in_the_database() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let start = position(&*one).await;
    for (number, kind) in (1..).zip(["given", "caches", "question", "moved", "lost", "rewound", "later"]) {
        let messages = [("event", String::new()), (kind, "a fact".to_owned())].into();
        one.publish(Batch { node_id: "one".to_owned(), number, messages }).await.unwrap();
        assert_eq!(site.last_kind().await, kind);
    }
    assert_eq!(bodies_after(&*other, start).await.len(), 14);
    for node in &NODES {
        one.leave((*node).to_owned()).await.unwrap();
    }
    let beat = Beat { id: LOOKING.to_owned(), position: 0, config_hash: String::new() };
    one.beat(beat).await.unwrap();
    site.publish(&*one, LOOKING, &["alone"]).await;
    assert_eq!(site.last_kind().await, "event");
}

#[actix_web::test]
async fn batches_that_wait_get_their_places_together() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let mut number = 0;
    let together = async || {
        number += 1;
        let start = position(&*one).await;
        let rows = site.kinds().await.len();
        let of = |at: usize| [&one, &other][at % 2].publish(batch(NODES[at], number, &[NODES[at]]));
        join_all((0..NODES.len()).map(of)).await.into_iter().for_each(|published| assert!(published.unwrap()));
        let mut bodies = bodies_after(&*other, start).await;
        bodies.sort();
        assert_eq!(bodies, ["four", "one", "three", "two"]);
        beat(&*one).await;
        beat(&*other).await;
        site.kinds().await.len() - rows < NODES.len()
    };
    until("one row has the batches of several servers", together).await;
}

#[actix_web::test]
async fn a_batch_that_is_published_in_rows_and_over_redis_at_once_is_published_once() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let rows = site.in_database();
    let start = position(&*one).await;
    for number in 1..30 {
        let body = number.to_string();
        let all = [&one, &other, &rows].map(|bus| bus.publish(batch("one", number, &[&body])));
        join_all(all).await.into_iter().for_each(|published| assert!(published.unwrap()));
    }
    assert_eq!(bodies_after(&*other, start).await, (1..30).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[actix_web::test]
async fn a_batch_waits_for_the_lock_of_the_bus_and_stays_in_redis() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    // A transaction that holds the lock until another one waits for it, with a bounded number of looks.
    let locking = format!(
        "DO $$ BEGIN PERFORM qd_lock(); FOR look IN 1..500 LOOP EXIT WHEN EXISTS (SELECT 1 FROM pg_locks \
         WHERE NOT granted AND {BUS_LOCK}); PERFORM pg_sleep(0.01); END LOOP; END $$"
    );
    let held = format!("SELECT pid::text FROM pg_locks WHERE granted AND {BUS_LOCK}");
    let is_in_redis = async || {
        site.both_use_redis(&one, &other).await;
        let start = position(&*one).await;
        let publish = async {
            let is_held = async || !backdoor::texts_in(site.folder.path(), &held).await.is_empty();
            until("another transaction holds the lock", is_held).await;
            site.publish(&*one, "one", &["a"]).await;
        };
        futures_util::join!(site.execute(&locking), publish);
        assert_eq!(bodies_after(&*other, start).await, ["a"]);
        site.last_kind().await == "redis"
    };
    until("the batch is in Redis", is_in_redis).await;
}

#[actix_web::test]
async fn lost_and_changed_entries_are_missed_messages() {
    let Some(site) = Site::start().await else { return };
    let [one, _other] = site.twice().await;
    let mut start = 0;
    let are_put = async || {
        start = site.put(&*one, "one", &["a", "b"]).await;
        for _ in 0..2 {
            site.publish(&*one, "one", &["a", "b"]).await;
        }
        site.kinds().await.iter().rev().take(3).all(|kind| kind == "redis")
    };
    until("three batches are in Redis", are_put).await;
    let key = site.redis().stream().unwrap();
    let entries = site.redis().entries().split_off(site.redis().entries().len() - 3);
    // A server that started since has not taken them from the stream.
    let reader = site.on_redis().await;
    let count = async |from: i64| {
        let found = read(&*reader, start + from).await;
        found.iter().filter(|placed| placed.place.position > start + from).count()
    };
    until("all are read", async || count(0).await == 9).await;
    // Another program deletes an entry and puts others with its id: a changed one, another one, a huge one, many fields.
    let huge = "x".repeat(20 << 20);
    let (second, third) = (&entries[1].1, &entries[2].1);
    for value in [&second.replace("\nb", "\nc"), third, &huge, &String::new()] {
        site.redis().run(&["DEL", &key]);
        site.redis().run(&["XADD", &key, &entries[0].0, "c", &entries[0].1]);
        site.redis().run(&["XADD", &key, &entries[1].0, "c", value, "d", "e"]);
        assert!(count(0).await <= 3, "whole ranges");
        assert_eq!(count(3).await, 0, "nothing after the last place: it was missed");
    }
    site.redis().run(&["FLUSHALL"]);
    assert_eq!(count(3).await, 0);
    assert_eq!(read(&*reader, start + 9).await.len(), 1, "a server that has read all misses nothing");
    site.redis().run(&["SET", &key, "no stream"]);
    assert_eq!(count(3).await, 0);
    let is_left = async || {
        count(3).await;
        reader.redis().unwrap().problem.is_some_and(|problem| problem.contains("lost"))
    };
    until("it is left alone for a while", is_left).await;
    // The server that published them has them in memory.
    assert_eq!(bodies_after(&*one, start).await.len(), 6);
}

#[actix_web::test]
async fn an_entry_of_another_program_gets_no_place_and_takes_no_number() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let (key, start) = (site.redis().stream().unwrap(), site.put(&*one, "one", &["a"]).await);
    let (_, earlier) = site.redis().entries().pop().unwrap();
    let number = site.last.get();
    for value in [
        earlier.as_str(),
        &earlier.replace(&format!("one {number}\n"), &format!("one {}\n", number + 10)),
        &format!("{} one {}\nevent 1\nx", "0".repeat(64), number + 10),
        "",
    ] {
        site.redis().run(&["XADD", &key, "*", "c", value]);
    }
    for (bus, body) in [(&one, "b"), (&other, "c")] {
        site.publish(&**bus, "one", &[body]).await;
    }
    assert_eq!(bodies_after(&*other, start).await, ["a", "b", "c"]);
}

#[actix_web::test]
async fn an_entry_that_is_too_long_for_redis_is_in_the_database() {
    let Some(site) = Site::start().await else { return };
    let [one, _other] = site.twice().await;
    let long = "x".repeat((512 << 10) - 200);
    site.publish(&*one, "one", &[&long, &long]).await;
    assert_eq!(site.last_kind().await, "event");
    let mut start = 0;
    let are_put = async || {
        start = site.put(&*one, "one", &[&long]).await;
        for _ in 0..11 {
            site.publish(&*one, "one", &[&long]).await;
        }
        site.kinds().await.iter().rev().take(12).all(|kind| kind == "redis")
    };
    until("long entries are in Redis", are_put).await;
    // One call reads a few of the long ones.
    let reader = site.on_redis().await;
    assert!(read(&*reader, start).await.len() < 24);
    assert_eq!(after(&*reader, start).await.len(), 12);
}
