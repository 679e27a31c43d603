//! A wall clock that a test moves while the server runs: libfaketime in front of the process. The monotonic clock stays.

use std::path::PathBuf;

use super::needs;

const LIBRARY: &str = "libfaketimeMT.so.1";

/// The clock of one process.
pub struct WallClock {
    library: PathBuf,
    step: PathBuf,
}

impl WallClock {
    /// A clock that shows the right time, with its file at `step`; `None` in a run without libfaketime.
    pub fn new(step: PathBuf) -> Option<Self> {
        let library = needs::peer("faketime")?.join(LIBRARY);
        let clock = Self { library, step };
        clock.step_to(0);
        Some(clock)
    }

    /// The environment of a process that has this clock.
    pub fn variables(&self) -> [(&str, &str); 4] {
        [
            ("LD_PRELOAD", self.library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", self.step.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]
    }

    /// Moves the clock to so many seconds beside the right time, at once.
    pub fn step_to(&self, seconds: i64) {
        // Renamed into place: the process never reads half of it.
        let new = self.step.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(&new, &self.step).unwrap();
    }
}
