//! The texts of the statements that a database ran, for the test of their plans.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::Statement;

/// Collects each text once. Release builds collect none.
#[derive(Debug, Clone, Default)]
pub struct StatementTexts(Arc<Mutex<BTreeSet<Arc<str>>>>);

impl StatementTexts {
    /// The maximum number of texts that are collected.
    const MAX: usize = 5_000;

    /// Returns the texts so far.
    pub fn all(&self) -> Vec<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(super) fn note(&self, statement: &Statement) {
        if cfg!(debug_assertions) {
            let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if texts.len() < Self::MAX && !texts.contains(&*statement.sql) {
                texts.insert(statement.sql.as_ref().into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::fresh;
    use super::super::{Transaction, statement};

    #[actix_web::test]
    async fn each_text_of_a_read_a_write_and_a_decision_is_collected_once() {
        let (_folder, db) = fresh().await;
        let before = db.statement_texts().all().len();
        for _ in 0..2 {
            db.read(statement("SELECT 1", Vec::new())).await.unwrap();
            db.write(statement("DELETE FROM status", Vec::new())).await.unwrap();
            let decide = |_: &[Vec<super::super::Row>]| Ok(vec![statement("SELECT 3", Vec::new())]);
            let transaction = Transaction::decided(vec![statement("SELECT 2", Vec::new())], decide);
            db.transaction(transaction).await.unwrap();
        }
        let texts = db.statement_texts().all();
        assert_eq!(texts.len(), before + 4);
        for text in ["SELECT 1", "SELECT 2", "SELECT 3", "DELETE FROM status"] {
            assert!(texts.iter().any(|known| &**known == text), "{text}");
        }
    }
}
