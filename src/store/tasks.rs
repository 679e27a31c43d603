//! The tasks that the work of statements runs in.

use quarterdeck_actors::supervisor::is_actor_thread;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::StoreError;

/// Spawns the tasks of one database.
#[derive(Clone)]
pub(super) struct Tasks {
    /// The main runtime.
    runtime: Handle,
}

impl Tasks {
    /// Returns the tasks of a database that is opened on the main thread.
    pub(super) fn new() -> Result<Self, StoreError> {
        let runtime = Handle::try_current().map_err(|cause| StoreError::Setting(cause.to_string()))?;
        Ok(Self { runtime })
    }

    /// Returns the main runtime.
    pub(super) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Spawns work that holds a connection, a transaction or a lock of the database.
    ///
    /// Work of an actor runs on the main thread. On the actor's own thread it would hold these for as long as a
    /// handler blocks that thread. Work of a web worker stays there, so that several threads decode rows.
    pub(super) fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        if is_actor_thread() { self.runtime.spawn(work) } else { tokio::spawn(work) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use actix::{Actor, Context, Handler, Message};
    use quarterdeck_actors::supervisor::supervise;

    use super::*;

    struct Blocking;

    impl Actor for Blocking {
        type Context = Context<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "bool")]
    struct Block(Tasks);

    impl Handler<Block> for Blocking {
        type Result = bool;

        /// Blocks the thread until the work is done. Returns false after a time limit.
        fn handle(&mut self, Block(tasks): Block, _: &mut Self::Context) -> bool {
            let (done, is_done) = mpsc::channel();
            let work = tasks.spawn(async move { done.send(is_actor_thread()) });
            let ended = is_done.recv_timeout(Duration::from_secs(20));
            drop(work);
            ended == Ok(false)
        }
    }

    #[actix_web::test]
    async fn the_work_of_an_actor_goes_on_while_a_handler_blocks_its_thread() {
        let actor = supervise("blocking", || Blocking);
        assert!(actor.ask(Block(Tasks::new().unwrap())).await.unwrap(), "the work waited for the thread of the actor");
    }
}
