//! The tables `configurations` and `qd_configversions`, which store all versions of the configuration.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use quarterdeck_actors::config::confirmation::{Confirmation, Stage};
use quarterdeck_actors::config::difference::Change;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::{Stored, Version};
use quarterdeck_actors::error::{AppError, OrFail};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::ser::PrettyFormatter;
use thiserror::Error;
use utoipa::ToSchema;

use super::{Db, Row, Statement, StoreError, Subject, Transaction, Value, config_confirmation, statement};
use crate::base::paging::Paging;

/// The error of an unreadable stored configuration. It is never treated as empty.
#[derive(Debug, Error)]
#[error(
    "version {id} of the stored configuration cannot be read: {problem}; \
     `quarterdeck config rollback --last-good` puts the version before it back"
)]
pub(crate) struct Unreadable {
    id: String,
    problem: String,
}

/// The record of a version of the configuration: everything but its document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = ConfigVersion)]
pub(crate) struct VersionRecord {
    /// The version's id.
    pub(crate) id: String,
    /// The time at which it was stored, in Unix milliseconds.
    pub(crate) create_at: i64,
    /// The id of the user who stored it.
    pub(crate) user_id: String,
    /// The id of that user's session.
    pub(crate) session_id: String,
    /// The address of that user.
    pub(crate) ip_address: String,
    /// The way of the change, such as `api`.
    pub(crate) source: String,
    /// The reason for the change.
    pub(crate) comment: String,
    /// True if it is in force.
    pub(crate) is_active: bool,
    /// The changes, or null if they are unknown.
    #[schema(required = true, value_type = Option<Vec<Change>>)]
    pub(crate) changes: Json,
    /// The confirmation that the version waits for; absent if it waits for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmation: Option<PendingConfirmation>,
}

/// The confirmation that a version waits for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct PendingConfirmation {
    /// The id of the user who may confirm it; empty for an operator of the machine.
    pub(crate) user_id: String,
    /// The time for it, in seconds.
    pub(crate) within: u32,
    /// The time at which the change is taken back, in Unix milliseconds; 0 before the start from which it counts.
    pub(crate) until: i64,
    /// `in_force`, `before_start` while the change waits for a start, or `started`.
    pub(crate) stage: Stage,
}

impl From<Confirmation> for PendingConfirmation {
    fn from(waiting: Confirmation) -> Self {
        let Confirmation { user_id, within_s, until, stage, .. } = waiting;
        Self { user_id, within: within_s, until: if stage == Stage::BeforeStart { 0 } else { until }, stage }
    }
}

/// The maximum number of versions that are searched for a readable one.
const MAX_SEARCHED_VERSIONS: i64 = 100;

const LOAD_FAILED: &str = "app.config.load.app_error";
const UNREADABLE: &str = "app.config.unreadable.app_error";
const CONFLICT: &str = "app.config.version_conflict.app_error";
const NOT_WAITING: &str = "app.config.confirmation.missing.app_error";

/// Sorts by newest first. The active version comes first, even when a wrong clock gave another one a later time.
const NEWEST_FIRST: &str = "ORDER BY CASE WHEN c.active THEN 0 ELSE 1 END, c.createat DESC, c.id";

/// A version that Mattermost stored has no row in `qd_configversions`. There is no such table in a database that no server of
/// this program wrote to.
const RECORD: &str = "c.id, c.createat, v.userid, v.sessionid, v.address, v.source, v.comment, c.active, v.changes";
const RECORDS: &str = "LEFT JOIN qd_configversions v ON v.id = c.id";
const RECORDS_OF_MATTERMOST: &str = "LEFT JOIN (SELECT NULL AS id, NULL AS userid, NULL AS sessionid, NULL AS address, \
     NULL AS source, NULL AS comment, NULL AS changes) v ON v.id = c.id";

/// Returns the source of a page of the newest versions, to be joined with `configurations c`. It is found in an index;
/// otherwise each document would be read to sort the versions.
fn page_of_newest(limit: &str) -> String {
    format!(
        "(SELECT c.id AS place FROM configurations c {NEWEST_FIRST} {limit}) page JOIN configurations c ON c.id = page.place"
    )
}

impl Db {
    /// Returns true if the database has the table of the versions, which a Mattermost makes as well.
    pub(crate) async fn has_versions(&self) -> Result<bool, StoreError> {
        Ok(!self.tables_among(&["configurations"]).await?.is_empty())
    }

