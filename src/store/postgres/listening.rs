//! A connection of its own that receives the notifications of the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quarterdeck_actors::pause;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::super::StoreError;
use super::{CONNECT_TIMEOUT, Postgres, no_answer};

/// The notification of an answer to a question of a node.
const ANSWERED: &str = "answered";

/// Rings for notifications.
#[derive(Default)]
pub(in crate::store) struct Bell {
    /// Rings for messages, for the one task that reads them, also if it is not waiting.
    pub(in crate::store) moved: Notify,
    /// Rings for answers, for all tasks that wait for some.
    pub(in crate::store) answered: Notify,
}

impl Bell {
    /// Rings for a notification with this text.
    pub(super) fn ring(&self, payload: &str) {
        if payload == ANSWERED {
            self.answered.notify_waiters();
        } else {
            self.moved.notify_one();
        }
    }
}

/// The connection. It is closed when this is dropped.
pub(in crate::store) struct Listening {
    /// `None` if it could not be opened.
    open: Option<(Client, JoinHandle<()>)>,
    since: Instant,
}

impl Listening {
    /// Returns a connection that was never open.
    pub(in crate::store) fn failed() -> Self {
        Self { open: None, since: Instant::now() }
    }

    pub(in crate::store) fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|(client, _)| !client.is_closed())
    }

    /// Returns the time since it was opened, or since the attempt.
    pub(in crate::store) fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some((_, work)) = &self.open {
            work.abort();
        }
    }
}

impl Postgres {
    /// Opens a connection that rings `bell` for each notification of the channel that the statement `channel` returns.
    pub(in crate::store) async fn listen(&self, channel: &str, bell: Arc<Bell>) -> Result<Listening, StoreError> {
        let opening = async {
            let (client, work) = self.hosts.connect_listening(bell).await?;
            let name: String = client.query_one(channel, &[]).await?.try_get(0)?;
            client.batch_execute(&format!("LISTEN \"{name}\"")).await?;
            Ok(Listening { open: Some((client, work)), since: Instant::now() })
        };
        pause::timeout(CONNECT_TIMEOUT, opening).await.unwrap_or_else(|_| Err(no_answer(CONNECT_TIMEOUT)))
    }
}
