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

    /// Replaces the value of one preference by what `change` makes of it; a missing one has an empty value. Returns the
    /// preference as it is stored, or `None` if `change` returns nothing or the user is gone.
    pub(crate) async fn change_preference(
        &self,
        user_id: &str,
        (category, name): (&'static str, &'static str),
        change: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Option<Preference>, StoreError> {
        let key = || vec![user_id.into(), category.into(), name.into()];
        let selection = move |key| statement(format!("{SELECT} AND category = $2 AND name = $3"), key);
        let owner = user_id.to_owned();
        let (first, last) = (selection(key()), selection(key()));
        let decide = move |answers: &[Vec<Row>]| {
            let stored = answers.first().and_then(|rows| rows.first()).cloned().map(preference).transpose()?;
            let Some(value) = change(&stored.map(|stored| stored.value).unwrap_or_default()) else {
                return Ok(Vec::new());
            };
            let changed =
                Preference { user_id: owner.clone(), category: category.to_owned(), name: name.to_owned(), value };
            Ok(vec![bound(&owner, &[&changed]), replacement(&changed), last.clone()])
        };
        let transaction = Transaction::decided(vec![first], decide).lock_exclusive(Subject::User(user_id));
        let answers = self.transaction(transaction).await?;
        answers.into_iter().nth(3).and_then(|rows| rows.into_iter().next()).map(preference).transpose()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh};

    fn preference(name: &str, value: &str) -> Preference {
        Preference {
            user_id: "anna".to_owned(),
            category: "c".to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    async fn stored(db: &Db) -> Vec<(String, String)> {
        let all = db.preferences_in("anna", "c").await.unwrap();
        all.into_iter().map(|preference| (preference.name, preference.value)).collect()
    }

    #[actix_web::test]
    async fn preferences_are_replaced_by_category_and_name_and_deleted_alone() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let saved = [preference("b", "1"), preference("a", "2"), preference("b", "3")];
        assert!(db.save_preferences("anna", &saved).await.unwrap());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(stored(&db).await, [pair("a", "2"), pair("b", "3")], "the last of two with one name");
        assert_eq!(db.preference("anna", "c", "a").await.unwrap().unwrap().value, "2");
        assert!(db.preference("anna", "d", "a").await.unwrap().is_none());
        db.delete_preferences("anna", &[preference("a", "")]).await.unwrap();
        assert_eq!(stored(&db).await, [pair("b", "3")]);
        // Those that every account begins with stay.
        assert_eq!(db.preferences("anna").await.unwrap().len(), 4);
    }

    #[actix_web::test]
    async fn a_user_without_an_account_gets_none() {
        let (_folder, db) = fresh().await;
        assert!(db.save_preferences("anna", &[preference("a", "1")]).await.unwrap());
        assert!(db.preferences("anna").await.unwrap().is_empty());
    }

    #[actix_web::test]
    async fn beyond_a_limit_nothing_is_stored_and_what_is_there_can_be_made_shorter() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let half = usize::try_from(MAX_CHARACTERS / 2).unwrap();
        let long = "\u{e4}".repeat(half);
        assert!(db.save_preferences("anna", &[preference("one", &long)]).await.unwrap());
        assert!(!db.save_preferences("anna", &[preference("two", &long), preference("three", "x")]).await.unwrap());
        assert_eq!(stored(&db).await.len(), 1, "all or nothing");
        assert!(db.save_preferences("anna", &[preference("one", "short"), preference("two", &long)]).await.unwrap());
        let rows = "INSERT INTO preferences (userid, category, name, value) WITH RECURSIVE n(i) AS \
                    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9995) SELECT 'anna', 'many', 'n' || i, '' FROM n";
        execute(&db, rows).await;
        assert_eq!(db.preferences("anna").await.unwrap().len(), 10_000);
        assert!(!db.save_preferences("anna", &[preference("three", "")]).await.unwrap());
        assert!(db.save_preferences("anna", &[preference("one", "shorter")]).await.unwrap());
    }
}
