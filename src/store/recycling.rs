//! Decides which pooled connections are too old, after a request to replace all connections.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The time of the last replacement of all connections; the pools share it with the code that sets it.
#[derive(Clone, Default)]
pub(super) struct Recycling(Arc<RwLock<Option<Instant>>>);

impl Recycling {
    /// Makes all existing connections unusable from now on.
    pub(super) fn begin(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Does the same as [`Recycling::begin`], unless that happened less than `pause` ago. Returns true when it did it.
    pub(super) fn begin_unless_recent(&self, interval: Duration) -> bool {
        let mut began = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_due = began.is_none_or(|began| began.elapsed() >= interval);
        if is_due {
            *began = Some(Instant::now());
        }
        is_due
    }

    /// Returns true when a connection created at `made` must be replaced.
    pub(super) fn is_over(&self, made: Instant) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some_and(|began| made <= began)
    }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Config;
    use serde_json::Value;

    use super::super::Db;
    use super::*;

    #[actix_web::test]
    async fn recycled_connections_are_closed_and_the_next_statement_makes_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db").display().to_string();
        let source = ("SqlSettings.DataSource".to_owned(), Value::from(file));
        let db = Db::new(&Config::from_overrides([source]).unwrap().view.sql).unwrap();
        db.migrate().await.unwrap();
        db.set_system("Known", "fact").await.unwrap();
        db.user_count().await.unwrap();
        assert!(db.pool().open >= 2);
        db.recycle_connections();
        assert_eq!(db.pool().open, 0);
        assert_eq!(db.user_count().await.unwrap(), 0);
        assert_eq!(db.pool().open, 1);
    }

    #[test]
    fn what_was_made_before_is_over_and_what_is_made_later_is_not() {
        let (before, recycling) = (Instant::now(), Recycling::default());
        assert!(!recycling.is_over(before));
        recycling.begin();
        assert!(recycling.is_over(before));
        let later = before + std::time::Duration::from_mins(1);
        assert!(!recycling.is_over(later));
    }
}
