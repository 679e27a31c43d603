//! The active version before it is shown. This server may not hear of the versions of other servers, or may have heard of one
//! that it has not read yet.

use actix::{AtomicResponse, Handler, Message, WrapFuture};

use super::active::refresh;
use super::events::Publisher;
use super::proposal::DecisionContext;
use super::{ConfigActor, ConfigHandle, ConfigStore};
use crate::error::AppError;

const UNKNOWN: &str = "app.config.active_unknown.app_error";

impl ConfigHandle {
    /// Notes that another server may have stored a version, which is not read yet.
    pub fn note_news(&self) {
        self.publisher.news.note();
    }

    /// Puts the active version in force, unless this server `hears` of all versions and has read the last one that it heard
    /// of. A version that is refused here leaves the earlier one in force. The error says that the store cannot be read.
    pub async fn catch_up(&self, hears: bool, context: DecisionContext) -> Result<(), AppError> {
        let is_known = hears && !self.publisher.news.is_unread();
        if is_known { Ok(()) } else { self.actor.ask(CatchUp(context)).await? }
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct CatchUp(DecisionContext);

impl Handler<CatchUp> for ConfigActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic, as a refresh.
    fn handle(&mut self, CatchUp(context): CatchUp, _: &mut Self::Context) -> Self::Result {
        let (publisher, store) = (self.publisher.clone(), self.store.clone());
        let catch_up = async move { catch_up(&publisher, &*store, &context).await };
        AtomicResponse::new(Box::pin(catch_up.into_actor(self)))
    }
}

async fn catch_up(publisher: &Publisher, store: &dyn ConfigStore, context: &DecisionContext) -> Result<(), AppError> {
    let told = publisher.news.told();
    let Err(cause) = refresh(publisher, store, context).await else { return Ok(()) };
    // If the store answers, it holds a version that is refused here or has an unreadable content.
    let active = store.active_id().await.map_err(|cause| AppError::new(UNKNOWN).because(cause))?;
    let is_refused = active.is_some_and(|id| publisher.avoided.is_refused(&id));
    if !is_refused {
        return Err(AppError::new(UNKNOWN).because(cause));
    }
    publisher.news.note_read(told);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::super::testing::{Shared, named, start};
    use super::super::{Config, Stored, Version};
    use super::*;

    fn context() -> DecisionContext {
        named("").context
    }

    fn site_name(server: &ConfigHandle) -> String {
        server.current().view.team.site_name.clone()
    }

    #[actix_rt::test]
    async fn a_version_that_the_server_heard_of_or_may_have_missed_is_in_force_before_it_is_shown() {
        let store = Shared::default();
        let (one, other) = (start(&store), start(&store));
        one.write(named("one")).await.unwrap();
        other.note_news();
        other.catch_up(true, context()).await.unwrap();
        assert_eq!(site_name(&other), "one");
        one.write(named("two")).await.unwrap();
        other.catch_up(true, context()).await.unwrap();
        assert_eq!(site_name(&other), "one", "it has read all that it heard of");
        other.catch_up(false, context()).await.unwrap();
        assert_eq!(site_name(&other), "two");
        one.write(named("three")).await.unwrap();
        other.note_news();
        other.refresh(context()).await.unwrap();
        assert!(!other.publisher.news.is_unread());
    }

    #[actix_rt::test]
    async fn a_version_that_is_refused_here_leaves_the_earlier_one_to_be_shown() {
        let store = Shared::default();
        let (one, other) = (start(&store), start(&store));
        one.write(named("one")).await.unwrap();
        other.note_news();
        let refuses = DecisionContext { is_served: Arc::new(|_| true), ..context() };
        other.catch_up(true, refuses).await.unwrap();
        assert_eq!(site_name(&other), "Mattermost");
        assert!(!other.publisher.news.is_unread(), "it is not read again for each request");
        *store.is_unreadable.lock().unwrap() = true;
        other.catch_up(false, context()).await.unwrap();
        assert_eq!(site_name(&other), "Mattermost");
    }

    #[actix_rt::test]
    async fn nothing_is_shown_while_the_store_cannot_be_read() {
        for is_content_alone in [false, true] {
            let (shared, away) = (Shared::default(), Arc::new(AtomicBool::new(true)));
            start(&shared).write(named("one")).await.unwrap();
            let store = Arc::new(Unreliable { store: shared.clone(), is_away: away.clone(), is_content_alone });
            let server = ConfigHandle::start(Config::from_overrides([]).unwrap(), Arc::new(shared), store);
            server.note_news();
            for hears in [true, false] {
                assert_eq!(server.catch_up(hears, context()).await.unwrap_err().id, UNKNOWN);
            }
            away.store(false, Ordering::SeqCst);
            server.catch_up(true, context()).await.unwrap();
            assert_eq!(site_name(&server), "one");
        }
    }

    /// A store that cannot be read at times.
    struct Unreliable {
        store: Shared,
        is_away: Arc<AtomicBool>,
        /// True if the id of the active version can be read meanwhile.
        is_content_alone: bool,
    }

    impl ConfigStore for Unreliable {
        fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
            if self.is_away.load(Ordering::SeqCst) {
                return async { Err(AppError::new("test.away")) }.boxed();
            }
            ConfigStore::load(&self.store)
        }

        fn active_id(&self) -> BoxFuture<'static, Result<Option<String>, AppError>> {
            if self.is_away.load(Ordering::SeqCst) && !self.is_content_alone {
                return async { Err(AppError::new("test.away")) }.boxed();
            }
            self.store.active_id()
        }

        fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>> {
            self.store.save(version)
        }
    }
}
