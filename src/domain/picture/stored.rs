//! Stored pictures. A store that hangs keeps a request for a short time only, because the drawn picture can be shown.

use std::time::Duration;

use quarterdeck_actors::storage::FileBackend;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{place_of, place_of_team};
use crate::base::team::Team;
use crate::base::user::User;

/// The largest stored picture that is shown, in bytes. Pictures that this server stores are much smaller.
const MAX_STORED_BYTES: usize = 4 << 20;

/// The largest number of pictures that are read at once; further requests wait within the timeout.
const MAX_READS: usize = 16;

/// The timeout of a read and the wait for its permit.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

static READS: Semaphore = Semaphore::const_new(MAX_READS);

/// Returns true if a picture was uploaded for the account. Mattermost stores a drawn picture for each other account,
/// which needs no reading, because this server draws one itself.
pub(crate) fn is_uploaded(user: &User) -> bool {
    user.last_picture_update > 0
}

/// Returns the uploaded picture of a user. Returns `None` if the store does not give it in time.
pub(crate) async fn stored(store: &dyn FileBackend, user: &User) -> Option<Vec<u8>> {
    if is_uploaded(user) { read(store, &place_of(&user.id), &READS, READ_TIMEOUT).await } else { None }
}

/// Returns the uploaded picture of a team. Returns `None` if it has none, or the store does not give it in time.
pub(crate) async fn stored_icon(store: &dyn FileBackend, team: &Team) -> Option<Vec<u8>> {
    let is_uploaded = team.last_team_icon_update > 0;
    if is_uploaded { read(store, &place_of_team(&team.id), &READS, READ_TIMEOUT).await } else { None }
}

async fn read(store: &dyn FileBackend, place: &str, reads: &Semaphore, limit: Duration) -> Option<Vec<u8>> {
    let reading = async {
        let _permit = reads.acquire().await.ok()?;
        store.read(place).await.ok()
    };
    let picture = timeout(limit, reading).await.ok().flatten();
    picture.filter(|picture| !picture.is_empty() && picture.len() <= MAX_STORED_BYTES)
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::{BoxFuture, join_all, ready};
    use quarterdeck_actors::storage::progress::Progress;
    use quarterdeck_actors::storage::report::{Report, StepFailure};

    use super::*;

    /// A store that counts reads. It hangs, unless it has an answer.
    #[derive(Default)]
    struct Store {
        reads: AtomicUsize,
        answer: Option<Vec<u8>>,
    }

    impl FileBackend for Store {
        fn probe(&self, _: Progress) -> BoxFuture<'static, Report> {
            pending().boxed()
        }

        fn read(&self, _: &str) -> BoxFuture<'static, Result<Vec<u8>, StepFailure>> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            self.answer.clone().map_or_else(|| pending().boxed(), |answer| ready(Ok(answer)).boxed())
        }

        fn write(&self, _: &str, _: Vec<u8>) -> BoxFuture<'static, Result<(), StepFailure>> {
            pending().boxed()
        }

        fn remove(&self, _: &str) -> BoxFuture<'static, Result<(), StepFailure>> {
            pending().boxed()
        }
    }

    #[actix_web::test]
    async fn a_store_that_hangs_is_left_after_the_timeout_by_those_who_wait_as_well() {
        let (store, reads) = (Store::default(), Semaphore::new(MAX_READS));
        let requests = || (0..3 * MAX_READS).map(|_| read(&store, "x", &reads, Duration::from_millis(1)));
        assert!(join_all(requests()).await.iter().all(Option::is_none));
        assert_eq!(reads.available_permits(), MAX_READS);
    }

    #[actix_web::test]
    async fn a_bounded_number_of_pictures_is_read_at_once() {
        let (store, reads) = (Store::default(), Semaphore::new(MAX_READS));
        let mut requests: Vec<_> =
            (0..3 * MAX_READS).map(|_| Box::pin(read(&store, "x", &reads, Duration::from_hours(1)))).collect();
        assert!(requests.iter_mut().all(|request| request.as_mut().now_or_never().is_none()));
        assert_eq!(store.reads.load(Ordering::Relaxed), MAX_READS);
        requests.truncate(MAX_READS + 1);
        requests.drain(..MAX_READS);
        assert!(requests.remove(0).now_or_never().is_none());
        assert_eq!(store.reads.load(Ordering::Relaxed), MAX_READS + 1, "a request that ended gives its permit back");
    }

    #[actix_web::test]
    async fn only_uploaded_pictures_of_a_fitting_size_are_read_and_shown() {
        let user = |last_picture_update| User { id: "anna".to_owned(), last_picture_update, ..User::default() };
        let store = Store { answer: Some(vec![1]), ..Store::default() };
        assert_eq!((stored(&store, &user(0)).await, stored(&store, &user(-1)).await), (None, None));
        assert_eq!(store.reads.load(Ordering::Relaxed), 0);
        assert_eq!(stored(&store, &user(1)).await, Some(vec![1]));
        for answer in [vec![], vec![0; MAX_STORED_BYTES + 1]] {
            let store = Store { answer: Some(answer), ..Store::default() };
            assert_eq!(stored(&store, &user(1)).await, None);
        }
    }
}
