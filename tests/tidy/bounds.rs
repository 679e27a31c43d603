//! Each store that callers can make grow is bounded, and the bound is written down here.

use std::path::Path;

use super::sources;

/// Every file with a cache, and what bounds it. A key that a caller chooses is bounded in length or a hash, and the
/// cache counts bytes, or entries of a known size.
const CACHES: [(&str, &str); 6] = [
    ("actors/src/presence/people.rs", "entries of fixed size, keyed by ids of accounts"),
    ("actors/src/sessions.rs", "entries of sessions that exist, keyed by tokens of ours"),
    ("src/domain/accounts/attempts.rs", "bytes, keyed by hashes of 16 bytes"),
    ("src/outbound/links.rs", "bytes, addresses and locations included"),
    ("src/domain/passwords/queue.rs", "entries of a hash of 16 bytes"),
    ("src/web/pipeline/limit", "entries, keyed by networks and ids of users"),
];

#[test]
fn every_cache_has_a_bound_that_is_written_down() {
    for (path, text) in shipped() {
        let is_cache = |line: &str| ["Cache<", "KeyedStateStore<", "DashMap<"].iter().any(|kind| line.contains(kind));
        let has_cache = text.lines().any(is_cache);
        let is_listed = CACHES.iter().any(|(known, _)| path.starts_with(known));
        assert!(!has_cache || is_listed, "{path} has a cache: say in this table what bounds it, in bytes");
    }
}

/// Every hash of a request takes a turn: the functions that hash are private to the queue. The commands that make and
/// read backups run in a process of their own.
#[test]
fn passwords_are_hashed_behind_the_queue_only() {
    for (path, text) in shipped() {
        let hashes = text.contains("pbkdf2::") || text.contains("bcrypt::");
        assert!(
            !hashes || ["src/domain/passwords/hash.rs", "src/server/backup/seal.rs"].contains(&path.as_str()),
            "{path} hashes passwords past the queue"
        );
    }
}

/// A count that was read and is written back loses what others counted meanwhile.
#[test]
fn failed_attempts_are_counted_by_the_database() {
    for (path, text) in shipped() {
        assert!(!text.contains("failedattempts = $"), "{path} writes back a count of failed attempts");
    }
}

/// The code of the server without that of its tests, by path.
pub(super) fn shipped() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shipped = Vec::new();
    for path in ["src", "actors/src"].iter().flat_map(|folder| sources(folder)) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        // A module of tests is the last thing in a file; other items for tests stay.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        if !name.ends_with("tests.rs") && !name.contains("/tests/") {
            shipped.push((name, text));
        }
    }
    shipped
}
