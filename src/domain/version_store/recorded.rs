//! The store of versions as the actor of the configuration uses it.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::config::confirmation::Confirmation;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::{ConfigStore, Defaults, Stored, Version};
use quarterdeck_actors::error::AppError;

use super::VersionStore;
use crate::store::Db;

/// The versions, with the database of the audit trail; `None` for a command while that database is away.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub(crate) versions: VersionStore,
    pub(crate) trail: Option<Db>,
    pub(crate) defaults: Defaults,
}

impl ConfigStore for Recorded {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        let store = self.versions.clone();
        async move { store.active().await }.boxed()
    }

    fn defaults(&self) -> Defaults {
        self.defaults
    }

    fn reuses_ids(&self) -> bool {
        self.versions.file_name().is_some()
    }

    fn active_id(&self) -> BoxFuture<'static, Result<Option<String>, AppError>> {
        let store = self.versions.clone();
        async move { store.active_id().await }.boxed()
    }

    fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>> {
        let Self { versions, trail, .. } = self.clone();
        async move { versions.add(version, trail.as_ref()).await }.boxed()
    }

    fn version(&self, id: &str) -> BoxFuture<'static, Result<Option<Document>, AppError>> {
        let (store, id) = (self.versions.clone(), id.to_owned());
        async move { Ok(store.version(&id).await?.map(|stored| stored.document)) }.boxed()
    }

    fn confirmation(&self) -> BoxFuture<'static, Result<Option<Confirmation>, AppError>> {
        let store = self.versions.clone();
        async move { store.confirmation().await }.boxed()
    }

    fn set_confirmation(
        &self,
        before: Confirmation,
        after: Option<Confirmation>,
    ) -> BoxFuture<'static, Result<bool, AppError>> {
        let Self { versions, trail, .. } = self.clone();
        async move { versions.set_confirmation(before, after, trail.as_ref()).await }.boxed()
    }
}
