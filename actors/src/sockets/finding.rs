//! Finds the rows of connections for many clients at once: those that come while one statement is under way share the
//! next one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex, oneshot};

use super::SocketStore;
use crate::error::AppError;
use crate::hub::SocketRow;

/// The maximum number of rows that one statement finds.
const MAX_ROWS: usize = 1_000;

/// A client that waits for a row. `Err` if the store failed.
type Waiting = (String, oneshot::Sender<Result<Option<SocketRow>, ()>>);

pub(super) struct Finder {
    store: Arc<dyn SocketStore>,
    max_age_ms: i64,
    waiting: StdMutex<Vec<Waiting>>,
    /// Locked by the client that reads.
    pub(super) turn: Mutex<()>,
}

impl Finder {
    pub(super) fn new(store: Arc<dyn SocketStore>, max_age_ms: i64) -> Self {
        Self { store, max_age_ms, waiting: StdMutex::default(), turn: Mutex::default() }
    }

    /// Returns the row of a connection, as it is after this call began.
    pub(super) async fn find(&self, id: &str) -> Result<Option<SocketRow>, AppError> {
        loop {
            let (sender, mut receiver) = oneshot::channel();
            self.lock().push((id.to_owned(), sender));
            loop {
                // Only who has the turn reads, so a client that waits in vain reads for itself and all others.
                let turn = self.turn.lock().await;
                match receiver.try_recv() {
                    Ok(found) => return found.map_err(|()| AppError::new("app.cluster.read.app_error")),
                    Err(TryRecvError::Empty) => self.read().await,
                    // The client that read for this one hung up.
                    Err(TryRecvError::Closed) => break,
                }
                drop(turn);
            }
        }
    }

    /// Finds the rows for clients that wait. The caller has the turn.
    async fn read(&self) {
        let clients: Vec<Waiting> = {
            let mut waiting = self.lock();
            let count = waiting.len().min(MAX_ROWS);
            waiting.drain(..count).collect()
        };
        let ids = clients.iter().map(|(id, _)| id.clone()).collect();
        let found = self.store.find(ids, self.max_age_ms).await;
        let rows = found.map(|rows| rows.into_iter().map(|row| (row.id.clone(), row)).collect::<HashMap<_, _>>());
        for (id, sender) in clients {
            let row = rows.as_ref().map(|rows| rows.get(&id).cloned()).map_err(|_| ());
            // A client that hung up waits no more.
            let _ = sender.send(row);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
