//! Ids of entries that Redis gives again, or that are far in the future: no batch is taken for published that has no place,
//! and the stream does not grow without end.

use super::*;

/// An id that no clock gives for centuries, in ms.
const FAR_MS: &str = "99999999999999";

#[actix_web::test]
async fn an_id_that_redis_gives_again_loses_no_batch() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let key = site.redis().stream().unwrap();
    let mut number = 1_000;
    let is_given_again = async || {
        site.both_use_redis(&one, &other).await;
        let (base, mut ids) = (soon(&site), Vec::new());
        for _ in 0..2 {
            number += 1;
            let (start, body) = (position(&*one).await, number.to_string());
            // Another program begins the stream anew, with an id after which Redis counts.
            site.redis().run(&["DEL", &key]);
            site.redis().run(&["XADD", &key, &base, "c", "x"]);
            assert!(one.publish(batch("one", number, &[&body])).await.unwrap());
            assert_eq!(bodies_after(&*other, start).await, [body]);
            let text = format!(" one {number}\n");
            ids.extend(site.redis().entries().into_iter().find(|(_, entry)| entry.contains(&text)).map(|(id, _)| id));
        }
        ids.len() == 2 && ids[0] == ids[1]
    };
    until("two batches got one id", is_given_again).await;
}

#[actix_web::test]
async fn a_stream_with_an_id_far_in_the_future_begins_anew() {
    let Some(site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    let key = site.redis().stream().unwrap();
    let start = site.put(&*one, "one", &["before"]).await;
    site.redis().run(&["XADD", &key, &format!("{FAR_MS}-0"), "c", "x"]);
    let middle = position(&*one).await;
    assert_eq!(bodies_after(&*other, start).await, ["before"]);
    let is_anew = async || {
        let are_used = site.uses_redis(&*one).await && site.uses_redis(&*other).await;
        are_used && site.redis().entries().iter().all(|(id, _)| !id.starts_with(FAR_MS))
    };
    until("entries have ids of the clock again", is_anew).await;
    assert!(bodies_after(&*one, middle).await.iter().all(|body| body == "look"));
}

#[actix_web::test]
async fn a_redis_whose_ids_begin_below_the_known_ones_loses_no_batch() {
    let Some(mut site) = Site::start().await else { return };
    let [one, other] = site.twice().await;
    for is_restarted in [true, false] {
        let (key, soon) = (site.redis().stream().unwrap(), soon(&site));
        site.redis().run(&["XADD", &key, &soon, "c", "x"]);
        site.put(&*one, "one", &["before"]).await;
        if !is_restarted {
            // On the same run of Redis, servers go on with the entries that they know: more than they keep.
            fill(&site, &*one, &soon).await;
        }
        let start = position(&*one).await;
        // Its clock is earlier than that of the Redis before, or another program deleted the stream.
        if is_restarted {
            site.redis_mut().kill();
            site.redis_mut().start_again();
        } else {
            site.redis().run(&["DEL", &key]);
        }
        let mut sent: Vec<String> = Vec::new();
        let is_used = async || {
            beat(&*other).await;
            let body = sent.len().to_string();
            site.publish(&*one, "one", &[&body]).await;
            sent.push(body);
            beat(&*one).await;
            sent.len() > 20 && site.last_kind().await == "redis"
        };
        until("events are in Redis again", is_used).await;
        assert_eq!(bodies_after(&*other, start).await, sent);
    }
}

/// Publishes batches until the servers have taken more entries after an id than they keep.
async fn fill(site: &Site, bus: &dyn Bus, after: &str) {
    /// The maximum number of entries that a server keeps.
    const MAX_ENTRIES: usize = 512;
    let key = site.redis().stream().unwrap();
    let mut number = 5_000;
    let is_full = async || {
        beat(bus).await;
        for _ in 0..MAX_ENTRIES / NODES.len() {
            number += 1;
            let published = NODES.iter().skip(1).map(|node| bus.publish(batch(node, number, &["more"])));
            assert!(join_all(published).await.into_iter().all(|published| published.unwrap()));
        }
        // An id, and the name and the value of one field.
        site.redis().run(&["XRANGE", &key, after, "+"]).len() / 3 > MAX_ENTRIES
    };
    until("servers have more entries than they keep", is_full).await;
}

/// Returns an id that the clock of Redis gives in 40 s.
fn soon(site: &Site) -> String {
    let seconds: u64 = site.redis().run(&["TIME"])[0].parse().unwrap();
    format!("{}-0", (seconds + 40) * 1_000)
}
