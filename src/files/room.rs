//! Where files are kept: a local directory, Amazon S3 and what speaks like it, or Azure Blob Storage.

mod azure;
mod client;
mod endpoint;
mod local;
mod network;
mod objects;
pub(crate) mod private;
mod probe;
mod reach;
mod s3;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::storage::report::{Kind, Report, Step, Trouble};
use quarterdeck_actors::storage::settings::{Store, StoreSettings};
use quarterdeck_actors::storage::{Backends, FileBackend};

use objects::Objects;

/// What the names of settings begin with; those of the export store go on with the names of the other.
const SECTION: &str = "FileSettings.";
const EXPORT_SECTION: &str = "FileSettings.Export";

/// How long a test of a store may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// One step; the request timeout of the store counts where it is shorter.
    pub(crate) step: Duration,
    /// All steps.
    pub(crate) whole: Duration,
}

/// Makes the backends of this server.
pub(crate) struct Stores {
    limits: Limits,
}

impl Default for Stores {
    /// Tests of its backends take up to 10 s a step and 30 s as a whole.
    fn default() -> Self {
        Self { limits: Limits { step: Duration::from_secs(10), whole: Duration::from_secs(30) } }
    }
}

impl Stores {
    fn objects(settings: &StoreSettings) -> Result<Arc<dyn Objects>, Trouble> {
        match settings.driver_name.as_str() {
            "local" => Ok(Arc::new(local::Folder::open(settings)?)),
            "amazons3" => Ok(Arc::new(s3::Bucket::open(settings)?)),
            "azureblob" => Ok(Arc::new(azure::Container::open(settings)?)),
            other => Err(Trouble {
                step: Step::Settings,
                kind: Kind::Unusable,
                code: None,
                cause: format!("there is no driver {other:?}"),
                remedy: "Set FileSettings.DriverName to local, amazons3 or azureblob.".to_owned(),
            }),
        }
    }
}

impl Backends for Stores {
    fn open(&self, settings: &StoreSettings) -> Result<Arc<dyn FileBackend>, Trouble> {
        let objects = Self::objects(settings).map_err(|trouble| in_names_of(settings.store, trouble))?;
        Ok(Arc::new(Backend { objects, limits: self.limits, store: settings.store }))
    }
}

struct Backend {
    objects: Arc<dyn Objects>,
    limits: Limits,
    store: Store,
}

impl FileBackend for Backend {
    fn probe(&self) -> BoxFuture<'static, Report> {
        let store = self.store;
        let in_names = move |report: Report| Report {
            trouble: report.trouble.map(|trouble| in_names_of(store, trouble)),
            ..report
        };
        probe::run(self.objects.clone(), self.limits).map(in_names).boxed()
    }
}

/// The trouble in the names of the store's own settings.
fn in_names_of(store: Store, trouble: Trouble) -> Trouble {
    match store {
        Store::Files => trouble,
        Store::Exports => Trouble { remedy: trouble.remedy.replace(SECTION, EXPORT_SECTION), ..trouble },
    }
}
