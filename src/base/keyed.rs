//! Cache keys for text that callers choose: 16 bytes for any length, from hashes with a random key of this process.

use std::hash::{BuildHasher, RandomState};

/// A cache key: 128 bits of keyed hashes.
///
/// Callers do not know the hash key, so they can neither construct collisions nor detect them.
pub(crate) type Key = u128;

/// Creates cache keys with a random hash key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyed {
    high: RandomState,
    low: RandomState,
}

impl Keyed {
    /// Returns the cache key of `parts`. Different lists have different keys, even if their concatenations are equal.
    pub(crate) fn key(&self, parts: &[&str]) -> Key {
        Key::from(self.high.hash_one(parts)) << 64 | Key::from(self.low.hash_one(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_each_part_and_on_the_hash_key() {
        let keyed = Keyed::default();
        assert_eq!(keyed.key(&["anna"]), keyed.key(&["anna"]));
        assert_eq!(keyed.key(&["anna"]), keyed.clone().key(&["anna"]));
        for other in [vec!["bert"], vec!["an", "na"], vec!["anna", ""], vec![]] {
            assert_ne!(keyed.key(&["anna"]), keyed.key(&other), "{other:?}");
        }
        assert_ne!(keyed.key(&["anna"]), Keyed::default().key(&["anna"]));
    }
}
