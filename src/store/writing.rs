//! The only place that hands transactions to an engine. The first transaction of a change also stores the draft of the
//! change's audit record.

use quarterdeck_actors::draft::Draft;

use super::audits::opening;
use super::{Db, Engine, Row, Statement, StatementTexts, StoreError, Transaction};

impl Db {
    /// Returns the texts of the statements that ran on this database; none in release builds.
    pub(crate) fn statement_texts(&self) -> StatementTexts {
        self.texts.clone()
    }

    /// Runs a transaction and returns the rows of each of its statements. The data is on the disk when this returns.
    ///
    /// The first transaction of a change stores the draft of its audit record too, in the same commit.
    pub(crate) async fn transaction(&self, mut transaction: Transaction) -> Result<Vec<Vec<Row>>, StoreError> {
        let draft = Draft::current().filter(|_| self.has_trail());
        transaction.draft = draft.as_ref().map(|draft| opening(&draft.record)).transpose()?;
        transaction.note_in(&self.texts);
        let mut answers = match &self.engine {
            Engine::Postgres(postgres) => postgres.run_all(transaction).await,
            Engine::Sqlite(sqlite) => sqlite.run_all(transaction).await,
        }?;
        if let Some(draft) = draft {
            draft.progress.note_stored();
            answers.pop();
        }
        Ok(answers)
    }

    /// Runs one statement that writes. The data is on the disk when this returns. The first write of a change stores
    /// the draft of its audit record too, as [`Db::transaction`] does.
    pub(crate) async fn write(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        if Draft::is_wanted() && self.has_trail() {
            let answers = self.transaction(Transaction::of(vec![statement])).await?;
            return Ok(answers.into_iter().next().unwrap_or_default());
        }
        self.write_apart(statement).await
    }

    /// Stores the draft of the change's audit record, before the change touches something outside of this database.
    pub(crate) async fn store_draft(&self) -> Result<(), StoreError> {
        if Draft::is_wanted() { self.transaction(Transaction::of(Vec::new())).await.map(drop) } else { Ok(()) }
    }

    /// Runs a statement that belongs to no audited change, such as one that counts a login attempt.
    pub(crate) async fn write_apart(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.texts.note(&statement);
        match &self.engine {
            Engine::Postgres(postgres) => postgres.write(statement).await,
            Engine::Sqlite(sqlite) => sqlite.write(statement).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{fresh, texts};
    use crate::store::{own_record, statement};
    use quarterdeck_actors::audit::Status;
    use serde_json::Value as Json;

    #[actix_web::test]
    async fn a_write_outside_of_a_change_leaves_no_draft_and_one_inside_leaves_one() {
        let (_folder, db) = fresh().await;
        let drafts = async || texts(&db, "SELECT id FROM qd_audits_open").await;
        let insert = |name: &str| statement("INSERT INTO systems (name, value) VALUES ($1, '')", vec![name.into()]);
        db.write(insert("one")).await.unwrap();
        assert!(drafts().await.is_empty());
        let record = own_record("patchConfig", Status::Success, Json::Null);
        let id = record.id.clone();
        let work = async {
            db.write_apart(insert("two")).await.unwrap();
            assert!(drafts().await.is_empty(), "what belongs to no change");
            db.write(insert("three")).await.unwrap();
            db.write(insert("four")).await.unwrap();
        };
        Draft::new(record.clone()).around(work).await;
        assert_eq!(drafts().await, [id]);
    }

    #[actix_web::test]
    async fn a_change_that_fails_leaves_neither_itself_nor_its_draft() {
        let (_folder, db) = fresh().await;
        let insert = || statement("INSERT INTO systems (name, value) VALUES ('one', '')", Vec::new());
        let twice = Transaction::of(vec![insert(), insert()]);
        let record = own_record("patchConfig", Status::Success, Json::Null);
        let failed = Draft::new(record).around(db.transaction(twice)).await.unwrap_err();
        assert!(matches!(failed, StoreError::Duplicate(_)), "{failed}");
        assert!(
            texts(&db, "SELECT id FROM qd_audits_open UNION ALL SELECT value FROM systems WHERE name = 'one'")
                .await
                .is_empty()
        );
    }

    #[actix_web::test]
    async fn a_draft_is_stored_before_something_outside_of_the_database_changes() {
        let (_folder, db) = fresh().await;
        db.store_draft().await.unwrap();
        assert!(texts(&db, "SELECT id FROM qd_audits_open").await.is_empty());
        let record = own_record("patchConfig", Status::Success, Json::Null);
        Draft::new(record).around(db.store_draft()).await.unwrap();
        assert_eq!(texts(&db, "SELECT id FROM qd_audits_open").await.len(), 1);
    }
}
