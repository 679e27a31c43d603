//! The order of what a hub is told about users.
//!
//! Memberships and roles are read from the store before a hub is told of them, and of two messages the one with the older
//! state may arrive last. So each reader takes an epoch before it reads, and a hub keeps what has the later epoch.

/// A number that is taken before a read. What was read in a later epoch is at least as new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub(super) u64);

/// A value with the epoch in which it was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Dated<T> {
    pub(super) epoch: Epoch,
    pub(super) value: T,
}

impl<T> Dated<T> {
    /// Takes the value of `other` if that is of a later epoch.
    pub(super) fn renew(&mut self, other: Self) {
        if other.epoch > self.epoch {
            *self = other;
        }
    }
}
