//! The table `licenses`, and the licence that is in force.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::license::{CHANGED, LicenseStore, StoredLicense};

use super::systems::setting_system;
use super::{Db, Row, Statement, StoreError, Subject, Transaction, statement};

/// The row of `systems` with the id of the licence in force; empty after its removal.
const ACTIVE: &str = "ActiveLicenseId";

/// The row of `systems` with a new random id after each change of the licence in force, so that other servers see also a
/// change that was undone.
const CHANGE: &str = "QuarterdeckLicenseChange";

/// The row of `systems` that marks a hosted installation as waiting for a licence.
const SCREENING: &str = "HostedPurchaseNeedsScreening";

/// Counts the used seats of the licence.
pub(super) const TAKEN_SEATS: &str = "SELECT COUNT(*) FROM users u LEFT JOIN bots b ON b.userid = u.id \
     WHERE b.userid IS NULL AND u.deleteat = 0 AND COALESCE(u.remoteid, '') = '' \
     AND NOT (u.roles LIKE '%system_guest%' AND 1 = (SELECT COUNT(*) FROM channelmembers m \
     JOIN channels c ON c.id = m.channelid WHERE m.userid = u.id AND c.deleteat = 0 AND c.type IN ('O', 'P')))";

impl LicenseStore for Db {
    fn install(&self, id: String, text: String, after: Option<String>) -> BoxFuture<'static, Result<String, AppError>> {
        let db = self.clone();
        let failure = |cause: StoreError| AppError::new("api.license.add_license.save.app_error").because(cause);
        async move {
            let installed = db.install_license(&id, &text, after, wall_ms()).await;
            installed.map_err(|failed| failed.refused_or(failure))
        }
        .boxed()
    }

    fn remove(&self) -> BoxFuture<'static, Result<String, AppError>> {
        let db = self.clone();
        async move { db.remove_license().await.or_fail("app.system.save.app_error") }.boxed()
    }

    fn load(&self) -> BoxFuture<'static, Result<StoredLicense, AppError>> {
        let db = self.clone();
        async move { db.stored_license().await.or_fail("app.license.get.app_error") }.boxed()
    }
}

impl Db {
    /// Returns the signed text of the licence in force, with its mark.
    pub(crate) async fn stored_license(&self) -> Result<StoredLicense, StoreError> {
        stored_license(&self.read(reading()).await?)
    }

    /// Returns the signed texts that were stored last, at most `max`, newest first.
    pub(crate) async fn licenses(&self, max: usize) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT bytes FROM licenses ORDER BY createat DESC, id LIMIT $1";
        let rows = self.read(statement(sql, vec![i64::try_from(max).unwrap_or(i64::MAX).into()])).await?;
        let texts: Result<Vec<_>, StoreError> = rows.into_iter().map(|mut row| row.optional_text()).collect();
        Ok(texts?.into_iter().flatten().collect())
    }

    /// Returns the number of used seats: active accounts of this installation without bots and single-channel guests.
    pub(crate) async fn taken_seats(&self) -> Result<i64, StoreError> {
        self.count(TAKEN_SEATS).await
    }

    /// Returns the number of seat holders who were active after `since` (Unix milliseconds).
    pub(crate) async fn active_since(&self, since: i64) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM status s JOIN users u ON u.id = s.userid LEFT JOIN bots b ON b.userid = u.id \
                   WHERE b.userid IS NULL AND u.deleteat = 0 AND COALESCE(u.remoteid, '') = '' AND s.lastactivityat > $1";
        let rows = self.read(statement(sql, vec![since.into()])).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    async fn install_license(
        &self,
        id: &str,
        text: &str,
        after: Option<String>,
        now: i64,
    ) -> Result<String, StoreError> {
        let change = new_id();
        let insertion = "INSERT INTO licenses (id, createat, bytes) VALUES ($1, $2, $3) \
                         ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes";
        let statements = vec![
            statement(insertion, vec![id.into(), now.into(), text.into()]),
            setting_system(ACTIVE, id),
            setting_system(CHANGE, &change),
            statement("DELETE FROM systems WHERE name = $1", vec![SCREENING.into()]),
        ];
        let decide = move |answers: &[Vec<Row>]| {
            let found = stored_license(answers.first().map_or(&[], Vec::as_slice))?;
            let is_other = after.as_ref().is_some_and(|after| *after != found.mark);
            if is_other { Err(StoreError::Refused(Box::new(AppError::new(CHANGED)))) } else { Ok(statements.clone()) }
        };
        let transaction = Transaction::decided(vec![reading()], decide).lock_exclusive(Subject::System(ACTIVE));
        self.transaction(transaction).await.map(|_| mark(id, &change))
    }

    async fn remove_license(&self) -> Result<String, StoreError> {
        let change = new_id();
        let statements = vec![setting_system(ACTIVE, ""), setting_system(CHANGE, &change)];
        let transaction = Transaction::of(statements).lock_exclusive(Subject::System(ACTIVE));
        self.transaction(transaction).await.map(|_| mark("", &change))
    }
}

