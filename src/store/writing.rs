//! The only place that hands transactions to an engine. The first transaction of a change also stores the draft of the
//! change's audit record.

use quarterdeck_actors::draft::Draft;

use super::audits::opening;
use super::{Db, Engine, Row, Statement, StoreError, Transaction};

impl Db {
    /// Runs a transaction and returns the rows of each of its statements. The data is on the disk when this returns.
    ///
    /// The first transaction of a change stores the draft of its audit record too, in the same commit.
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
        match &self.engine {
            Engine::Postgres(postgres) => postgres.write(statement).await,
            Engine::Sqlite(sqlite) => sqlite.write(statement).await,
        }
    }
}
