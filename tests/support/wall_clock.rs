//! A wall clock that a test moves while the server runs, with libfaketime. The monotonic clock does not change.

use std::path::PathBuf;

use super::needs;

const LIBRARY: &str = "libfaketimeMT.so.1";

/// The clock of one process.
pub struct WallClock {
    library: PathBuf,
    step: PathBuf,
}

impl WallClock {
    /// Creates a clock that shows the correct time, with its file at `step`; `None` in a run without libfaketime.
    pub fn new(step: PathBuf) -> Option<Self> {
        let library = needs::peer("faketime")?.join(LIBRARY);
        let clock = Self { library, step };
        clock.step_to(0);
        Some(clock)
    }

    /// Returns the environment of a process that uses this clock.
    pub fn variables(&self) -> [(&str, &str); 4] {
        [
            ("LD_PRELOAD", self.library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", self.step.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]
    }

    /// Sets the clock to this many seconds from the correct time, at once.
    pub fn step_to(&self, seconds: i64) {
        // The file is renamed into place, so that the process never reads a part of it.
        let new = self.step.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(&new, &self.step).unwrap();
    }
}
