//! The queue of uploaded pictures that are made smaller.
//!
//! One picture is worked on at a time, because it takes many times the memory of its file. A user has at most one place
//! in the queue, so that a user with many pictures delays each other user by one picture only.

use std::sync::{Arc, LazyLock};

use quarterdeck_actors::error::AppError;
use quarterdeck_actors::shared_pool::{NoPermit, Permit, SharedPool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest number of pictures in the queue, including the one that is worked on.
const MAX_QUEUED: usize = 8;

/// The largest number of a user's pictures: one in the queue, and others that wait for its place.
const MAX_PER_USER: usize = 4;

/// The queue of this process.
static UPLOADS: LazyLock<Uploads> = LazyLock::new(Uploads::new);

struct Uploads {
    /// One permit for each user.
    users: SharedPool,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// The permission to work on a picture; dropping it lets the next one start.
pub(super) struct Turn {
    // The fields are dropped in this order, so that the user's next picture comes after those of others.
    _work: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
    _own: Permit,
}

/// Waits for a turn for a picture of this user. Refuses it if the user or all users together have too many.
pub(super) async fn turn(user_id: &str) -> Result<Turn, AppError> {
    UPLOADS.turn(user_id).await
}

impl Uploads {
    fn new() -> Self {
        Self {
            users: SharedPool::new(Semaphore::MAX_PERMITS, 1, MAX_PER_USER),
            places: Arc::new(Semaphore::new(MAX_QUEUED)),
            turns: Arc::new(Semaphore::new(1)),
        }
    }

    async fn turn(&self, user_id: &str) -> Result<Turn, AppError> {
        let own = self.users.permit(user_id).await.map_err(|NoPermit| busy("the user uploads many pictures"))?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy("many users upload pictures"))?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| busy("the queue of pictures is closed"))?;
        Ok(Turn { _work: turn, _place: place, _own: own })
    }
}

fn busy(cause: &str) -> AppError {
    AppError::new("api.context.server_busy.app_error").because(cause)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const BUSY: &str = "api.context.server_busy.app_error";

    #[actix_web::test]
    async fn a_user_with_many_pictures_delays_others_by_one() {
        let uploads = Uploads::new();
        let first = uploads.turn("anna").await.ok().unwrap();
        let mut of_anna: Vec<_> = (1..MAX_PER_USER).map(|_| Box::pin(uploads.turn("anna"))).collect();
        assert!(of_anna.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        assert_eq!(uploads.turn("anna").await.err().unwrap().id, BUSY);
        let mut of_bert = Box::pin(uploads.turn("bert"));
        assert!(of_bert.as_mut().now_or_never().is_none());
        drop(first);
        // Anna's next picture asks first.
        assert!(of_anna.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        drop(of_bert.now_or_never().unwrap().ok().unwrap());
        assert!(of_anna.remove(0).now_or_never().unwrap().is_ok());
    }

    #[actix_web::test]
    async fn a_full_queue_refuses_and_takes_others_once_there_is_a_place() {
        let uploads = Uploads::new();
        let names: Vec<String> = (0..MAX_QUEUED).map(|number| format!("user {number}")).collect();
        let mut queued: Vec<_> = names.iter().map(|name| Box::pin(uploads.turn(name))).collect();
        let first = queued.remove(0).now_or_never().unwrap().ok().unwrap();
        assert!(queued.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        assert_eq!(uploads.turn("late").await.err().unwrap().id, BUSY);
        drop(first);
        assert!(uploads.turn("late").now_or_never().is_none(), "it waits in the queue");
        // A request that is dropped gives its place back.
        queued.clear();
        assert!(uploads.turn("late").now_or_never().unwrap().is_ok());
        assert_eq!((uploads.places.available_permits(), uploads.turns.available_permits()), (MAX_QUEUED, 1));
    }
}
