//! The parts of the configuration that a caller may read and write.

use std::sync::Arc;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::access::{EVERYTHING, may_read, may_write, readable};
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::{ChangeMode, DecisionContext, MayRead, MayWrite, Proposal};
use quarterdeck_actors::config::table::{self, Setting};
use quarterdeck_actors::config::{Config, Defaults};
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use serde_json::Value;

use crate::domain::session::Session;
use crate::store::{Db, StoreError};

/// The areas of the System Console, in the order in which an error lists them.
const AREAS: &str = include_str!("config_access/areas.txt");

/// The length of a fingerprint in characters: enough to distinguish secrets, too short to test guesses elsewhere.
const FINGERPRINT: usize = 16;

/// The row of `systems` with the key of fingerprints.
const FINGERPRINT_KEY: &str = "QuarterdeckFingerprintKey";

/// The row of `systems` that says that the installation was made with the defaults of the table of settings.
const DEFAULTS_MARK: &str = "QuarterdeckDefaults";

/// Refuses a caller who may not read any part of the configuration.
pub(crate) fn require_any_read(session: &Session) -> Result<(), AppError> {
    require_any(session, "sysconsole_read_")
}

/// Refuses a caller who may not write any part of the configuration.
pub(crate) fn require_any_write(session: &Session) -> Result<(), AppError> {
    require_any(session, "sysconsole_write_")
}

fn require_any(session: &Session, prefix: &str) -> Result<(), AppError> {
    let permissions = AREAS.lines().map(|area| format!("{prefix}{area}"));
    let has_one = permissions.clone().any(|permission| session.may(&permission));
    if has_one { Ok(()) } else { Err(session.refusal(&permissions.collect::<Vec<_>>().join(","))) }
}

/// Returns the settings that the caller may read, with masked secrets. The local socket gets everything unmasked.
pub(crate) fn seen_by(session: &Session, config: &Config) -> Document {
    if session.is_local() { config.document.clone() } else { answered_to(session, config) }
}

/// Returns the document as the response to a write: the settings that the caller may read, always with masked secrets.
pub(crate) fn answered_to(session: &Session, config: &Config) -> Document {
    readable(&config.masked(), &|setting| reads(session, setting))
}

/// Returns true if the caller may read the setting.
pub(crate) fn reads(session: &Session, setting: &Setting) -> bool {
    let has = |permission: &str| session.may(permission);
    session.is_local() || may_read(setting, &has, require_any_read(session).is_ok())
}

/// Returns true if the caller reads all settings with masked secrets.
pub(crate) fn reads_everything(session: &Session) -> bool {
    !session.is_local() && session.may(EVERYTHING)
}

/// Returns the check of whether the caller may write a setting.
fn writable_by(session: &Session) -> MayWrite {
    let session = session.clone();
    Arc::new(move |setting| {
        let has = |permission: &str| session.may(permission);
        session.is_local() || may_write(setting, &has, session.is_restricted())
    })
}

/// Returns true if the caller may write the setting `path` and no pinned value stands in the way.
pub(crate) fn may_change(session: &Session, config: &Config, path: &str) -> bool {
    let is_pinned = config.overrides.contains_key(path);
    let setting = table::settings().get(path).filter(|_| !is_pinned);
    setting.is_some_and(|setting| writable_by(session)(setting))
}

/// Returns the check of whether the caller may read a setting.
fn readable_by(session: &Session) -> MayRead {
    let session = session.clone();
    Arc::new(move |setting| reads(&session, setting))
}

/// Returns the proposal for a document that the caller submitted.
pub(crate) fn proposal_of(mode: ChangeMode, body: Document, session: &Session) -> Proposal {
    let is_local = session.is_local();
    let may_keep_secrets = is_local || session.may(EVERYTHING);
    Proposal { mode, body, may_write: writable_by(session), may_read: readable_by(session), is_local, may_keep_secrets }
}

/// Returns the key of this installation's fingerprints. The first call creates it.
pub(crate) async fn fingerprint_key(db: &Db) -> Result<Secret, StoreError> {
    if defaults_of(db).await? == Defaults::Today {
        db.ready_system(DEFAULTS_MARK, "table").await?;
    }
    let key = db.ready_system(FINGERPRINT_KEY, &[new_id(), new_id()].concat()).await?;
    Ok(Secret::new(key))
}

/// Returns the defaults of the installation. It keeps earlier ones if an earlier version of this server made it: that
/// one left a key of fingerprints and no mark, which is always stored before the key.
pub(crate) async fn defaults_of(db: &Db) -> Result<Defaults, StoreError> {
    let is_made = db.system(FINGERPRINT_KEY).await?.is_some();
    let is_marked = db.system(DEFAULTS_MARK).await?.is_some();
    Ok(if is_made && !is_marked { Defaults::Earlier } else { Defaults::Today })
}

/// Returns the context for decisions about the configuration. `key` is the fingerprint key of this installation.
pub(crate) fn decision_context(key: &Secret) -> DecisionContext {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    DecisionContext {
        now_ms: wall_ms(),
        file_exists: Arc::new(|path| std::path::Path::new(path).exists()),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(move |path, value| fingerprint(&key, path, value)),
    }
}

fn fingerprint(key: &hmac::Key, path: &str, value: &Value) -> String {
    let is_empty = value.is_null() || value.as_str() == Some("");
    if is_empty {
        return String::new();
    }
    let tag = HEXLOWER.encode(hmac::sign(key, format!("{path}={value}").as_bytes()).as_ref());
    format!("fingerprint {}", tag.chars().take(FINGERPRINT).collect::<String>())
}
