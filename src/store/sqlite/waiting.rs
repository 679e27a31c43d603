//! The timeouts of the embedded engine, and the threads on which work waits for the disk.

use std::time::Duration;

use crate::store::StoreError;

/// The timeout of a request for a connection or for a lock of the file.
pub(super) const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The delay between two attempts on a file that another connection has locked.
pub(super) const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Runs work that waits for the disk on a blocking thread.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|cause| StoreError::Unavailable(cause.to_string()))?
}
