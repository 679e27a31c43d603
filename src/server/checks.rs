//! What the server depends on, and how it is tried.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::health::Check;
use quarterdeck_actors::id::new_id;

use crate::state::now_ms;
use crate::store::Db;

/// Every check, in the order in which it is shown.
pub(super) fn all(db: &Db, config: &ConfigHandle) -> Vec<Arc<dyn Check>> {
    vec![Arc::new(Database(db.clone())), Arc::new(FileStore(config.clone()))]
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

/// Writes a file where uploads go and deletes it.
struct FileStore(ConfigHandle);

impl Check for FileStore {
    fn name(&self) -> &'static str {
        "filestore"
    }

    fn run(&self) -> BoxFuture<'static, Result<(), String>> {
        let settings = self.0.current().view.file.files.clone();
        async move {
            match settings.driver_name.as_str() {
                "local" => try_folder(settings.directory.into()).await,
                other => Err(format!("FileSettings.DriverName {other:?} is not supported")),
            }
        }
        .boxed()
    }
}

async fn try_folder(folder: PathBuf) -> Result<(), String> {
    let file = folder.join(format!("qd-probe-{}", new_id()));
    let tried = async {
        tokio::fs::create_dir_all(&folder).await?;
        tokio::fs::write(&file, b"probe").await?;
        tokio::fs::remove_file(&file).await
    };
    tried.await.map_err(|cause| format!("{}: {cause}", folder.display()))
}
