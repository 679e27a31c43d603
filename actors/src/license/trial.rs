//! Which licences are for trying out, and which of those are an installation's only one.

use super::document::License;
use crate::clock::DAY_MS;

/// How long trials are of which an installation has one, in milliseconds, where they do not say that they are trials.
const USUAL_MS: [i64; 2] = [30 * DAY_MS + 8 * 3_600_000, 31 * DAY_MS - 1_000];

/// A trial of at least so many milliseconds, or at most so many, was agreed upon with the seller.
const AGREED_FROM_MS: i64 = 32 * DAY_MS - 1_000;
const AGREED_TO_MS: i64 = 30 * DAY_MS - 1_000;

impl License {
    /// Whether it is for trying out.
    pub fn is_for_trying(&self) -> bool {
        self.is_trial || USUAL_MS.contains(&self.duration_ms())
    }

    /// Whether it is a trial of the usual length: an installation has no second one.
    pub fn is_only_once(&self) -> bool {
        let is_agreed = self.duration_ms() >= AGREED_FROM_MS || self.duration_ms() <= AGREED_TO_MS;
        self.is_for_trying() && !is_agreed
    }

    fn duration_ms(&self) -> i64 {
        self.expires_at.saturating_sub(self.starts_at)
    }
}
