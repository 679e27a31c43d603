//! Where files are kept: what is set about it, what can be done with it, and what a test of it finds.

pub mod own_hosts;
pub mod report;
pub mod settings;
pub mod submitted;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use report::{Report, Trouble};
use settings::StoreSettings;

/// A place where files are kept, made from its settings. Whoever holds one may go on using it after another is in force.
pub trait FileBackend: Send + Sync {
    /// Tries everything that the server does with it, step by step, on an object of its own.
    ///
    /// Each step has a deadline, and so has the whole; whatever it wrote is deleted, also when the future is dropped.
    fn probe(&self) -> BoxFuture<'static, Report>;
}

/// Makes backends; opening one only looks at its settings and reaches no other machine.
pub trait Backends: Send + Sync {
    /// The backend that these settings describe, or what makes them unusable.
    fn open(&self, settings: &StoreSettings) -> Result<Arc<dyn FileBackend>, Trouble>;
}
