//! Tells the audience of changes, in their order, without the actor waiting for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::StatusAudience;

/// How many changes may wait for the audience; those beyond are not told.
const WAITING: usize = 4096;

/// How long the audience may take for one change.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Announcer(mpsc::Sender<Change>);

/// A user is seen as something else now.
pub(super) struct Change {
    pub(super) user_id: String,
    pub(super) presence: String,
}

impl Announcer {
    pub(super) fn start(audience: Arc<dyn StatusAudience>) -> Self {
        let (announcer, changes) = mpsc::channel(WAITING);
        actix_rt::spawn(tell(audience, changes));
        Self(announcer)
    }

    pub(super) fn announce(&self, change: Change) {
        if self.0.try_send(change).is_err() {
            debug!("too many changes of status wait for being told, one is left out");
        }
    }
}

async fn tell(audience: Arc<dyn StatusAudience>, mut changes: mpsc::Receiver<Change>) {
    while let Some(Change { user_id, presence }) = changes.recv().await {
        let audience = audience.clone();
        // A task of its own: should the audience panic, the next change is told all the same.
        let mut telling = actix_rt::spawn(async move { audience.announce(&user_id, &presence).await });
        let told = timeout(PATIENCE, &mut telling).await;
        if !matches!(told, Ok(Ok(()))) {
            telling.abort();
            warn!("a change of status was not told");
        }
    }
}
