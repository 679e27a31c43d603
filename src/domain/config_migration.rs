//! Copies the stored configuration from one store to another.

use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::saving::Wanted;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::error::{AppError, OrFail};
use thiserror::Error;

use crate::domain::version_store::{Place, VersionStore};
use crate::store::Db;

const FAILED: &str = "api.config.migrate_config.app_error";

/// The reason why a configuration was not migrated to another store.
#[derive(Debug, Error)]
enum Unmoved {
    #[error("the name of a store is missing")]
    Nameless,
    #[error("the source store has no configuration")]
    Nothing,
}

/// A copy that is about to be stored.
pub(crate) struct Migration {
    /// The document of the first store, which replaces that of the second one.
    pub(crate) wanted: Wanted,
    /// The second store.
    pub(crate) target: VersionStore,
}

impl Migration {
    /// Opens the two stores and reads the first one. `db` is the database of this server; `sql` has the settings to
    /// connect to another one.
    pub(crate) async fn open(from: &str, to: &str, db: &Db, sql: &SqlSettings) -> Result<Self, AppError> {
        if from.is_empty() || to.is_empty() {
            return Err(AppError::new(FAILED).because(Unmoved::Nameless));
        }
        let from = Place::named(Some(from)).or_fail(FAILED)?.seen_from(sql);
        let to = Place::named(Some(to)).or_fail(FAILED)?.seen_from(sql);
        let document = read(&from, db, sql).await.or_fail(FAILED)?;
        let target = VersionStore::open(&to, db, sql).await.or_fail(FAILED)?;
        Ok(Self { wanted: Wanted::Copy(document), target })
    }
}

async fn read(from: &Place, db: &Db, sql: &SqlSettings) -> Result<Document, AppError> {
    let active = VersionStore::open(from, db, sql).await?.active().await?;
    Ok(active.ok_or_else(|| AppError::new(FAILED).because(Unmoved::Nothing))?.document)
}