    /// Returns the version in force, or `None` when none was ever stored.
    pub(crate) async fn active_configuration(&self) -> Result<Option<Stored>, AppError> {
        let sql = "SELECT id, value FROM configurations WHERE active = TRUE";
        let rows = self.read(statement(sql, Vec::new())).await.or_fail(LOAD_FAILED)?;
        rows.into_iter().next().map(readable).transpose()
    }

    /// Returns the version with this id.
    pub(crate) async fn configuration(&self, id: &str) -> Result<Option<Stored>, AppError> {
        let sql = "SELECT id, value FROM configurations WHERE id = $1";
        let rows = self.read(statement(sql, vec![id.into()])).await.or_fail(LOAD_FAILED)?;
        rows.into_iter().next().map(readable).transpose()
    }

    /// Returns the newest readable versions, newest first.
    pub(crate) async fn readable_configurations(&self) -> Result<Vec<Stored>, StoreError> {
        let sql = format!("SELECT c.id, c.value FROM {} {NEWEST_FIRST}", page_of_newest("LIMIT $1"));
        let rows = self.read(statement(sql, vec![MAX_SEARCHED_VERSIONS.into()])).await?;
        Ok(rows.into_iter().filter_map(|row| stored(row).ok()).collect())
    }

    /// Returns a page of the versions' records, newest first.
    pub(crate) async fn configuration_records(&self, paging: Paging) -> Result<Vec<VersionRecord>, StoreError> {
        let source = page_of_newest("LIMIT $1 OFFSET $2");
        self.records(&source, NEWEST_FIRST, vec![paging.limit().into(), paging.offset().into()]).await
    }

    /// Returns the record of the version with this id.
    pub(crate) async fn configuration_record(&self, id: &str) -> Result<Option<VersionRecord>, StoreError> {
        Ok(self.records("configurations c", "WHERE c.id = $1", vec![id.into()]).await?.pop())
    }

    /// Returns records and the confirmation that one of them waits for. One statement reads both: between two, a change
    /// that is taken back would look like one that was confirmed.
    async fn records(
        &self,
        source: &str,
        selection: &str,
        values: Vec<Value>,
    ) -> Result<Vec<VersionRecord>, StoreError> {
        let waiting = "(SELECT w.state FROM qd_configconfirmation w WHERE w.version = c.id)";
        let confirmation = if self.has_confirmations().await? { waiting } else { "NULL" };
        let has_records = !self.tables_among(&["qd_configversions"]).await?.is_empty();
        let records = if has_records { RECORDS } else { RECORDS_OF_MATTERMOST };
        let sql = format!("SELECT {RECORD}, {confirmation} FROM {source} {records} {selection}");
        self.read(statement(sql, values)).await?.into_iter().map(record).collect()
    }

