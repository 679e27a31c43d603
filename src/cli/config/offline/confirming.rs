//! The confirmation of a change, without a server.

use std::sync::Arc;

use quarterdeck_actors::audit::AuditStore;
use quarterdeck_actors::config::confirmation::confirm;
use quarterdeck_actors::draft::{Progress, within};
use quarterdeck_actors::error::AppError;
use serde_json::json;

use super::{Store, Trail, record};
use crate::domain::audit::key_file::ready_keys;
use crate::domain::version_store::recorded::Recorded;

impl Store {
    /// Confirms the change that made this version. It has a record in the audit trail, unless the database with the
    /// trail is away.
    pub(in crate::cli::config) async fn confirm(&self, version: &str) -> Result<(), AppError> {
        self.versions.known(version).await?;
        let is_recorded = *self.trail().await? == Trail::Ready;
        let trail = is_recorded.then(|| self.db.clone());
        let store = Recorded { versions: self.versions.clone(), trail, defaults: self.defaults };
        if !is_recorded {
            return confirm(&store, version, "", true).await.map(drop);
        }
        let record = record("confirmConfig", json!({ "version": version }));
        let drafted = record.clone();
        let confirming = async move { confirm(&store, version, "", true).await.map(drop) };
        within(move || drafted.clone(), Progress::default(), confirming).await?;
        let db = self.db.clone().with_audit_keys(ready_keys(&self.settings));
        db.append(vec![Arc::new(record)], Vec::new()).await
    }
}