/// Returns the statement that reads the licence in force.
fn reading() -> Statement {
    let sql = "SELECT (SELECT value FROM systems WHERE name = $1), (SELECT value FROM systems WHERE name = $2), \
               (SELECT l.bytes FROM licenses l JOIN systems s ON s.value = l.id WHERE s.name = $3)";
    statement(sql, [ACTIVE, CHANGE, ACTIVE].map(Into::into).into())
}

/// Returns the licence in force from the answer to `reading`.
fn stored_license(rows: &[Row]) -> Result<StoredLicense, StoreError> {
    let mut row = rows.first().cloned().ok_or_else(|| StoreError::Column("no row".to_owned()))?;
    let (id, change) = (row.text()?, row.text()?);
    Ok(StoredLicense { mark: mark(&id, &change), text: row.optional_text()? })
}

/// Returns the mark of a change. The id is in it too, because earlier versions store no id of a change.
fn mark(license_id: &str, change: &str) -> String {
    format!("{license_id} {change}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh, person};

    #[actix_web::test]
    async fn the_licence_in_force_is_the_last_installed_one_until_it_is_removed() {
        let (_folder, db) = fresh().await;
        assert_eq!(text(&db).await, None);
        db.set_system(SCREENING, "true").await.unwrap();
        for (id, text, now) in [("one", "first", 1), ("two", "second", 2)] {
            db.install_license(id, text, None, now).await.unwrap();
        }
        assert_eq!(text(&db).await.as_deref(), Some("second"));
        assert_eq!(db.system(SCREENING).await.unwrap(), None);
        assert_eq!(db.licenses(10).await.unwrap(), ["second", "first"]);
        assert_eq!(db.licenses(1).await.unwrap(), ["second"]);
        // Installed again: in force again, and stored once.
        db.install_license("one", "first anew", None, 3).await.unwrap();
        assert_eq!(text(&db).await.as_deref(), Some("first anew"));
        assert_eq!(db.licenses(10).await.unwrap(), ["second", "first anew"]);
        LicenseStore::remove(&db).await.unwrap();
        assert_eq!(text(&db).await, None);
        assert_eq!(db.licenses(10).await.unwrap().len(), 2, "the texts stay");
    }

    #[actix_web::test]
    async fn a_licence_that_must_follow_another_one_is_refused_after_a_change() {
        let (_folder, db) = fresh().await;
        let before = db.stored_license().await.unwrap().mark;
        let install = async |id: &str, after: &str| db.install_license(id, id, Some(after.to_owned()), 1).await;
        let after = install("one", &before).await.unwrap();
        let StoreError::Refused(refusal) = install("two", &before).await.unwrap_err() else { panic!("it is refused") };
        assert_eq!(refusal.id, CHANGED);
        assert_eq!(text(&db).await.as_deref(), Some("one"));
        install("two", &after).await.unwrap();
    }

    #[actix_web::test]
    async fn each_change_has_a_mark_of_its_own_even_if_it_stores_what_was_there() {
        let (_folder, db) = fresh().await;
        let mut marks = vec![db.stored_license().await.unwrap().mark];
        for _ in 0..2 {
            marks.push(LicenseStore::remove(&db).await.unwrap());
            assert_eq!(
                db.stored_license().await.unwrap(),
                StoredLicense { mark: marks[marks.len() - 1].clone(), text: None }
            );
            marks.push(db.install_license("one", "first", None, 1).await.unwrap());
            assert_eq!(db.stored_license().await.unwrap().mark, marks[marks.len() - 1]);
        }
        // An earlier version stores no id of the change.
        db.set_system(ACTIVE, "").await.unwrap();
        marks.push(db.stored_license().await.unwrap().mark);
        assert!((1..marks.len()).all(|at| !marks[..at].contains(&marks[at])), "{marks:?}");
    }

    async fn text(db: &Db) -> Option<String> {
        db.stored_license().await.unwrap().text
    }

    #[actix_web::test]
    async fn seats_are_taken_by_active_people_of_this_installation() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert", "remote", "guest", "gone"] {
            add(&db, name).await;
        }
        db.add_bot(&person("robot")).await.unwrap();
        assert_eq!(db.taken_seats().await.unwrap(), 5);
        execute(&db, "UPDATE users SET remoteid = 'elsewhere' WHERE id = 'remote'").await;
        execute(&db, "UPDATE users SET deleteat = 1 WHERE id = 'gone'").await;
        execute(&db, "UPDATE users SET roles = 'system_guest' WHERE id = 'guest'").await;
        assert_eq!(db.taken_seats().await.unwrap(), 3, "a guest in no channel takes a seat");
        execute(&db, "INSERT INTO channels (id, name, teamid, type, deleteat) VALUES ('c', 'c', '', 'O', 0)").await;
        execute(&db, "INSERT INTO channelmembers (channelid, userid) VALUES ('c', 'guest')").await;
        assert_eq!(db.taken_seats().await.unwrap(), 2, "a guest in one channel takes none");

        execute(&db, "INSERT INTO status (userid, lastactivityat) VALUES ('anna', 50), ('bert', 40), ('gone', 99)")
            .await;
        assert_eq!(db.active_since(40).await.unwrap(), 1);
        assert_eq!(db.active_since(39).await.unwrap(), 2);
    }
}
