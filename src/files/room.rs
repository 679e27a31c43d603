//! File stores: a local directory, Amazon S3 and compatible stores, or Azure Blob Storage.

mod azure;
mod client;
mod endpoint;
mod host_policy;
mod local;
mod network;
mod objects;
pub(crate) mod private;
mod probe;
mod s3;

#[cfg(test)]
#[path = "../../tests/support/needs.rs"]
#[expect(clippy::print_stdout, unreachable_pub, reason = "the tests of the whole server have this file as well")]
mod needs;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::storage::progress::Progress;
use quarterdeck_actors::storage::report::{Kind, Report, Step, StepFailure};
use quarterdeck_actors::storage::settings::{Store, StoreSettings};
use quarterdeck_actors::storage::{Backends, FileBackend};

use objects::{Objects, too_slow};

/// The prefix of the settings' names; those of the export store have the longer one.
const SECTION: &str = "FileSettings.";
const EXPORT_SECTION: &str = "FileSettings.Export";

/// The time limit of the whole test of a store, in seconds.
pub(crate) const TEST_SECONDS: u64 = 30;

/// The time limits for the test of a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The limit of one step; a shorter request timeout of the store wins.
    pub(crate) step: Duration,
    /// The limit of the whole test.
    pub(crate) whole: Duration,
}

/// Creates the file backends of this server.
pub(crate) struct Stores {
    limits: Limits,
}

impl Default for Stores {
    /// Tests of the backends take up to 10 s for each step and 30 s as a whole.
    fn default() -> Self {
        Self { limits: Limits { step: Duration::from_secs(10), whole: Duration::from_secs(TEST_SECONDS) } }
    }
}

impl Stores {
    fn objects(settings: &StoreSettings) -> Result<Arc<dyn Objects>, StepFailure> {
        match settings.driver_name.as_str() {
            "local" => Ok(Arc::new(local::Folder::open(settings)?)),
            "amazons3" => Ok(Arc::new(s3::Bucket::open(settings)?)),
            "azureblob" => Ok(Arc::new(azure::Container::open(settings)?)),
            other => Err(StepFailure {
                step: Step::Settings,
                kind: Kind::Unusable,
                code: None,
                cause: format!("the driver {other:?} does not exist"),
                remedy: "Set FileSettings.DriverName to local, amazons3 or azureblob.".to_owned(),
            }),
        }
    }
}

impl Backends for Stores {
    fn open(&self, settings: &StoreSettings) -> Result<Arc<dyn FileBackend>, StepFailure> {
        let objects = Self::objects(settings).map_err(|failure| in_names_of(settings.store, failure))?;
        Ok(Arc::new(Backend { objects, limits: self.limits, store: settings.store }))
    }
}

struct Backend {
    objects: Arc<dyn Objects>,
    limits: Limits,
    store: Store,
}

impl FileBackend for Backend {
    fn probe(&self, progress: Progress) -> BoxFuture<'static, Report> {
        probe::run(self.objects.clone(), self.limits, self.store, progress).boxed()
    }

    fn read(&self, path: &str) -> BoxFuture<'static, Result<Vec<u8>, StepFailure>> {
        let path = path.to_owned();
        self.within(Step::Read, move |objects| async move { Ok(objects.read(&path).await?.into()) })
    }

    fn write(&self, path: &str, content: Vec<u8>) -> BoxFuture<'static, Result<(), StepFailure>> {
        let path = path.to_owned();
        self.within(Step::Write, move |objects| async move { objects.write(&path, content.into()).await })
    }

    fn remove(&self, path: &str) -> BoxFuture<'static, Result<(), StepFailure>> {
        let path = path.to_owned();
        self.within(Step::Delete, move |objects| async move { objects.delete(&path).await })
    }
}

impl Backend {
    /// Runs one operation on the store within the time limit of a step.
    fn within<T, F>(
        &self,
        step: Step,
        work: impl FnOnce(Arc<dyn Objects>) -> F,
    ) -> BoxFuture<'static, Result<T, StepFailure>>
    where
        T: 'static,
        F: Future<Output = Result<T, StepFailure>> + Send + 'static,
    {
        let (objects, store, limit) = (self.objects.clone(), self.store, self.limits.step);
        let working = work(objects.clone());
        async move {
            let ended = tokio::time::timeout(limit, working).await;
            ended
                .unwrap_or_else(|_| Err(too_slow(step, objects.about())))
                .map_err(|failure| in_names_of(store, failure))
        }
        .boxed()
    }
}

/// Returns the failure with the names of the store's own settings in its remedy.
fn in_names_of(store: Store, failure: StepFailure) -> StepFailure {
    match store {
        Store::Files => failure,
        Store::Exports => StepFailure { remedy: failure.remedy.replace(SECTION, EXPORT_SECTION), ..failure },
    }
}
