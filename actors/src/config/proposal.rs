//! What becomes of a proposed change: decided in one place, from the running configuration alone.

use std::sync::Arc;

use serde_json::Value;

use super::difference::{Change, changes};
use super::document::{Document, given, insert, remove};
use super::effective::{Config, Stored, filled, overridden};
use super::extras::{extras, without_extras};
use super::limits::check_limits;
use super::merge::{patched, replaced};
use super::reentry::{Kept, kept};
use super::restored::{Restored, restored};
use super::rules::{Facts, Failure, failures};
use super::table::{Kind, Setting, placed, settings};
use crate::error::{AppError, Detail};
use crate::id::new_id;

/// Settings that no request over the network changes: they say where files are read and what is trusted.
const PROTECTED: [&str; 3] =
    ["PluginSettings.EnableUploads", "PluginSettings.SignaturePublicKeyFiles", "ImportSettings.Directory"];

const SITE_URL: &str = "ServiceSettings.SiteURL";
const MARKETPLACE: &str = "PluginSettings.MarketplaceURL";
const UPLOADS: &str = "PluginSettings.EnableUploads";
const IMPORTS: &str = "ImportSettings.Directory";
const AUTOCOMPLETE: &str = "ElasticsearchSettings.EnableAutocomplete";
const EXPORT: &str = "MessageExportSettings.EnableExport";
const EXPORT_FROM: &str = "MessageExportSettings.ExportFromTimestamp";

/// The two keys that are made when they are empty.
const GENERATED: [&str; 2] = ["SqlSettings.AtRestEncryptKey", "FileSettings.PublicLinkSalt"];
const KEY_LENGTH: usize = 32;

/// Whether the caller may write a setting.
pub type MayWrite = Arc<dyn Fn(&Setting) -> bool + Send + Sync>;

/// Whether something stands at a path.
pub type FileExists = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A short text that is the same for equal secrets and differs for others.
pub type Fingerprint = Arc<dyn Fn(&str, &Value) -> String + Send + Sync>;

/// How a submitted document is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It takes the place of the running one; what it leaves out becomes the default.
    Replace,
    /// It changes what it names.
    Patch,
    /// It is an earlier version, put back as it was.
    Restore,
}

/// A submitted document.
#[derive(Clone)]
pub struct Proposal {
    /// How it is meant.
    pub manner: Manner,
    /// What was submitted; its kinds have been checked.
    pub body: Document,
    /// What the caller may write; the rest keeps its running value.
    pub may_write: MayWrite,
    /// Whether it came over the local socket, where nothing is protected.
    pub is_local: bool,
    /// True when the caller may have a secret sent to another place without entering it again.
    pub may_keep_secrets: bool,
}

/// What decisions must know beside the running configuration.
#[derive(Clone)]
pub struct Surroundings {
    /// The time, in Unix milliseconds.
    pub now_ms: i64,
    /// Whether something stands at a path of the server's disk.
    pub file_exists: FileExists,
    /// Tells secrets apart without showing them.
    pub fingerprint: Fingerprint,
}

/// What a proposal comes to.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The configuration that would be in force.
    pub config: Config,
    /// What changes in it.
    pub changes: Vec<Change>,
    /// Settings whose placeholder had nothing stored behind it: they are unset.
    pub unset: Vec<String>,
    /// Secrets that go to another place now and were not entered again.
    pub kept: Vec<String>,
}

