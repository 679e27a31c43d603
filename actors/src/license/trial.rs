//! Rules that decide whether a licence is a trial, and whether an installation may have it only once.

use super::document::License;
use crate::clock::{DAY_MS, HOUR_MS};

/// The lengths of trials in milliseconds. A licence of such a length is a trial even if it does not say so.
const TRIAL_LENGTHS_MS: [i64; 2] = [30 * DAY_MS + 8 * HOUR_MS, 31 * DAY_MS - 1_000];

/// A trial of at least, or at most, this many milliseconds was agreed upon with the vendor.
const AGREED_FROM_MS: i64 = 32 * DAY_MS - 1_000;
const AGREED_TO_MS: i64 = 30 * DAY_MS - 1_000;

impl License {
    /// Returns true if it is a trial.
    pub fn is_for_trying(&self) -> bool {
        self.is_trial || TRIAL_LENGTHS_MS.contains(&self.duration_ms())
    }

    /// Returns true if it is a trial of the usual length. An installation can have only one.
    pub fn is_only_once(&self) -> bool {
        let is_agreed = self.duration_ms() >= AGREED_FROM_MS || self.duration_ms() <= AGREED_TO_MS;
        self.is_for_trying() && !is_agreed
    }

    fn duration_ms(&self) -> i64 {
        self.expires_at.saturating_sub(self.starts_at)
    }
}
