//! Announces changes to the audience in their order, so that the actor does not wait for the audience.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::StatusAudience;
use crate::task;

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
        let changes = Rc::new(Mutex::new(changes));
        task::keep("announce_statuses", move || tell(audience.clone(), changes.clone()));
        Self(announcer)
    }

    pub(super) fn announce(&self, change: Change) {
        if self.0.try_send(change).is_err() {
            debug!("too many status changes wait to be announced; one is dropped");
        }
    }
}

/// The lock is held by one start of the task at a time.
async fn tell(audience: Arc<dyn StatusAudience>, changes: Rc<Mutex<mpsc::Receiver<Change>>>) {
    let mut changes = changes.lock().await;
    while let Some(Change { user_id, presence }) = changes.recv().await {
        if timeout(ANNOUNCE_TIMEOUT, audience.announce(&user_id, &presence)).await.is_err() {
            warn!("a status change could not be announced");
        }
    }
}
