//! The one place where statements become a transaction, on either engine. The draft of the record of a change is stored
//! here, with the first transaction of that change.

use quarterdeck_actors::draft::Draft;

use super::audits::opening;
use super::{Db, Engine, Row, Statement, StoreError, Transaction};

impl Db {
    /// Runs a transaction; its answers are those of all its statements. It is on the disk when this answers.
    ///
    /// As part of a change that has no stored record yet, it stores the draft of that record as well, or nothing.
    pub(crate) async fn transaction(&self, mut transaction: Transaction) -> Result<Vec<Vec<Row>>, StoreError> {
        let draft = Draft::current().filter(|_| self.has_trail());
        transaction.draft = draft.as_ref().map(|draft| opening(&draft.record)).transpose()?;
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

    /// Runs a statement that changes something; it is on the disk when this answers. The draft of the record of the
    /// change goes along, as in a transaction.
    pub(crate) async fn write(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        if Draft::is_wanted() && self.has_trail() {
            let answers = self.transaction(Transaction::of(vec![statement])).await?;
            return Ok(answers.into_iter().next().unwrap_or_default());
        }
        self.write_apart(statement).await
    }

    /// Stores the draft of the record of the change, before something is changed outside of this database.
    pub(crate) async fn store_draft(&self) -> Result<(), StoreError> {
        if Draft::is_wanted() { self.transaction(Transaction::of(Vec::new())).await.map(drop) } else { Ok(()) }
    }

    /// Runs a statement that is no part of a change which the trail records, such as one that counts an attempt.
    pub(crate) async fn write_apart(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        match &self.engine {
            Engine::Postgres(postgres) => postgres.write(statement).await,
            Engine::Sqlite(sqlite) => sqlite.write(statement).await,
        }
    }
}