    /// Returns the id of the active version, even when its document is unreadable.
    pub(crate) async fn active_configuration_id(&self) -> Result<Option<String>, StoreError> {
        let rows = self.read(statement("SELECT id FROM configurations WHERE active = TRUE", Vec::new())).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// Adds a version in place of the one that it replaces. Refuses it when another version is active now.
    pub(crate) async fn add_configuration(&self, version: &Version) -> Result<(), AppError> {
        const FAILED: &str = "app.save_config.app_error";
        let retire = "UPDATE configurations SET active = NULL WHERE active = TRUE AND id = $1";
        let replaced = version.replaces.as_deref().unwrap_or_default();
        let mut statements = vec![statement(retire, vec![replaced.into()])];
        statements.extend(addition(version));
        if let Some(waiting) = &version.confirmation {
            statements.push(config_confirmation::adding(waiting).or_fail(FAILED)?);
        }
        // A unique constraint of the table refuses a second active version.
        let transaction = match &version.takes_back {
            None => Transaction::of(statements),
            Some(unconfirmed) => if_it_waits(unconfirmed.clone(), statements),
        };
        match self.transaction(transaction.lock_exclusive(Subject::Configuration)).await {
            Err(taken) if taken.is_duplicate_of(config_confirmation::TABLE) => {
                Err(AppError::new("app.config.confirmation.pending.app_error"))
            }
            Err(taken) if taken.is_duplicate_of("active") => Err(self.conflict().await?),
            Err(StoreError::Refused(refusal)) => Err(*refusal),
            saved => saved.map(drop).or_fail(FAILED),
        }
    }

    /// Returns the error that another version is active.
    async fn conflict(&self) -> Result<AppError, AppError> {
        let current = self.active_configuration_id().await.or_fail("app.save_config.app_error")?.unwrap_or_default();
        Ok(AppError::new(CONFLICT).with("Current", current))
    }
}

/// Returns the transaction that takes a change back, if it still waits for its confirmation in this state.
fn if_it_waits(unconfirmed: Confirmation, mut statements: Vec<Statement>) -> Transaction {
    statements.push(config_confirmation::deleting(&unconfirmed.version));
    Transaction::decided(vec![config_confirmation::reading()], move |answers| {
        let waits = config_confirmation::waiting(answers.first())?.as_ref() == Some(&unconfirmed);
        if waits { Ok(statements.clone()) } else { Err(StoreError::Refused(Box::new(AppError::new(NOT_WAITING)))) }
    })
}

/// Returns the statements that add a version as the active one. Its time is later than all others, so that the times
/// give the order of writing.
fn addition(version: &Version) -> [Statement; 2] {
    let Version { stored, at, author, changes, .. } = version;
    let value = pretty(&stored.document);
    let sha = HEXLOWER.encode(digest(&SHA256, value.as_bytes()).as_ref());
    let add = "INSERT INTO configurations (id, value, createat, active, sha) VALUES ($1, $2, \
               (SELECT CASE WHEN MAX(createat) >= $3 THEN MAX(createat) + 1 ELSE $3 END FROM configurations), TRUE, $4)";
    let record = "INSERT INTO qd_configversions (id, createat, userid, sessionid, address, source, comment, changes) \
                  VALUES ($1, (SELECT createat FROM configurations WHERE active = TRUE), $2, $3, $4, $5, $6, $7)";
    [
        statement(add, vec![(&stored.id).into(), value.into(), (*at).into(), sha.into()]),
        statement(
            record,
            vec![
                (&stored.id).into(),
                (&author.user_id).into(),
                (&author.session_id).into(),
                (&author.address).into(),
                author.source.into(),
                (&author.comment).into(),
                changes_json(changes).to_string().into(),
            ],
        ),
    ]
}

/// Returns the changes as JSON. Secrets in them are fingerprints already.
pub(super) fn changes_json(changes: &[Change]) -> Json {
    let one = |change: &Change| serde_json::to_value(change).unwrap_or_default();
    changes.iter().map(one).collect()
}

/// Returns the document as JSON with an indent of four spaces, as Mattermost writes it.
pub(crate) fn pretty(document: &impl Serialize) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    "));
    // A map with string keys always serialises.
    let _ = document.serialize(&mut serializer);
    String::from_utf8(text).unwrap_or_default()
}

fn readable(row: Row) -> Result<Stored, AppError> {
    stored(row).map_err(|cause| AppError::new(UNREADABLE).with("Problem", cause.to_string()))
}

fn stored(mut row: Row) -> Result<Stored, Box<dyn std::error::Error + Send + Sync>> {
    let (id, text) = (row.text()?, row.text()?);
    match serde_json::from_str::<Document>(&text) {
        Ok(document) if !document.is_empty() => Ok(Stored::new(id, document)),
        Ok(_) => Err(Unreadable { id, problem: "it is empty".to_owned() }.into()),
        Err(cause) => {
            let problem = format!("line {} column {}", cause.line(), cause.column());
            Err(Unreadable { id, problem }.into())
        }
    }
}

