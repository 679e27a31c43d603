//! The progress of a test while it runs: the steps that have ended, and the one that is under way.

use std::sync::Arc;

use tokio::sync::watch;

use super::report::{Stage, Step, StepFailure};

/// The steps of a test so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The steps that have ended, in order.
    pub ended: Vec<Stage>,
    /// The step that is under way.
    pub running: Option<Step>,
    /// The failure, from the moment in which a step failed.
    pub failure: Option<StepFailure>,
}

/// Publishes the steps of a test. A test never waits for a subscriber: one that reads slowly finds the latest state.
#[derive(Clone, Default)]
pub struct Progress(Arc<watch::Sender<Taken>>);

impl Progress {
    /// Publishes that a step begins.
    pub fn begin(&self, step: Step) {
        self.0.send_modify(|taken| taken.running = Some(step));
    }

    /// Publishes the result of a step.
    pub fn end(&self, stage: &Stage, failure: Option<StepFailure>) {
        self.0.send_modify(|taken| {
            taken.ended.push(stage.clone());
            taken.running = None;
            taken.failure = failure.or(taken.failure.take());
        });
    }

    /// Returns a receiver, which begins with the steps so far.
    pub fn follow(&self) -> watch::Receiver<Taken> {
        self.0.subscribe()
    }
}
