//! The cached sessions, bounded in bytes: clients and the settings of an installation choose what a session contains.

use std::sync::Arc;

use quick_cache::Weighter;

use super::Cached;
use crate::session::Session;

/// The maximum size of the cache: about 30,000 sessions of browsers. The least used ones are evicted first.
const MAX_BYTES: u64 = 32 << 20;

/// The size of a cache entry beside the texts of its session, in bytes.
const ENTRY_BYTES: usize = size_of::<(String, Arc<Cached>, Cached, Session)>() + 64;

/// The size of a property beside its texts, in bytes.
const PROP_BYTES: usize = size_of::<(String, String)>() + 8;

/// The expected size of a session, in bytes. It only decides how much memory is allocated at the start.
const USUAL_BYTES: usize = 1024;

/// The cached sessions by token.
pub(super) type Cache = quick_cache::sync::Cache<String, Arc<Cached>, Bytes>;

/// Weighs cache entries in bytes.
#[derive(Debug, Clone)]
pub(super) struct Bytes;

impl Weighter<String, Arc<Cached>> for Bytes {
    fn weight(&self, token: &String, cached: &Arc<Cached>) -> u64 {
        // The token is in the key and in the session.
        u64::try_from(ENTRY_BYTES + 2 * token.len() + texts(&cached.session)).unwrap_or(u64::MAX)
    }
}

/// Creates the cache without sessions.
pub(super) fn empty() -> Cache {
    let entries = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX) / USUAL_BYTES;
    Cache::with_weighter(entries, MAX_BYTES, Bytes)
}

/// Returns the bytes of the texts of a session, without its token.
fn texts(session: &Session) -> usize {
    let Session { id, user_id, device_id, roles, props, .. } = session;
    let props = props.iter().map(|(name, value)| name.len() + value.len() + PROP_BYTES);
    [id, user_id, device_id, roles].into_iter().map(String::len).chain(props).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clock::Uptime;
    use crate::secret::Secret;

    fn cached(token: &str, prop: &str) -> Arc<Cached> {
        let session = Session {
            id: "i".repeat(26),
            token: Secret::new(token),
            create_at: 0,
            expires_at: 0,
            last_activity_at: 0,
            user_id: "u".repeat(26),
            device_id: String::new(),
            roles: "system_user".to_owned(),
            is_oauth: false,
            expired_notify: false,
            props: BTreeMap::from([("os".to_owned(), prop.to_owned())]),
        };
        Arc::new(Cached { session: Arc::new(session), loaded_at: Uptime::from_ms(0) })
    }

    fn filled(prop: &str) -> Cache {
        let cache = empty();
        for number in 0..50_000 {
            let token = format!("{number:026}");
            cache.insert(token.clone(), cached(&token, prop));
        }
        cache
    }

    #[test]
    fn long_sessions_take_no_more_bytes_than_short_ones() {
        let (short, long) = (filled("Linux"), filled(&"x".repeat(4_000)));
        for cache in [&short, &long] {
            assert!(cache.weight() <= MAX_BYTES, "{} bytes", cache.weight());
        }
        // A busy server has this many sessions of browsers.
        assert!(short.len() > 20_000, "{} short sessions", short.len());
        assert!((1_000..8_400).contains(&long.len()), "{} long sessions", long.len());
        let token = format!("{:026}", 49_999);
        assert_eq!(long.get(&token).unwrap().session.token, Secret::new(&token));
    }

    #[test]
    fn a_session_larger_than_the_cache_is_not_cached_and_evicts_nothing_forever() {
        let cache = empty();
        cache.insert("large".to_owned(), cached("large", &"x".repeat(40 << 20)));
        assert!(cache.weight() <= MAX_BYTES);
        cache.insert("small".to_owned(), cached("small", "Linux"));
        assert!(cache.get("small").is_some());
    }
}
