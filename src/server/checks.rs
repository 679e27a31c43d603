//! The health checks: one for each dependency of the server.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::cluster::ClusterHandle;
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::health::Check;
use quarterdeck_actors::probe::FileProbeHandle;
use quarterdeck_actors::storage::settings::Store;

use crate::store::Db;

/// The time for which a successful check of a remote store stays valid, because every check costs paid requests.
const REMOTE_CHECK_LIFETIME: Duration = Duration::from_secs(30);

/// The time without news from the bus after which a server is not ready, in ms. Its caches are not used long before.
const MAX_SILENCE_MS: i64 = 5_000;

/// Returns all checks, in the order in which readiness shows them.
pub(super) fn all(
    db: &Db,
    config: &ConfigHandle,
    files: &FileProbeHandle,
    cluster: &ClusterHandle,
) -> Vec<Arc<dyn Check>> {
    let store = |name, store| Arc::new(FileStore { name, store, config: config.clone(), files: files.clone() });
    vec![
        Arc::new(Database(db.clone())),
        store("filestore", Store::Files),
        store("exportstore", Store::Exports),
        Arc::new(Cluster(cluster.clone())),
        Arc::new(Redis(cluster.clone())),
    ]
}

/// Checks the database: writes a row and deletes it, with the locks that every write takes.
struct Database(Db);

impl Check for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn run(&self) -> BoxFuture<'static, Result<(), String>> {
        let db = self.0.clone();
        async move {
            let Err(cause) = db.probe(wall_ms() / 1000).await else { return Ok(()) };
            let locked = db.locked_tables().await.unwrap_or_default();
            let cause = cause.to_string();
            Err(if locked.is_empty() { cause } else { format!("{cause}; locked tables: {}", locked.join(", ")) })
        }
        .boxed()
    }
}

/// Checks that this server hears the other ones.
struct Cluster(ClusterHandle);

impl Check for Cluster {
    fn name(&self) -> &'static str {
        "cluster"
    }

    fn is_needed(&self) -> bool {
        self.0.is_shared()
    }

    fn run(&self) -> BoxFuture<'static, Result<(), String>> {
        let figures = self.0.figures();
        let silent_ms = figures.silence_ms.max(figures.failing_ms);
        let is_late = self.0.is_following() && silent_ms >= MAX_SILENCE_MS;
        let reason = figures.problem.map(|problem| format!(": {problem}")).unwrap_or_default();
        let late = || format!("no news from the other servers for {} s{reason}", silent_ms / 1000);
        let done = if is_late { Err(late()) } else { Ok(()) };
        async move { done }.boxed()
    }
}

/// Checks the Redis that has the events.
struct Redis(ClusterHandle);

impl Check for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    // The database does the work of Redis.
    fn is_vital(&self) -> bool {
        false
    }

    fn is_needed(&self) -> bool {
        self.0.redis().is_some()
    }

    fn run(&self) -> BoxFuture<'static, Result<(), String>> {
        let found = self.0.redis().and_then(|figures| figures.problem).map_or(Ok(()), Err);
        async move { found }.boxed()
    }
}

/// Checks the backend that is in service for a store.
struct FileStore {
    name: &'static str,
    store: Store,
    config: ConfigHandle,
    files: FileProbeHandle,
}

impl Check for FileStore {
    fn name(&self) -> &'static str {
        self.name
    }

    // Exports can wait. Uploads and downloads of users cannot, so only the file store decides about readiness.
    fn is_vital(&self) -> bool {
        self.store == Store::Files
    }

    fn is_needed(&self) -> bool {
        self.config.current().view.stores().contains(&self.store)
    }

    fn holds_for(&self) -> Duration {
        let stores = self.files.current();
        let is_local = stores.in_service(self.store).is_some_and(|service| service.settings.driver_name == "local");
        if is_local { Duration::ZERO } else { REMOTE_CHECK_LIFETIME }
    }

    fn run(&self) -> BoxFuture<'static, Result<(), String>> {
        let (files, store) = (self.files.clone(), self.store);
        async move {
            match files.check(store).await {
                Ok(None) => Ok(()),
                Ok(Some(report)) => report.failure.as_ref().map_or(Ok(()), |failure| Err(failure.to_string())),
                Err(cause) => Err(cause.to_string()),
            }
        }
        .boxed()
    }
}
