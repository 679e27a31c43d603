//! A test in progress, as each of its callers holds it.

use std::sync::Arc;

use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::watch;

use crate::storage::progress::Taken;
use crate::storage::report::Report;

/// A test in progress, shared by all callers that wait for it. It ends when the last of them drops it.
#[derive(Clone)]
pub struct RunningTest {
    pub(super) test: Shared<BoxFuture<'static, Arc<Report>>>,
    progress: watch::Receiver<Taken>,
}

/// News of a test.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The steps so far.
    Steps(Taken),
    /// The report, which ends the test.
    Ended(Arc<Report>),
}

impl RunningTest {
    pub(super) fn new(test: Shared<BoxFuture<'static, Arc<Report>>>, progress: watch::Receiver<Taken>) -> Self {
        Self { test, progress }
    }

    pub(super) fn known(&self) -> Option<KnownTest> {
        let test = self.test.downgrade()?;
        Some(KnownTest { test, progress: self.progress.clone() })
    }

    /// Returns the report once the test has ended.
    pub async fn report(self) -> Arc<Report> {
        self.test.await
    }

    /// Returns the next news. The first call returns the steps so far.
    pub async fn next(&mut self) -> News {
        let test = self.test.clone();
        tokio::select! {
            biased;
            report = test => News::Ended(report),
            Ok(()) = self.progress.changed() => News::Steps(self.progress.borrow_and_update().clone()),
        }
    }
}

/// A test that the actor knows without keeping it running.
pub(super) struct KnownTest {
    test: WeakShared<BoxFuture<'static, Arc<Report>>>,
    progress: watch::Receiver<Taken>,
}

impl KnownTest {
    /// Returns the test, if it is still in progress.
    pub(super) fn running(&self) -> Option<RunningTest> {
        let test = self.test.upgrade().filter(|test| test.peek().is_none())?;
        let mut progress = self.progress.clone();
        progress.mark_changed();
        Some(RunningTest { test, progress })
    }
}
