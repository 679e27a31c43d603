//! The requests that this server has admitted and not told the other servers of its database.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use quarterdeck_actors::clock::Uptime;
use quarterdeck_actors::cluster::{Admitted, Bucket};

use super::store::Quantities;

/// The maximum number of buckets of which one message tells. Those with fewer requests are in a later one.
const MAX_TOLD: usize = 2_000;

/// The maximum number of buckets whose requests are counted for the other servers.
const MAX_BUCKETS: usize = 65_536;

/// The time after which the others are not told of a bucket with few requests.
const FEW_AFTER_MS: i64 = 8_000;

/// The part of the burst, and of the requests of a second, below which requests are few.
const FEW_PART: u32 = 8;

/// The requests of a bucket.
struct Requests {
    count: u32,
    since: Uptime,
}

/// The requests by bucket.
#[derive(Default)]
pub(super) struct Untold(Mutex<HashMap<Bucket, Requests>>);

impl Untold {
    /// Counts a request.
    pub(super) fn note(&self, bucket: Bucket, now: Uptime) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_BUCKETS && !all.contains_key(&bucket) {
            return;
        }
        let requests = all.entry(bucket).or_insert(Requests { count: 0, since: now });
        requests.count = requests.count.saturating_add(1);
    }

    /// Takes out the buckets with many requests, those with the most first. `few` returns the number up to which the
    /// requests of a bucket are few.
    pub(super) fn take(&self, few: impl Fn(&Bucket) -> u32, now: Uptime) -> Vec<Admitted> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_many = |bucket: &Bucket, requests: &Requests| requests.count > few(bucket);
        all.retain(|bucket, requests| is_many(bucket, requests) || now.ms_since(requests.since) < FEW_AFTER_MS);
        let many = all.iter().filter(|(bucket, requests)| is_many(bucket, requests));
        let mut many: Vec<Admitted> =
            many.map(|(bucket, requests)| Admitted { bucket: *bucket, count: requests.count }).collect();
        many.sort_unstable_by_key(|admitted| std::cmp::Reverse(admitted.count));
        many.truncate(MAX_TOLD);
        for admitted in &many {
            all.remove(&admitted.bucket);
        }
        many
    }
}

/// Returns the number up to which the requests of a bucket are few on one server. `servers` is the number of all servers.
pub(super) fn few_of(quantities: Quantities, servers: usize) -> u32 {
    let servers = u32::try_from(servers).unwrap_or(u32::MAX).max(1);
    (quantities.burst / FEW_PART).min(quantities.per_sec) / servers
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::cluster::BucketKind;

    use super::*;

    fn bucket(key: u64) -> Bucket {
        Bucket { kind: BucketKind::User, key }
    }

    #[test]
    fn many_requests_are_told_once_and_few_ones_are_forgotten() {
        let (untold, now) = (Untold::default(), Uptime::now());
        for (key, count) in [(1, 3), (2, 1), (3, 5)] {
            for _ in 0..count {
                untold.note(bucket(key), now);
            }
        }
        let told = untold.take(|_| 2, now);
        let expected = [(3, 5), (1, 3)].map(|(key, count)| Admitted { bucket: bucket(key), count });
        assert_eq!(told, expected);
        assert_eq!(untold.take(|_| 2, now.plus_ms(FEW_AFTER_MS - 1)), []);
        untold.note(bucket(2), now);
        untold.note(bucket(2), now);
        assert_eq!(untold.take(|_| 2, now.plus_ms(FEW_AFTER_MS)), [Admitted { bucket: bucket(2), count: 3 }]);
        untold.note(bucket(2), now);
        assert_eq!(untold.take(|_| 2, now.plus_ms(FEW_AFTER_MS)), []);
        assert_eq!(untold.take(|_| 0, now.plus_ms(FEW_AFTER_MS)), [], "it is forgotten");
    }

    #[test]
    fn buckets_and_messages_have_a_largest_number() {
        let (untold, now) = (Untold::default(), Uptime::now());
        for key in 0..100_000 {
            untold.note(bucket(key), now);
        }
        untold.note(bucket(7), now);
        let told = untold.take(|_| 0, now);
        assert_eq!((told.len(), told[0]), (MAX_TOLD, Admitted { bucket: bucket(7), count: 2 }));
        let mut rest = 0;
        while !untold.take(|_| 0, now).is_empty() {
            rest += 1;
        }
        assert_eq!(rest, MAX_BUCKETS.div_ceil(MAX_TOLD) - 1);
    }

    #[test]
    fn servers_share_what_counts_as_few() {
        let of = |per_sec, burst, servers| few_of(Quantities { per_sec, burst }, servers);
        assert_eq!([of(10, 101, 2), of(100, 801, 4), of(1, 10, 3), of(1_000, 9, 0)], [5, 25, 0, 1]);
    }
}
