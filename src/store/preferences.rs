//! The table `preferences`.

use super::{Db, Row, Statement, StoreError, Value, statement};
use crate::preferences::Preference;

const SELECT: &str = "SELECT userid, category, name, value FROM preferences WHERE userid = $1";

impl Db {
    /// A user's preferences, by category and name.
    pub(crate) async fn preferences(&self, user_id: &str) -> Result<Vec<Preference>, StoreError> {
        self.some_preferences("", vec![user_id.into()]).await
    }

    /// A user's preferences of one category, by name.
    pub(crate) async fn preferences_in(&self, user_id: &str, category: &str) -> Result<Vec<Preference>, StoreError> {
        self.some_preferences(" AND category = $2", vec![user_id.into(), category.into()]).await
    }

    /// One preference.
    pub(crate) async fn preference(
        &self,
        user_id: &str,
        category: &str,
        name: &str,
    ) -> Result<Option<Preference>, StoreError> {
        let values = vec![user_id.into(), category.into(), name.into()];
        Ok(self.some_preferences(" AND category = $2 AND name = $3", values).await?.pop())
    }

    /// Stores all of them, in place of those of the same category and name.
    pub(crate) async fn save_preferences(&self, preferences: &[Preference]) -> Result<(), StoreError> {
        self.transaction(preferences.iter().map(replacement).collect()).await.map(drop)
    }

    /// Deletes those with the category and name of each.
    pub(crate) async fn delete_preferences(&self, preferences: &[Preference]) -> Result<(), StoreError> {
        self.transaction(preferences.iter().map(removal).collect()).await.map(drop)
    }

    async fn some_preferences(&self, condition: &str, values: Vec<Value>) -> Result<Vec<Preference>, StoreError> {
        let sql = format!("{SELECT}{condition} ORDER BY category, name");
        self.read(statement(sql, values)).await?.into_iter().map(preference).collect()
    }
}

fn replacement(preference: &Preference) -> Statement {
    let sql = "INSERT INTO preferences (userid, category, name, value) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (userid, category, name) DO UPDATE SET value = excluded.value";
    let Preference { user_id, category, name, value } = preference;
    statement(sql, vec![user_id.into(), category.into(), name.into(), value.into()])
}

fn removal(preference: &Preference) -> Statement {
    let sql = "DELETE FROM preferences WHERE userid = $1 AND category = $2 AND name = $3";
    let Preference { user_id, category, name, .. } = preference;
    statement(sql, vec![user_id.into(), category.into(), name.into()])
}

fn preference(mut row: Row) -> Result<Preference, StoreError> {
    Ok(Preference { user_id: row.text()?, category: row.text()?, name: row.text()?, value: row.text()? })
}
