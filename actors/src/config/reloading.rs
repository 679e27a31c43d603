//! Messages that read the configuration again.

use std::sync::Arc;

use actix::{ActorFutureExt, AtomicResponse, Handler, Message, WrapFuture};
use tracing::info;

use super::active::refresh;
use super::proposal::DecisionContext;
use super::{Config, ConfigActor, check};
use crate::error::{AppError, OrFail};

const FAILED: &str = "api.config.reload_config.app_error";

#[derive(Message)]
#[rtype(result = "Result<Arc<Config>, AppError>")]
pub(super) struct Reload(pub(super) DecisionContext);

impl Handler<Reload> for ConfigActor {
    type Result = AtomicResponse<Self, Result<Arc<Config>, AppError>>;

    // Atomic: two reloads publish in the order in which they load.
    fn handle(&mut self, Reload(context): Reload, _: &mut Self::Context) -> Self::Result {
        let (source, store, running) = (self.source.clone(), self.store.clone(), self.publisher.current());
        let load = async move {
            let mut overrides = source.load().await.or_fail(FAILED)?;
            overrides.remember(&running.overrides);
            let stored = store.load().await.or_fail(FAILED)?;
            let config = Config::compose_with(store.defaults(), stored, overrides).or_fail(FAILED)?;
            check(&config, &context).or_fail(FAILED)?;
            config.log_notices();
            Ok(Arc::new(config))
        };
        AtomicResponse::new(Box::pin(load.into_actor(self).map(|loaded: Result<Arc<Config>, AppError>, actor, _| {
            if let Ok(config) = &loaded {
                let is_changed = actor.publisher.publish(config.clone());
                info!(config.changed = is_changed, "configuration reloaded");
            }
            loaded
        })))
    }
}

#[derive(Message)]
#[rtype(result = "Result<Arc<Config>, AppError>")]
pub(super) struct Refresh(pub(super) DecisionContext);

impl Handler<Refresh> for ConfigActor {
    type Result = AtomicResponse<Self, Result<Arc<Config>, AppError>>;

    // Atomic: no version of this server is stored between the read and the publication.
    fn handle(&mut self, Refresh(context): Refresh, _: &mut Self::Context) -> Self::Result {
        let (publisher, store) = (self.publisher.clone(), self.store.clone());
        let refresh = async move { refresh(&publisher, &*store, &context).await };
        AtomicResponse::new(Box::pin(refresh.into_actor(self)))
    }
}
