//! What the server depends on, and how it is tried.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::health::Check;
use quarterdeck_actors::storage::Backends;

use crate::files::Stores;
use crate::state::now_ms;
use crate::store::Db;

/// Every check, in the order in which it is shown.
pub(super) fn all(db: &Db, config: &ConfigHandle) -> Vec<Arc<dyn Check>> {
    vec![Arc::new(Database(db.clone())), Arc::new(FileStore { config: config.clone(), stores: Stores::default() })]
}

/// Writes a row and deletes it.
struct Database(Db);

impl Check for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn run(&self) -> BoxFuture<'static, Result<(), String>> {
        let db = self.0.clone();
        async move { db.probe(now_ms() / 1000).await.map_err(|cause| cause.to_string()) }.boxed()
    }
}

/// Runs the test of the store of files.
struct FileStore {
    config: ConfigHandle,
    stores: Stores,
}

impl Check for FileStore {
    fn name(&self) -> &'static str {
        "filestore"
    }

    fn run(&self) -> BoxFuture<'static, Result<(), String>> {
        let opened = self.stores.open(&self.config.current().view.file.files);
        async move {
            let report = opened.map_err(|trouble| trouble.to_string())?.probe().await;
            report.trouble.map_or(Ok(()), |trouble| Err(trouble.to_string()))
        }
        .boxed()
    }
}
