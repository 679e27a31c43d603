//! Copies the stored configuration from one store to another.

use std::collections::BTreeSet;

use quarterdeck_actors::config::document::{Document, given};
use quarterdeck_actors::config::saving::Wanted;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::error::{AppError, OrFail};
use serde_json::Value;
use thiserror::Error;
use tracing::warn;

use crate::domain::version_store::{Place, VersionStore};
use crate::store::{Db, check_content, is_plain_name};

/// The settings that name certificates and keys of a SAML provider.
const CERTIFICATES: [&str; 3] =
    ["SamlSettings.IdpCertificateFile", "SamlSettings.PublicCertificateFile", "SamlSettings.PrivateKeyFile"];

/// The setting that names the keys with which plugins are signed.
const SIGNATURE_KEYS: &str = "PluginSettings.SignaturePublicKeyFiles";

const FAILED: &str = "api.config.migrate_config.app_error";

/// The reason why a configuration was not migrated to another store.
#[derive(Debug, Error)]
enum Unmoved {
    #[error("the name of a store is missing")]
    Nameless,
    #[error("the source store has no configuration")]
    Nothing,
    #[error("the file {0:?} of the configuration cannot be read: {1}")]
    UnreadableFile(String, String),
    #[error("the file {0:?} of the configuration cannot be stored: {1}")]
    UnstorableFile(String, String),
}

/// A copy that is about to be stored.
pub(crate) struct Migration {
    /// The document of the first store, which replaces that of the second one.
    pub(crate) wanted: Wanted,
    /// The second store.
    pub(crate) target: VersionStore,
    /// The names of the files that were copied with it.
    pub(crate) files: Vec<String>,
    /// A warning about other programs that use the second store.
    pub(crate) warning: Option<String>,
}

impl Migration {
    /// Opens the two stores and reads the first one. `db` is the database of this server; `sql` has the settings to
    /// connect to another one.
    pub(crate) async fn open(from: &str, to: &str, db: &Db, sql: &SqlSettings) -> Result<Self, AppError> {
        if from.is_empty() || to.is_empty() {
            return Err(AppError::new(FAILED).because(Unmoved::Nameless));
        }
        let from = Place::named(Some(from)).or_fail(FAILED)?.seen_from(sql);
        let to = Place::named(Some(to)).or_fail(FAILED)?.seen_from(sql);
        let nothing = || AppError::new(FAILED).because(Unmoved::Nothing);
        let source = VersionStore::existing(&from, db, sql).await.or_fail(FAILED)?.ok_or_else(nothing)?;
        let document = source.active().await.or_fail(FAILED)?.ok_or_else(nothing)?.document;
        let target = VersionStore::open(&to, db, sql).await.or_fail(FAILED)?;
        let warning = match &target {
            VersionStore::Database(db) => db.warning_of_others().await.or_fail(FAILED)?,
            VersionStore::File(_) => None,
        };
        // The files come first, so that the copy never names a file that is still missing.
        let files = carry(&document, &source, &target).await?;
        Ok(Self { wanted: Wanted::Copy(document), target, files, warning })
    }
}

/// Copies the files that belong to the configuration, and returns their names. Left out are files that are missing, those
/// that settings name by a path, and those that are neither certificates nor keys: not only the operator writes the
/// settings, so a name must not decide which file of the machine is copied.
async fn carry(document: &Document, source: &VersionStore, target: &VersionStore) -> Result<Vec<String>, AppError> {
    let mut carried = Vec::new();
    for name in names(document) {
        if !is_plain_name(&name) {
            warn!(file = name, "a file of the configuration has a path, not a plain name, and was not copied");
            continue;
        }
        let unreadable = |cause: String| AppError::new(FAILED).because(Unmoved::UnreadableFile(name.clone(), cause));
        let Some(data) = source.certificate(&name).await.map_err(unreadable)? else {
            warn!(file = name, "a file of the configuration is missing in the store and was not copied");
            continue;
        };
        if check_content(&data).is_err() {
            warn!(
                file = name,
                "a file of the configuration is not a certificate or key in text form, and was not copied"
            );
            continue;
        }
        let unstorable = |cause: String| AppError::new(FAILED).because(Unmoved::UnstorableFile(name.clone(), cause));
        target.store_certificate(&name, data).await.map_err(unstorable)?;
        carried.push(name);
    }
    Ok(carried)
}

/// Returns the names of the files that the configuration names.
fn names(document: &Document) -> BTreeSet<String> {
    let texts = CERTIFICATES.iter().filter_map(|path| given(document, path)?.as_str());
    let keys = given(document, SIGNATURE_KEYS).and_then(Value::as_array).into_iter().flatten();
    let names = texts.chain(keys.filter_map(Value::as_str));
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
