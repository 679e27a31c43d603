//! Counts the messages about changes by other servers, and tells if the state was read since the last one.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the messages about a state, and those before the last read of it.
#[derive(Debug, Default)]
pub struct News {
    told: AtomicU64,
    read: AtomicU64,
}

impl News {
    /// Notes that another server may have changed the state.
    pub fn note(&self) {
        self.told.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the number of messages so far. A reader of the state notes it before.
    pub fn told(&self) -> u64 {
        self.told.load(Ordering::SeqCst)
    }

    /// Notes that the state was read after the first `told` messages.
    pub fn note_read(&self, told: u64) {
        self.read.fetch_max(told, Ordering::SeqCst);
    }

    /// Returns true if the state was not read since the last message.
    pub fn is_unread(&self) -> bool {
        self.read.load(Ordering::SeqCst) < self.told()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_began_before_a_message_does_not_count_for_it() {
        let news = News::default();
        let before = news.told();
        news.note();
        news.note_read(before);
        assert!(news.is_unread());
        news.note_read(news.told());
        assert!(!news.is_unread());
    }
}
