//! The log, the metrics, and the figures of the last hour.

mod durations;
pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod samples;
