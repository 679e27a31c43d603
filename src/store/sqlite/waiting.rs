//! How long callers of the embedded engine wait, and the threads on which they wait for the disk.

use std::time::Duration;

use crate::store::StoreError;

/// How long a request waits for its turn.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The pause between two attempts at a file that another connection holds.
pub(super) const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Runs what waits for the disk on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|cause| StoreError::Unavailable(cause.to_string()))?
}
