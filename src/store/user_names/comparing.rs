//! Compares the stored names with `users`, and corrects them.
//!
//! Rows of `users` can come from elsewhere: they existed before these tables, an import or a restore brought them, or an
//! older program or a Mattermost on the same database wrote them. All rows are compared after the start and then once an
//! hour, and meanwhile those that changed lately.

use std::sync::atomic::Ordering;

use super::super::{Db, Row, Statement, StoreError, Subject, Transaction, Value, statement};
use super::frequency::Counting;
use super::statements::READ_FIRST;
use super::{REMOVE_GRAMS, Searchable, storing};
use crate::base::user::User;
use crate::store::engine::EngineKind;

/// The number of accounts that one statement reads.
const READ_AT_ONCE: usize = 1_000;

/// The number of accounts that one transaction corrects. Other writes wait for it on SQLite.
const CORRECTED_AT_ONCE: usize = 100;

const OWN: &str = "SELECT u.id, u.username, u.nickname, u.firstname, u.lastname, u.email";

impl Db {
    /// Returns true once all names were compared since the start. Until then a search reads the accounts themselves.
    pub(in crate::store) fn has_compared_names(&self) -> bool {
        self.has_compared_names.load(Ordering::Acquire)
    }

    /// Compares the names of all accounts, a portion at a time. Returns the number of corrected ones.
    pub(crate) async fn compare_names(&self) -> Result<usize, StoreError> {
        let (mut corrected, mut counting) = (0, Counting::new());
        let mut after = String::new();
        loop {
            let sql = format!(
                "{OWN}, n.username, n.names, n.fullname, n.email FROM users u \
                 LEFT JOIN qd_user_names n ON n.userid = u.id WHERE u.id > $1 ORDER BY u.id LIMIT $2"
            );
            let rows = self.read(statement(sql, vec![after.as_str().into(), limit(READ_AT_ONCE)])).await?;
            let (count, compared) = (rows.len(), compared(rows, |names| counting.add(names))?);
            if let Some((last, _)) = compared.last() {
                after.clone_from(last);
            }
            corrected += self.correct(compared).await?;
            if count < READ_AT_ONCE {
                break;
            }
        }
        corrected += self.remove_orphans().await?;
        let sql = "SELECT n.username FROM qd_user_names n ORDER BY n.username LIMIT 1 OFFSET $1";
        let rows = self.read(statement(sql, vec![limit(READ_FIRST - 1)])).await?;
        let first_end = rows.into_iter().next().map_or(Ok(String::new()), |mut row| row.text())?;
        self.name_frequencies.replace(&counting, first_end);
        self.has_compared_names.store(true, Ordering::Release);
        Ok(corrected)
    }

    /// Compares the names of the accounts that changed at `since` or later. Returns the number of corrected ones.
    pub(crate) async fn compare_changed_names(&self, mut since: i64) -> Result<usize, StoreError> {
        let mut corrected = 0;
        loop {
            let sql = format!(
                "{OWN}, n.username, n.names, n.fullname, n.email, u.updateat FROM users u \
                 LEFT JOIN qd_user_names n ON n.userid = u.id WHERE u.updateat >= $1 ORDER BY u.updateat LIMIT $2"
            );
            let rows = self.read(statement(sql, vec![since.into(), limit(READ_AT_ONCE)])).await?;
            let count = rows.len();
            let last = rows.last().and_then(|row| match row.clone().into_columns().last() {
                Some(Value::Int(at)) => Some(*at),
                Some(_) | None => None,
            });
            corrected += self.correct(compared(rows, |_| {})?).await?;
            // If as many rows as one statement reads changed in one millisecond, the hourly comparison finds the rest.
            match last {
                Some(last) if count == READ_AT_ONCE && last > since => since = last,
                Some(_) | None => return Ok(corrected),
            }
        }
    }

    async fn correct(&self, compared: Vec<(String, bool)>) -> Result<usize, StoreError> {
        let wrong: Vec<String> = compared.into_iter().filter(|(_, is_right)| !is_right).map(|(id, _)| id).collect();
        let kind = self.kind();
        for ids in wrong.chunks(CORRECTED_AT_ONCE) {
            let sql = format!("{OWN} FROM users u WHERE u.id = ANY ($1)");
            let read = statement(sql, vec![Value::Texts(ids.to_vec())]);
            // The rows are read again under the locks of the accounts, which each change of a name takes too.
            let decide = move |answers: &[Vec<Row>]| -> Result<Vec<Statement>, StoreError> {
                let rows = answers.first().map(Vec::as_slice).unwrap_or_default();
                let names =
                    rows.iter().cloned().map(|mut row| names(&mut row)).collect::<Result<Vec<Searchable>, _>>()?;
                Ok(names.iter().flat_map(|names| storing(kind, names)).collect())
            };
            let locked = ids
                .iter()
                .fold(Transaction::decided(vec![read], decide), |work, id| work.lock_exclusive(Subject::User(id)));
            self.transaction(locked).await?;
        }
        Ok(wrong.len())
    }

    /// Deletes the names of accounts that do not exist any more.
    async fn remove_orphans(&self) -> Result<usize, StoreError> {
        let mut removed = 0;
        loop {
            let sql =
                "SELECT n.userid FROM qd_user_names n LEFT JOIN users u ON u.id = n.userid WHERE u.id IS NULL LIMIT $1";
            let rows = self.read(statement(sql, vec![limit(CORRECTED_AT_ONCE)])).await?;
            let ids = rows.into_iter().map(|mut row| row.text()).collect::<Result<Vec<String>, _>>()?;
            if ids.is_empty() {
                return Ok(removed);
            }
            removed += ids.len();
            let statements = ids.iter().flat_map(|id| {
                const UNLESS_IT_IS_BACK: &str = "NOT EXISTS (SELECT 1 FROM users u WHERE u.id = $1)";
                let grams = statement(format!("{REMOVE_GRAMS} AND {UNLESS_IT_IS_BACK}"), vec![id.into()]);
                let sql = format!("DELETE FROM qd_user_names WHERE userid = $1 AND {UNLESS_IT_IS_BACK}");
                let row = statement(sql, vec![id.into()]);
                Some(grams).filter(|_| self.kind() == EngineKind::Sqlite).into_iter().chain([row])
            });
            self.transaction(Transaction::of(statements.collect()).lock_exclusive(Subject::Accounts)).await?;
        }
    }
}

/// Returns each account's id, with false if its stored names are missing or differ. Passes the names to `see`.
fn compared(rows: Vec<Row>, mut see: impl FnMut(&Searchable)) -> Result<Vec<(String, bool)>, StoreError> {
    rows.into_iter()
        .map(|mut row| {
            let names = names(&mut row)?;
            see(&names);
            let stored = [row.optional_text()?, row.optional_text()?, row.optional_text()?, row.optional_text()?];
            let wanted = [&names.username, &names.names, &names.fullname, &names.email];
            let is_right = stored.iter().zip(wanted).all(|(stored, wanted)| stored.as_ref() == Some(wanted));
            Ok((names.user_id, is_right))
        })
        .collect()
}

fn names(row: &mut Row) -> Result<Searchable, StoreError> {
    let user = User {
        id: row.text()?,
        username: row.text()?,
        nickname: row.text()?,
        first_name: row.text()?,
        last_name: row.text()?,
        email: row.text()?,
        ..User::default()
    };
    Ok(Searchable::of(&user))
}

fn limit(count: usize) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}
