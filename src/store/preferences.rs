//! The table `preferences`.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::once;

use super::{Db, Row, Statement, StoreError, Subject, Transaction, Value, statement};
use crate::base::preference::Preference;

const SELECT: &str = "SELECT userid, category, name, value FROM preferences WHERE userid = $1";

/// The maximum number of preferences of a user.
const MAX_ROWS: i64 = 10_000;

/// The maximum total length of the values of a user's preferences, in characters.
const MAX_CHARACTERS: i64 = 2_000_000;

impl Db {
    /// Returns a user's preferences, by category and name.
    pub(crate) async fn preferences(&self, user_id: &str) -> Result<Vec<Preference>, StoreError> {
        self.some_preferences("", vec![user_id.into()]).await
    }

    /// Returns a user's preferences in one category, by name.
    pub(crate) async fn preferences_in(&self, user_id: &str, category: &str) -> Result<Vec<Preference>, StoreError> {
        self.some_preferences(" AND category = $2", vec![user_id.into(), category.into()]).await
    }

    /// Returns one preference.
    pub(crate) async fn preference(
        &self,
        user_id: &str,
        category: &str,
        name: &str,
    ) -> Result<Option<Preference>, StoreError> {
        let values = vec![user_id.into(), category.into(), name.into()];
        Ok(self.some_preferences(" AND category = $2 AND name = $3", values).await?.pop())
    }

    /// Stores the preferences; replaces those with the same category and name. Stores nothing and returns false when
    /// the user would then have too many preferences or too long values.
    pub(crate) async fn save_preferences(&self, user_id: &str, preferences: &[Preference]) -> Result<bool, StoreError> {
        // When two have the same category and name, the last one is stored.
        let distinct: BTreeMap<(&str, &str), &Preference> =
            preferences.iter().map(|preference| ((&*preference.category, &*preference.name), preference)).collect();
        let distinct: Vec<&Preference> = distinct.into_values().collect();
        let statements = once(bound(user_id, &distinct)).chain(distinct.iter().map(|one| replacement(one)));
        let transaction = Transaction::of(statements.collect()).lock_exclusive(Subject::User(user_id));
        match self.transaction(transaction).await {
            Err(StoreError::Duplicate(_)) => Ok(false),
            stored => stored.map(|_| true),
        }
    }

    /// Deletes the user's preferences with these categories and names.
    pub(crate) async fn delete_preferences(&self, user_id: &str, preferences: &[Preference]) -> Result<(), StoreError> {
        // Requests that delete the same ones lock the rows in the same order.
        let distinct: BTreeSet<(&str, &str)> =
            preferences.iter().map(|preference| (&*preference.category, &*preference.name)).collect();
        let removals = distinct.into_iter().map(|(category, name)| removal(user_id, category, name)).collect();
        self.transaction(Transaction::of(removals)).await.map(drop)
    }

    async fn some_preferences(&self, condition: &str, values: Vec<Value>) -> Result<Vec<Preference>, StoreError> {
        let sql = format!("{SELECT}{condition} ORDER BY category, name");
        self.read(statement(sql, values)).await?.into_iter().map(preference).collect()
    }
}

/// Returns a statement that inserts a duplicate row, and so rolls the transaction back, when the user's preferences
/// would grow beyond a limit. A user beyond a limit can still change preferences and make them shorter.
fn bound(user_id: &str, preferences: &[&Preference]) -> Statement {
    // The length tells where the category ends.
    let named = "LENGTH(p.category) || ':' || p.category || p.name = ANY ($6)";
    let sql = format!(
        "INSERT INTO preferences (userid, category, name, value) \
         SELECT p.userid, p.category, p.name, p.value FROM preferences p, (\
         SELECT COUNT(*) AS rows_then, SUM(LENGTH(p.value)) AS length_then, \
         SUM(CASE WHEN {named} THEN 1 ELSE 0 END) AS rows_replaced, \
         SUM(CASE WHEN {named} THEN LENGTH(p.value) ELSE 0 END) AS length_replaced \
         FROM preferences p WHERE p.userid = $1) s \
         WHERE p.userid = $1 AND ((s.rows_replaced < $2 AND s.rows_then - s.rows_replaced + $2 > $3) \
         OR (s.length_replaced < $4 AND s.length_then - s.length_replaced + $4 > $5)) LIMIT 1"
    );
    let rows = i64::try_from(preferences.len()).unwrap_or(i64::MAX);
    let length: usize = preferences.iter().map(|preference| preference.value.chars().count()).sum();
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let limits: [Value; 5] = [user_id.into(), rows.into(), MAX_ROWS.into(), length.into(), MAX_CHARACTERS.into()];
    let key = |preference: &&Preference| {
        let Preference { category, name, .. } = preference;
        format!("{}:{category}{name}", category.chars().count())
    };
    let keys = Value::Texts(preferences.iter().map(key).collect());
    statement(sql, limits.into_iter().chain([keys]).collect())
}

fn replacement(preference: &Preference) -> Statement {
    // The `SELECT` inserts nothing for a deleted account.
    let sql = "INSERT INTO preferences (userid, category, name, value) SELECT u.id, $2, $3, $4 FROM users u WHERE u.id = $1 \
               ON CONFLICT (userid, category, name) DO UPDATE SET value = excluded.value";
    let Preference { user_id, category, name, value } = preference;
    statement(sql, vec![user_id.into(), category.into(), name.into(), value.into()])
}

fn removal(user_id: &str, category: &str, name: &str) -> Statement {
    let sql = "DELETE FROM preferences WHERE userid = $1 AND category = $2 AND name = $3";
    statement(sql, vec![user_id.into(), category.into(), name.into()])
}

fn preference(mut row: Row) -> Result<Preference, StoreError> {
    Ok(Preference { user_id: row.text()?, category: row.text()?, name: row.text()?, value: row.text()? })
}
