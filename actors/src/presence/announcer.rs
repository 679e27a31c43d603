//! Announces changes to the audience in their order, so that the actor does not wait for the audience.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::StatusAudience;

/// The maximum number of changes that wait for the audience. Changes beyond it are dropped.
const MAX_QUEUED_CHANGES: usize = 4096;

/// The timeout for announcing one change.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Announcer(mpsc::Sender<Change>);

/// The new status of a user.
pub(super) struct Change {
    pub(super) user_id: String,
    pub(super) presence: String,
}

impl Announcer {
    pub(super) fn start(audience: Arc<dyn StatusAudience>) -> Self {
        let (announcer, changes) = mpsc::channel(MAX_QUEUED_CHANGES);
        actix_rt::spawn(tell(audience, changes));
        Self(announcer)
    }

    pub(super) fn announce(&self, change: Change) {
        if self.0.try_send(change).is_err() {
            debug!("too many status changes wait to be announced; one is dropped");
        }
    }
}

async fn tell(audience: Arc<dyn StatusAudience>, mut changes: mpsc::Receiver<Change>) {
    while let Some(Change { user_id, presence }) = changes.recv().await {
        let audience = audience.clone();
        // Each announcement runs in its own task, so that a panic of the audience does not stop the next one.
        let mut telling = actix_rt::spawn(async move { audience.announce(&user_id, &presence).await });
        let told = timeout(ANNOUNCE_TIMEOUT, &mut telling).await;
        if !matches!(told, Ok(Ok(()))) {
            telling.abort();
            warn!("a status change could not be announced");
        }
    }
}
