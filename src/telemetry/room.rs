//! The log and the metrics.

pub(crate) mod logging;
pub(crate) mod metrics;
