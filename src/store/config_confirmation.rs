//! The table `qd_configconfirmation`: the change of the configuration that waits for its confirmation. It has at most
//! one row, in the slot 1.

use quarterdeck_actors::config::confirmation::Confirmation;
use serde_json::Error;

use super::{Db, Row, Statement, StoreError, Subject, Transaction, statement};

/// The name of the table. The constraint of its primary key begins with it.
pub(super) const TABLE: &str = "qd_configconfirmation";

const READ: &str = "SELECT state FROM qd_configconfirmation WHERE slot = 1";

/// Returns the statement that adds a row. It fails as a duplicate if another change waits.
pub(super) fn adding(waiting: &Confirmation) -> Result<Statement, Error> {
    let sql = "INSERT INTO qd_configconfirmation (slot, version, state) VALUES (1, $1, $2)";
    Ok(statement(sql, vec![(&waiting.version).into(), serde_json::to_string(waiting)?.into()]))
}

/// Returns the statement that selects the row.
pub(super) fn reading() -> Statement {
    statement(READ, Vec::new())
}

/// Returns the change that waits for its confirmation, from the answer to `reading`.
pub(super) fn waiting(answer: Option<&Vec<Row>>) -> Result<Option<Confirmation>, StoreError> {
    answer.into_iter().flatten().next().cloned().map(|mut row| parsed(&row.text()?)).transpose()
}

/// Returns the statement that deletes the row of this version.
pub(super) fn deleting(version: &str) -> Statement {
    statement("DELETE FROM qd_configconfirmation WHERE version = $1", vec![version.into()])
}

impl Db {
    /// Returns the time of a database that servers share, in Unix milliseconds, because the clocks of servers differ;
    /// `None` for the embedded one.
    pub(crate) async fn shared_clock(&self) -> Result<Option<i64>, StoreError> {
        if !self.is_shared() {
            return Ok(None);
        }
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        self.read(statement(sql, Vec::new())).await?.into_iter().next().map(|mut row| row.int()).transpose()
    }

    /// Returns the change of the configuration that waits for its confirmation.
    pub(crate) async fn confirmation(&self) -> Result<Option<Confirmation>, StoreError> {
        if !self.has_confirmations().await? {
            return Ok(None);
        }
        waiting(Some(&self.read(reading()).await?))
    }

    /// Returns false for a database that an earlier version made: no change waits in it.
    pub(super) async fn has_confirmations(&self) -> Result<bool, StoreError> {
        Ok(!self.tables_among(&[TABLE]).await?.is_empty())
    }

    /// Stores `after` in place of `before`, or deletes `before`. Returns false if something else is stored.
    pub(crate) async fn set_confirmation(
        &self,
        before: Confirmation,
        after: Option<Confirmation>,
    ) -> Result<bool, StoreError> {
        let decide = move |answers: &[Vec<Row>]| {
            if waiting(answers.first())?.as_ref() != Some(&before) {
                return Ok(Vec::new());
            }
            let mut statements = vec![deleting(&before.version)];
            if let Some(after) = &after {
                statements.push(adding(after).map_err(|cause| StoreError::Column(cause.to_string()))?);
            }
            Ok(statements)
        };
        let transaction = Transaction::decided(vec![reading()], decide);
        let answers = self.transaction(transaction.lock_exclusive(Subject::Configuration)).await?;
        // The first answer is that of the reading statement.
        Ok(answers.len() > 1)
    }
}

pub(super) fn parsed(state: &str) -> Result<Confirmation, StoreError> {
    serde_json::from_str(state).map_err(|cause| StoreError::Column(format!("{TABLE}.state: {cause}")))
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::confirmation::Stage;

    use super::*;
    use crate::store::testing::{execute, fresh};

    fn waiting_for(version: &str) -> Confirmation {
        Confirmation {
            version: version.to_owned(),
            replaced: None,
            user_id: "anna".to_owned(),
            within_s: 60,
            until: 60_000,
            stage: Stage::InForce,
            needs_start: true,
        }
    }

    async fn add(db: &Db, version: &str) -> Result<(), StoreError> {
        db.transaction(Transaction::of(vec![adding(&waiting_for(version)).unwrap()])).await.map(drop)
    }

    #[actix_web::test]
    async fn one_change_waits_at_a_time_until_it_is_replaced_or_deleted_as_it_was_read() {
        let (_folder, db) = fresh().await;
        assert_eq!(db.confirmation().await.unwrap(), None);
        add(&db, "one").await.unwrap();
        assert!(add(&db, "two").await.unwrap_err().is_duplicate_of(TABLE));
        let (one, two) = (waiting_for("one"), waiting_for("two"));
        assert_eq!(db.confirmation().await.unwrap(), Some(one.clone()));
        assert!(!db.set_confirmation(two.clone(), None).await.unwrap());
        let started = Confirmation { stage: Stage::Started, ..one.clone() };
        assert!(db.set_confirmation(one.clone(), Some(started.clone())).await.unwrap());
        assert!(!db.set_confirmation(one, None).await.unwrap());
        assert_eq!(db.confirmation().await.unwrap(), Some(started.clone()));
        assert!(db.set_confirmation(started, None).await.unwrap());
        assert_eq!(db.confirmation().await.unwrap(), None);
        add(&db, "two").await.unwrap();
    }

    #[actix_web::test]
    async fn a_database_of_an_earlier_version_has_no_waiting_change_and_an_unreadable_one_is_an_error() {
        let (_folder, db) = fresh().await;
        add(&db, "one").await.unwrap();
        execute(&db, "UPDATE qd_configconfirmation SET state = '{}'").await;
        assert!(matches!(db.confirmation().await.unwrap_err(), StoreError::Column(_)));
        execute(&db, "DROP TABLE qd_configconfirmation").await;
        assert_eq!(db.confirmation().await.unwrap(), None);
    }
}
