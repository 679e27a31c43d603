//! The order of facts that a hub receives about users.
//!
//! Memberships and roles are read from the store before they are sent to a hub. Of two messages, the one with the older
//! facts may arrive last. So each reader takes an epoch before it reads, and a hub keeps the facts with the later
//! epoch.

/// A number that a reader takes before it reads. A read in a later epoch returns facts that are at least as new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub(super) u64);

/// A value with the epoch in which it was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Dated<T> {
    pub(super) epoch: Epoch,
    pub(super) value: T,
}

impl<T> Dated<T> {
    /// Takes the value of `other` if its epoch is later.
    pub(super) fn renew(&mut self, other: Self) {
        if other.epoch > self.epoch {
            *self = other;
        }
    }
}