fn record(mut row: Row) -> Result<VersionRecord, StoreError> {
    Ok(VersionRecord {
        id: row.text()?,
        create_at: row.int()?,
        user_id: row.text()?,
        session_id: row.text()?,
        ip_address: row.text()?,
        source: row.text()?,
        comment: row.text()?,
        is_active: row.bool()?,
        changes: row.json()?,
        confirmation: row.optional_text()?.as_deref().map(config_confirmation::parsed).transpose()?.map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{execute, fresh};
    use quarterdeck_actors::config::Author;
    use serde_json::json;

    fn version(id: &str, replaces: Option<&str>, at: i64) -> Version {
        let Json::Object(document) = json!({ "TeamSettings": { "SiteName": id } }) else { unreachable!() };
        Version {
            stored: Stored::new(id.to_owned(), document),
            replaces: replaces.map(str::to_owned),
            at,
            author: Author {
                user_id: "anna".to_owned(),
                session_id: String::new(),
                address: "192.0.2.1".to_owned(),
                source: "api",
                comment: "why".to_owned(),
            },
            changes: Vec::new(),
            confirmation: None,
            takes_back: None,
        }
    }

    async fn in_order(db: &Db) -> Vec<(String, i64, bool)> {
        let all = db.configuration_records(Paging { page: 0, per_page: 10 }).await.unwrap();
        all.into_iter().map(|record| (record.id, record.create_at, record.is_active)).collect()
    }

    #[actix_web::test]
    async fn a_version_takes_the_place_of_the_one_that_it_replaces_and_of_no_other() {
        let (_folder, db) = fresh().await;
        assert!(db.active_configuration().await.unwrap().is_none());
        db.add_configuration(&version("one", None, 10)).await.unwrap();
        let refused = db.add_configuration(&version("two", None, 20)).await.unwrap_err();
        assert_eq!(refused.id, "app.config.version_conflict.app_error");
        // The clock was put back: the order of writing stays.
        db.add_configuration(&version("two", Some("one"), 5)).await.unwrap();
        assert_eq!(in_order(&db).await, [("two".to_owned(), 11, true), ("one".to_owned(), 10, false)]);
        assert_eq!(db.active_configuration().await.unwrap().unwrap().id, "two");
        assert_eq!(db.configuration("one").await.unwrap().unwrap().document["TeamSettings"]["SiteName"], "one");
        let record = db.configuration_record("two").await.unwrap().unwrap();
        assert_eq!((record.user_id.as_str(), record.comment.as_str(), record.source.as_str()), ("anna", "why", "api"));
        assert!(db.configuration_record("never").await.unwrap().is_none());
    }

    #[actix_web::test]
    async fn a_change_is_taken_back_only_in_the_state_in_which_it_was_read() {
        let (_folder, db) = fresh().await;
        let waiting = Confirmation {
            version: "one".to_owned(),
            replaced: None,
            user_id: "anna".to_owned(),
            within_s: 60,
            until: 60_000,
            stage: Stage::InForce,
            needs_start: true,
        };
        db.add_configuration(&Version { confirmation: Some(waiting.clone()), ..version("one", None, 10) })
            .await
            .unwrap();
        // It was confirmed for the first time, and its version is the same.
        let confirmed = Confirmation { stage: Stage::BeforeStart, ..waiting.clone() };
        assert!(db.set_confirmation(waiting.clone(), Some(confirmed.clone())).await.unwrap());
        let back =
            |state: &Confirmation| Version { takes_back: Some(state.clone()), ..version("two", Some("one"), 20) };
        assert_eq!(db.add_configuration(&back(&waiting)).await.unwrap_err().id, NOT_WAITING);
        assert_eq!(db.active_configuration_id().await.unwrap().as_deref(), Some("one"));
        assert_eq!(db.confirmation().await.unwrap(), Some(confirmed.clone()));
        db.add_configuration(&back(&confirmed)).await.unwrap();
        assert_eq!(
            (db.active_configuration_id().await.unwrap().as_deref(), db.confirmation().await.unwrap()),
            (Some("two"), None)
        );
    }

    #[actix_web::test]
    async fn an_unreadable_version_is_an_error_and_never_an_empty_one() {
        let (_folder, db) = fresh().await;
        db.add_configuration(&version("one", None, 10)).await.unwrap();
        db.add_configuration(&version("two", Some("one"), 20)).await.unwrap();
        for broken in ["{", "{}", "[]", ""] {
            execute(&db, &format!("UPDATE configurations SET value = '{broken}' WHERE id = 'two'")).await;
            let refused = db.active_configuration().await.unwrap_err();
            assert_eq!(refused.id, "app.config.unreadable.app_error", "{broken}");
            assert_eq!(db.active_configuration_id().await.unwrap().as_deref(), Some("two"));
            let readable: Vec<String> =
                db.readable_configurations().await.unwrap().into_iter().map(|one| one.id).collect();
            assert_eq!(readable, ["one"], "{broken}");
        }
    }
}
