//! The change of the configuration that waits for its confirmation, in the store beside the versions.

use quarterdeck_actors::causes::chain;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Version;
use quarterdeck_actors::config::confirmation::Confirmation;
use quarterdeck_actors::error::{AppError, OrFail};

use super::{LOAD_FAILED, VersionStore, in_background, unreadable, unsaved};
use crate::store::{ConfigJson, Db};

impl VersionStore {
    /// Returns the time by which the end of a confirmation is decided, in Unix milliseconds: that of the database where
    /// servers share it, so that a wrong clock of one of them ends no time early or late.
    pub(crate) async fn time_ms(&self) -> Result<i64, AppError> {
        match self {
            Self::Database(db) => Ok(db.shared_clock().await.or_fail(LOAD_FAILED)?.unwrap_or_else(wall_ms)),
            Self::File(_) => Ok(wall_ms()),
        }
    }

    /// Returns the version with the end of the time for its confirmation, by the clock of a database that servers share.
    pub(super) async fn timed(&self, mut version: Version) -> Result<Version, AppError> {
        if let (Some(confirmation), Self::Database(db)) = (&mut version.confirmation, self)
            && let Some(now) = db.shared_clock().await.or_fail(LOAD_FAILED)?
        {
            confirmation.begin_at(now);
        }
        Ok(version)
    }

    /// Returns the change that waits for its confirmation.
    pub(crate) async fn confirmation(&self) -> Result<Option<Confirmation>, AppError> {
        match self {
            Self::Database(db) => db.confirmation().await.or_fail(LOAD_FAILED),
            Self::File(file) => {
                in_background(file, ConfigJson::confirmation).await?.map_err(|cause| unreadable(&cause))
            }
        }
    }

    /// Stores `after` in place of `before`, or deletes `before`. Returns false if something else is stored. If the
    /// versions are not in the database of the audit trail, the draft of the record is stored first.
    pub(crate) async fn set_confirmation(
        &self,
        before: Confirmation,
        after: Option<Confirmation>,
        trail: Option<&Db>,
    ) -> Result<bool, AppError> {
        if self.is_apart()
            && let Some(trail) = trail
        {
            trail.store_draft().await.map_err(|cause| unsaved(chain(&cause), cause))?;
        }
        match self {
            Self::Database(db) => {
                db.set_confirmation(before, after).await.map_err(|cause| unsaved(chain(&cause), cause))
            }
            Self::File(file) => {
                let set = move |file: &ConfigJson| file.set_confirmation(&before, after.as_ref());
                in_background(file, set).await?.map_err(|cause| unsaved(cause.problem(), cause))
            }
        }
    }
}
