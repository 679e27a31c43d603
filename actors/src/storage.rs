//! Stores of files: their settings, the operations that a test runs, and the report of a test.

pub mod own_hosts;
pub mod progress;
pub mod report;
pub mod settings;
pub mod submitted;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use progress::Progress;
use report::{Report, StepFailure};
use settings::StoreSettings;

/// A store of files, made from its settings. Code that holds one may use it after another one is in force.
pub trait FileBackend: Send + Sync {
    /// Tests every operation that the server uses, step by step, on an object of its own.
    ///
    /// Each step has a deadline, and so has the whole test. Everything that it writes is deleted, also when the future
    /// is dropped. Each step is published as it begins and ends.
    fn probe(&self, progress: Progress) -> BoxFuture<'static, Report>;

    /// Returns the content of the file at `path`, which is relative to the store.
    fn read(&self, path: &str) -> BoxFuture<'static, Result<Vec<u8>, StepFailure>>;

    /// Stores a file completely or not at all, in the place of an earlier one.
    fn write(&self, path: &str, content: Vec<u8>) -> BoxFuture<'static, Result<(), StepFailure>>;

    /// Removes a file. A missing file counts as removed.
    fn remove(&self, path: &str) -> BoxFuture<'static, Result<(), StepFailure>>;
}

/// Makes backends. Opening a backend checks its settings only and connects to no other machine.
pub trait Backends: Send + Sync {
    /// Returns the backend for these settings, or the reason why they are unusable.
    fn open(&self, settings: &StoreSettings) -> Result<Arc<dyn FileBackend>, StepFailure>;
}
