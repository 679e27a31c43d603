//! The rule for the caches of a node: they are used only while there is news from the bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Uptime;

/// The time without news after which cached sessions are read from the store again, in ms.
const TRUST_MS: i64 = 2_000;

/// The time of the last news from the bus.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// `None` for a server without other nodes, whose caches are always right.
    news_at: Option<Arc<AtomicI64>>,
}

impl Trust {
    /// Returns the trust of a node without news yet.
    pub fn of_node() -> Self {
        Self { news_at: Some(Arc::new(AtomicI64::new(i64::MIN))) }
    }

    /// Notes that the node knew at `at` all messages that were published before.
    pub fn note_news(&self, at: Uptime) {
        if let Some(news_at) = &self.news_at {
            news_at.fetch_max(at.ms(), Ordering::AcqRel);
        }
    }

    /// Returns true if caches can be used at `now`.
    pub fn holds(&self, now: Uptime) -> bool {
        self.silence_ms(now) < TRUST_MS
    }

    /// Returns the time since the last news, in milliseconds; 0 for a server without other nodes.
    pub fn silence_ms(&self, now: Uptime) -> i64 {
        self.news_at.as_ref().map_or(0, |news_at| now.ms().saturating_sub(news_at.load(Ordering::Acquire)).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_trusted_for_a_while_and_a_lone_server_always() {
        let (lone, node, at) = (Trust::default(), Trust::of_node(), Uptime::from_ms);
        assert!(lone.holds(at(i64::MAX)) && lone.silence_ms(at(5)) == 0);
        assert!(!node.holds(at(0)), "there is no news yet");
        node.note_news(at(1_000));
        node.note_news(at(500));
        assert!(node.holds(at(1_000 + TRUST_MS - 1)) && !node.holds(at(1_000 + TRUST_MS)));
        assert_eq!(node.silence_ms(at(1_700)), 700);
    }
}