/// Decides what `proposal` makes of the running configuration, or why it is refused.
pub fn decide(running: &Config, proposal: &Proposal, around: &Surroundings) -> Result<Decision, AppError> {
    // An earlier version was measured when it was submitted, or is older than the limits.
    if proposal.manner != Manner::Restore {
        check_limits(&proposal.body)?;
    }
    let effective = effective(running, proposal);
    if !proposal.is_local {
        check_protection(running, proposal.manner, &effective)?;
    }
    let may_write = |setting: &Setting| (proposal.may_write)(setting) && !is_kept(running, proposal, setting);
    let body = writable(without_extras(&effective), &running.document, &may_write);
    let Restored { document: body, unset, ambiguous } = restored(&body, &running.document);
    check_certainty(ambiguous)?;
    let mut document = match proposal.manner {
        Manner::Replace => replaced(&running.document, &body, &may_write),
        Manner::Patch => patched(&running.document, &body, &may_write),
        // Only who may write everything restores; what came later, such as a plugin's settings, goes.
        Manner::Restore => with_kept(filled(&body), running, proposal),
    };
    check_search_engine(running, &document)?;
    toggle_export(running, &body, &mut document, around.now_ms);
    if document != running.document {
        generate_keys(&mut document);
    }
    // What is no setting changes with its version only.
    let stored = match proposal.manner {
        Manner::Replace | Manner::Patch => running.storable(&document, &running.extras()),
        Manner::Restore => running.restorable(&document, &extras(&proposal.body)),
    };
    let document = overridden(&filled(&stored), &running.overrides);
    let kept = kept_secrets(running, proposal, &document)?;
    check_rules(&document, around)?;
    let changes = changes(&running.document, &document, &*around.fingerprint);
    let config = running.with_stored(Stored { id: new_id(), document: stored });
    let config = config.map_err(|cause| AppError::new("app.save_config.app_error").because(cause))?;
    Ok(Decision { config, changes, unset, kept })
}

/// The submitted document with each pinned setting as it runs: what it says of those has no effect, so that no rule that
/// compares it with what is in force refuses it for them.
///
/// A patch that does not name a setting still does not.
fn effective(running: &Config, proposal: &Proposal) -> Document {
    let mut body = proposal.body.clone();
    let pinned = running.overrides.keys().filter_map(|path| settings().get(path));
    for setting in pinned.filter(|setting| setting.kind != Kind::Object) {
        let is_meant = proposal.manner != Manner::Patch || given(&body, &setting.path).is_some();
        if is_meant && let Some(value) = given(&running.document, &setting.path) {
            insert(&mut body, &setting.path, value.clone());
        }
    }
    body
}

/// `body` with what the caller may not write as it runs: no work goes into what is passed over.
fn writable(mut body: Document, running: &Document, may_write: &dyn Fn(&Setting) -> bool) -> Document {
    for setting in placed().filter(|setting| setting.kind != Kind::Object) {
        let is_passed_over = given(&body, &setting.path).is_some() && !may_write(setting);
        if is_passed_over {
            match given(running, &setting.path) {
                Some(value) => insert(&mut body, &setting.path, value.clone()),
                None => remove(&mut body, &setting.path),
            }
        }
    }
    body
}

/// Refuses what would change a protected setting; where a whole document does, its value is passed over instead.
fn check_protection(running: &Config, manner: Manner, body: &Document) -> Result<(), AppError> {
    let has_site_url = text(&running.document, SITE_URL).is_some_and(|url| !url.is_empty());
    let clears_site_url = match manner {
        Manner::Replace | Manner::Restore => text(body, SITE_URL).is_none_or(str::is_empty),
        Manner::Patch => text(body, SITE_URL) == Some(""),
    };
    if has_site_url && clears_site_url {
        return Err(AppError::new("api.config.update_config.clear_siteurl.app_error"));
    }
    if manner != Manner::Patch {
        return Ok(());
    }
    for path in [UPLOADS, IMPORTS] {
        if differs(running, body, path) {
            return Err(not_allowed(path));
        }
    }
    let forbids_uploads = given(body, UPLOADS) == Some(&Value::from(false));
    if forbids_uploads && differs(running, body, MARKETPLACE) {
        return Err(not_allowed(MARKETPLACE));
    }
    Ok(())
}

fn not_allowed(path: &str) -> AppError {
    AppError::new("api.config.update_config.not_allowed_security.app_error").with("Name", path)
}

fn differs(running: &Config, body: &Document, path: &str) -> bool {
    given(body, path).is_some_and(|value| given(&running.document, path) != Some(value))
}

/// An earlier version over the network leaves protected settings as they run.
fn with_kept(mut document: Document, running: &Config, proposal: &Proposal) -> Document {
    for setting in placed().filter(|setting| is_kept(running, proposal, setting)) {
        let value = given(&running.document, &setting.path).cloned().unwrap_or_default();
        insert(&mut document, &setting.path, value);
    }
    document
}

