//! The confirmation of a change or its end, without a server.

use std::sync::Arc;

use quarterdeck_actors::audit::{AuditRecord, AuditStore};
use quarterdeck_actors::config::confirmation::{confirm, missing, of_version};
use quarterdeck_actors::config::saving::{TakenBackBy, take_back_stored};
use quarterdeck_actors::draft::{Draft, Progress, within};
use quarterdeck_actors::error::AppError;
use serde_json::json;

use super::{Outcome, Store, Trail, author, record};
use crate::domain::audit::both_sides;
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

    /// Takes the change that made this version back, with a record in the audit trail as for its confirmation.
    pub(in crate::cli::config) async fn take_back(&self, version: &str) -> Result<Outcome, AppError> {
        self.versions.known(version).await?;
        let is_recorded = *self.trail().await? == Trail::Ready;
        let (defaults, context) = self.installation(is_recorded).await?;
        let store = Recorded { versions: self.versions.clone(), trail: is_recorded.then(|| self.db.clone()), defaults };
        let waiting = of_version(store.versions.confirmation().await?, version)?;
        let draft = Draft::new(record("takeBackConfig", json!({ "version": version })));
        let by = TakenBackBy { author: author("cli", ""), admits: None };
        // On the heap: the future is large.
        let taking = Box::pin(take_back_stored(&store, &self.overrides, waiting, Some(by), context));
        // Without the trail there is no draft either.
        let saved = if is_recorded { draft.clone().around(taking).await? } else { taking.await? };
        let saved = saved.ok_or_else(missing)?;
        if is_recorded {
            let (before, after) = both_sides(&saved.decision.changes);
            let record = AuditRecord { before, after, ..(*draft.record).clone() };
            let db = self.db.clone().with_audit_keys(ready_keys(&self.settings));
            db.append(vec![Arc::new(record)], Vec::new()).await?;
        }
        Ok(self.outcome(saved))
    }
}
