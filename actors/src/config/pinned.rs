//! Settings for tests: pinned values without a stored version.

use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{ConfigSource, ConfigStore, Overrides, Stored, Version};
use crate::error::AppError;

/// The pinned values. A test changes them between two reloads.
pub(crate) struct Pinned(pub(crate) Mutex<Overrides>);

impl ConfigSource for Pinned {
    fn load(&self) -> BoxFuture<'static, Result<Overrides, AppError>> {
        let pinned = self.0.lock().unwrap().clone();
        async move { Ok(pinned) }.boxed()
    }
}

impl ConfigStore for Pinned {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        async { Ok(None) }.boxed()
    }

    fn save(&self, _: Version) -> BoxFuture<'static, Result<(), AppError>> {
        async { Ok(()) }.boxed()
    }
}