/// Whether a replacing document over the network leaves this setting as it runs.
fn is_kept(running: &Config, proposal: &Proposal, setting: &Setting) -> bool {
    let is_replacing = proposal.manner != Manner::Patch && !proposal.is_local;
    let forbids_uploads = given(&running.document, UPLOADS) == Some(&Value::from(false));
    let is_closed_market = forbids_uploads && setting.path == MARKETPLACE;
    is_replacing && (PROTECTED.contains(&setting.path.as_str()) || is_closed_market)
}

/// Refuses placeholders that could stand for one secret or another, rather than storing a wrong one.
fn check_certainty(ambiguous: Vec<String>) -> Result<(), AppError> {
    const REFUSAL: &str = "api.config.ambiguous_secret.app_error";
    if ambiguous.is_empty() {
        return Ok(());
    }
    let detail = |pointer| Detail { pointer, id: REFUSAL, params: Vec::new() };
    Err(AppError { failures: ambiguous.into_iter().map(detail).collect(), ..AppError::new(REFUSAL) })
}

/// The secrets that would go to another place without being entered again, where the caller may have that.
fn kept_secrets(running: &Config, proposal: &Proposal, after: &Document) -> Result<Vec<String>, AppError> {
    const REFUSAL: &str = "api.config.reenter_secret.app_error";
    // A version that is put back holds secrets that its caller did not enter.
    let nothing = Document::new();
    let entered = if proposal.manner == Manner::Restore { &nothing } else { &proposal.body };
    let kept = kept(&running.document, after, entered);
    let names: Vec<String> = kept.iter().map(|kept| kept.path.clone()).collect();
    if kept.is_empty() || proposal.may_keep_secrets {
        return Ok(names);
    }
    let detail = |Kept { path, pointer }: Kept| Detail { pointer, id: REFUSAL, params: vec![("Name", path)] };
    let failures = kept.into_iter().map(detail).collect();
    Err(AppError { failures, ..AppError::new(REFUSAL).with("Name", names.join(", ")) })
}

/// There is no search engine here that could complete names.
fn check_search_engine(running: &Config, document: &Document) -> Result<(), AppError> {
    let is_on = |document: &Document| given(document, AUTOCOMPLETE) == Some(&Value::from(true));
    if is_on(document) && !is_on(&running.document) {
        return Err(AppError::new("api.config.update.elasticsearch.autocomplete_cannot_be_enabled_error"));
    }
    Ok(())
}

/// An export that is switched on starts now, unless the document says when; one that is switched off starts nowhere.
fn toggle_export(running: &Config, body: &Document, document: &mut Document, now_ms: i64) {
    let is_on = given(document, EXPORT) == Some(&Value::from(true));
    let was_on = given(&running.document, EXPORT) == Some(&Value::from(true));
    let names_a_start = given(body, EXPORT_FROM).and_then(Value::as_i64).is_some_and(|start| start != 0);
    let has_start = given(document, EXPORT_FROM).and_then(Value::as_i64).is_some_and(|start| start != 0);
    if is_on && !was_on && !names_a_start && !has_start {
        insert(document, EXPORT_FROM, Value::from(now_ms));
    } else if was_on && !is_on {
        insert(document, EXPORT_FROM, Value::from(0));
    }
}

fn generate_keys(document: &mut Document) {
    for path in GENERATED {
        if text(document, path).is_none_or(str::is_empty) {
            let key: String = [new_id(), new_id()].concat().chars().take(KEY_LENGTH).collect();
            insert(document, path, Value::from(key));
        }
    }
}

fn text<'a>(document: &'a Document, path: &str) -> Option<&'a str> {
    given(document, path).and_then(Value::as_str)
}

/// Refuses a document that breaks rules: the first failure is the error, all of them come along.
pub(super) fn check_rules(document: &Document, around: &Surroundings) -> Result<(), AppError> {
    let facts = Facts { now_ms: around.now_ms, file_exists: &*around.file_exists };
    let all = failures(document, &facts);
    let Some(first) = all.first() else { return Ok(()) };
    let mut refusal = AppError::new(first.id);
    refusal.params.clone_from(&first.params);
    refusal.failures = all.into_iter().map(detail).collect();
    Err(refusal)
}

fn detail(Failure { pointer, id, params }: Failure) -> Detail {
    Detail { pointer, id, params }
}
