//! The two clocks. Every duration is measured on the monotonic clock, so a step of the wall clock does not change it.
//! Wall time is for times that are stored, shown or compared with other servers. `tests/tidy/clocks.rs` lists the
//! places that read it.

use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The length of a minute, in milliseconds.
pub const MINUTE_MS: i64 = 60_000;

/// The length of an hour, in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;

/// The length of a day, in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The time of the first measurement in this process.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Returns wall time, in Unix milliseconds.
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A point in monotonic time, in milliseconds since the first measurement of this process. Other processes cannot use
/// it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(i64);

impl Uptime {
    /// Returns the current monotonic time.
    pub fn now() -> Self {
        Self(i64::try_from(ORIGIN.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// Returns the time `ms` milliseconds after the first measurement of this process.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Returns the milliseconds since the first measurement of this process.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Returns the milliseconds since `earlier`; negative if `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the time `ms` milliseconds later, or earlier if `ms` is negative.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Both clocks, for an actor that needs both; tests replace them.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> i64 + Send + Sync>,
    uptime: Arc<dyn Fn() -> Uptime + Send + Sync>,
}

impl Clock {
    /// Combines wall time, in Unix milliseconds, with monotonic time.
    pub fn new(
        wall: impl Fn() -> i64 + Send + Sync + 'static,
        uptime: impl Fn() -> Uptime + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(wall), uptime: Arc::new(uptime) }
    }

    /// Returns wall time, in Unix milliseconds.
    pub fn wall(&self) -> i64 {
        (self.wall)()
    }

    /// Returns monotonic time.
    pub fn uptime(&self) -> Uptime {
        (self.uptime)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_apart_as_far_as_they_were_put() {
        let (earlier, now) = (Uptime::now(), Uptime::now());
        assert!(now >= earlier && earlier.ms() >= 0);
        assert_eq!(earlier.plus_ms(250).ms_since(earlier), 250);
        assert_eq!(earlier.ms_since(earlier.plus_ms(250)), -250);
    }
}
