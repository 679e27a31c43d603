//! Decides on a proposed change, as a pure function of the proposal and the running configuration.

use std::sync::Arc;

use serde_json::Value;

use super::difference::{Change, changes};
use super::document::{Document, given, insert, remove};
use super::effective::{Config, Stored, overridden};
use super::emptied::check_emptied;
use super::extras::{extras, without_extras};
use super::ineffective::{Ineffective, dropped, ineffective};
use super::limits::check_limits;
use super::merge::{patched, replaced};
use super::places::served;
use super::reentry::{KeptSecret, kept};
use super::restored::{Restored, restored};
use super::rules::{AtLoad, Facts, Failure, failures, single_failures};
use super::table::{Kind, Setting, defaults, placed, settings};
use crate::error::{AppError, Detail, OrFail};
use crate::id::new_id;

/// Settings that no request over the network can change. They name the files that are read and the keys that are
/// trusted.
const PROTECTED: [&str; 3] =
    ["PluginSettings.EnableUploads", "PluginSettings.SignaturePublicKeyFiles", "ImportSettings.Directory"];

const SITE_URL: &str = "ServiceSettings.SiteURL";
const MARKETPLACE: &str = "PluginSettings.MarketplaceURL";
const UPLOADS: &str = "PluginSettings.EnableUploads";
const IMPORTS: &str = "ImportSettings.Directory";
const AUTOCOMPLETE: &str = "ElasticsearchSettings.EnableAutocomplete";
const EXPORT: &str = "MessageExportSettings.EnableExport";
const EXPORT_FROM: &str = "MessageExportSettings.ExportFromTimestamp";

/// The two keys that are generated when they are empty.
pub(super) const GENERATED: [&str; 2] = ["SqlSettings.AtRestEncryptKey", "FileSettings.PublicLinkSalt"];
const KEY_LENGTH: usize = 32;

/// Returns true if the caller may write a setting.
pub type MayWrite = Arc<dyn Fn(&Setting) -> bool + Send + Sync>;

/// Returns true if the caller may read a setting.
pub type MayRead = Arc<dyn Fn(&Setting) -> bool + Send + Sync>;

/// Returns true if a file or folder exists at a path.
pub type FileExists = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Returns true if a path of the server's disk is in a folder whose files anyone can read.
pub type IsServed = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Returns a short text that is equal for equal secrets and differs for different ones.
pub type Fingerprint = Arc<dyn Fn(&str, &Value) -> String + Send + Sync>;

/// The way in which a submitted document changes the running one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeMode {
    /// It replaces the running document. Settings that it leaves out become the default.
    Replace,
    /// It changes only the settings that it names.
    Patch,
    /// It restores an earlier version.
    Restore,
}

/// A submitted document.
#[derive(Clone)]
pub struct Proposal {
    /// The way in which it changes the running document.
    pub mode: ChangeMode,
    /// The submitted document. The types of its values have been checked.
    pub body: Document,
    /// Selects the settings that the caller may write. Other settings keep their running value.
    pub may_write: MayWrite,
    /// Selects the settings that the caller may read. The outcome tells nothing of the values of others.
    pub may_read: MayRead,
    /// True if it came over the local socket, where no setting is protected.
    pub is_local: bool,
    /// True if the caller may redirect a secret to another host without entering it again.
    pub may_keep_secrets: bool,
}

/// Facts that decisions need beside the running configuration.
#[derive(Clone)]
pub struct DecisionContext {
    /// The time, in Unix milliseconds.
    pub now_ms: i64,
    /// Returns true if a file or folder exists at a path of the server's disk.
    pub file_exists: FileExists,
    /// Returns true if a path of the server's disk is in a folder whose files anyone can read.
    pub is_served: IsServed,
    /// Makes fingerprints, which distinguish secrets without showing them.
    pub fingerprint: Fingerprint,
}

/// The result of a proposal.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The configuration that would be in force.
    pub config: Config,
    /// The changes of the configuration in force.
    pub changes: Vec<Change>,
    /// Settings that are unset because no secret is stored for their placeholder, and the settings of plugins that are
    /// no longer there.
    pub unset: Vec<String>,
    /// Settings that keep their running value although the proposal gives them another one.
    pub ineffective: Vec<Ineffective>,
    /// Secrets that go to another host now and were not entered again.
    pub kept: Vec<String>,
}

/// Returns the result of `proposal`, or the reason why it is refused.
pub fn decide(running: &Config, proposal: &Proposal, context: &DecisionContext) -> Result<Decision, AppError> {
    // An earlier version passed the limits when it was submitted, or is older than the limits.
    if proposal.mode != ChangeMode::Restore {
        check_limits(&proposal.body)?;
    }
    let (remedied, kept_values) = remedied(running, proposal);
    let proposal = &remedied;
    let effective = effective(running, proposal);
    if !proposal.is_local {
        check_protection(running, proposal.mode, &effective)?;
    }
    let may_write = |setting: &Setting| (proposal.may_write)(setting) && !is_kept(running, proposal, setting);
    let body = writable(without_extras(&effective), &running.document, &may_write);
    let Restored { document: body, unset, ambiguous } = restored(&body, &running.document);
    check_certainty(ambiguous)?;
    let mut document = match proposal.mode {
        ChangeMode::Replace => replaced(&running.document, &body, &may_write),
        ChangeMode::Patch => patched(&running.document, &body, &may_write),
        // Only callers who may write every setting can restore. Settings added since, such as those of a plugin, are
        // removed.
        ChangeMode::Restore => with_kept(running.defaults.complete(&body), running, proposal),
    };
    if proposal.mode == ChangeMode::Patch {
        check_emptied(&document)?;
    }
    check_search_engine(running, &document)?;
    check_plugin_variables(running, proposal.mode, &document)?;
    toggle_export(running, &body, &mut document, context.now_ms);
    if document != running.document {
        generate_keys(&mut document);
    }
    // Keys that are no settings change only when a version is restored.
    let stored = match proposal.mode {
        ChangeMode::Replace | ChangeMode::Patch => running.storable(&document, &running.extras()),
        ChangeMode::Restore => running.restorable(&document, &extras(&proposal.body)),
    };
    let document = overridden(&running.defaults.complete(&stored), &running.overrides);
    let kept = kept_secrets(running, proposal, &document)?;
    let is_unchanged = |path: &str| given(&document, path) == given(&running.document, path);
    check_rules(&document, context, &|path| match proposal.mode {
        ChangeMode::Restore => kept_values.iter().any(|kept| kept == path),
        ChangeMode::Replace | ChangeMode::Patch => running.keeps(path) && is_unchanged(path),
    })?;
    let changes = changes(&running.document, &document, &*context.fingerprint);
    let ineffective = ineffective(running, proposal, &document);
    let config = running.with_stored(Stored::new(new_id(), stored));
    let config = config.map_err(|cause| AppError::new("app.save_config.app_error").because(cause))?;
    // A custom default is in force again, so it was not removed.
    let unset = match proposal.mode {
        ChangeMode::Patch | ChangeMode::Replace => [unset, dropped(&running.document, &config.document)].concat(),
        ChangeMode::Restore => unset,
    };
    Ok(Decision { config, changes, unset, ineffective, kept })
}

/// Returns the proposal with the remedies for a version that is restored, and the paths of its values that stay in use
/// although new documents must not have them. Other proposals stay as they are.
fn remedied(running: &Config, proposal: &Proposal) -> (Proposal, Vec<String>) {
    let version = (proposal.mode == ChangeMode::Restore).then(|| Stored::new(String::new(), proposal.body.clone()));
    let Some(config) = version.and_then(|version| running.with_stored(version).ok()) else {
        return (proposal.clone(), Vec::new());
    };
    let kept = config.remedies.iter().filter(|remedy| remedy.stays()).map(|remedy| remedy.path.clone()).collect();
    let body = config.stored.map_or_else(|| proposal.body.clone(), |stored| stored.document);
    (Proposal { body, ..proposal.clone() }, kept)
}

/// Returns the result of replacing the stored document with one of another store, with the name of the engine.
pub(super) fn copied(running: &Config, document: &Document, context: &DecisionContext) -> Result<Decision, AppError> {
    const FAILED: &str = "app.config.load.app_error";
    let mut document = document.clone();
    running.name_engine(&mut document);
    let document = &document;
    let config = running.with_stored(Stored::new(new_id(), document.clone())).or_fail(FAILED)?;
    check(&config, context)?;
    let before = running.stored.as_ref().map_or_else(defaults, |stored| stored.document.clone());
    let changes = changes(&before, document, &*context.fingerprint);
    Ok(Decision { config, changes, unset: Vec::new(), ineffective: Vec::new(), kept: Vec::new() })
}

/// Returns the submitted document with the running value of each pinned setting. The submitted values of pinned
/// settings have no effect, so the rules that compare the document with the running one must not refuse it for them.
///
/// A patch gets no settings that it does not name.
fn effective(running: &Config, proposal: &Proposal) -> Document {
    let mut body = proposal.body.clone();
    let pinned = running.overrides.keys().filter_map(|path| settings().get(path));
    for setting in pinned.filter(|setting| setting.kind != Kind::Object) {
        let is_meant = proposal.mode != ChangeMode::Patch || given(&body, &setting.path).is_some();
        if is_meant && let Some(value) = given(&running.document, &setting.path) {
            insert(&mut body, &setting.path, value.clone());
        }
    }
    body
}

/// Returns `body` with the running value of each setting that the caller may not write, so that later steps skip those
/// settings.
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

/// Refuses a patch that changes a protected setting, and any document that clears the site's URL. Whole documents are
/// not refused for other protected settings; these keep their running value.
fn check_protection(running: &Config, mode: ChangeMode, body: &Document) -> Result<(), AppError> {
    let has_site_url = text(&running.document, SITE_URL).is_some_and(|url| !url.is_empty());
    let clears_site_url = match mode {
        ChangeMode::Replace | ChangeMode::Restore => text(body, SITE_URL).is_none_or(str::is_empty),
        ChangeMode::Patch => text(body, SITE_URL) == Some(""),
    };
    if has_site_url && clears_site_url {
        return Err(AppError::new("api.config.update_config.clear_siteurl.app_error"));
    }
    if mode != ChangeMode::Patch {
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

/// Returns the earlier version with the running value of each protected setting, if it came over the network.
fn with_kept(mut document: Document, running: &Config, proposal: &Proposal) -> Document {
    for setting in placed().filter(|setting| is_kept(running, proposal, setting)) {
        let value = given(&running.document, &setting.path).cloned().unwrap_or_default();
        insert(&mut document, &setting.path, value);
    }
    document
}

/// Returns true if a whole document that came over the network leaves this setting at its running value.
pub(super) fn is_kept(running: &Config, proposal: &Proposal, setting: &Setting) -> bool {
    let is_replacing = proposal.mode != ChangeMode::Patch && !proposal.is_local;
    let forbids_uploads = given(&running.document, UPLOADS) == Some(&Value::from(false));
    let is_closed_market = forbids_uploads && setting.path == MARKETPLACE;
    is_replacing && (PROTECTED.contains(&setting.path.as_str()) || is_closed_market)
}

/// Refuses placeholders that could mean more than one stored secret, so that no wrong secret is stored.
pub(super) fn check_certainty(ambiguous: Vec<String>) -> Result<(), AppError> {
    const REFUSAL: &str = "api.config.ambiguous_secret.app_error";
    if ambiguous.is_empty() {
        return Ok(());
    }
    let detail = |pointer| Detail { pointer, id: REFUSAL, params: Vec::new() };
    Err(AppError { failures: ambiguous.into_iter().map(detail).collect(), ..AppError::new(REFUSAL) })
}

/// Refuses a change after which a variable for a setting of a plugin would set another one: its value, often a secret,
/// would go to another plugin, and be stored where it was pinned before. A version with which a variable cannot be used
/// is not restored, because no server starts with it.
fn check_plugin_variables(running: &Config, mode: ChangeMode, after: &Document) -> Result<(), AppError> {
    const REFUSAL: &str = "api.config.plugin_variable.app_error";
    let mut reasons = running.overrides.redirected(&running.document, after);
    if mode == ChangeMode::Restore && reasons.is_empty() {
        reasons = running.overrides.unclear(after);
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let detail = |reason: &String| Detail {
        pointer: "/PluginSettings/Plugins".to_owned(),
        id: REFUSAL,
        params: vec![("Reason", reason.clone())],
    };
    let failures = reasons.iter().map(detail).collect();
    Err(AppError { failures, ..AppError::new(REFUSAL).with("Reason", reasons.join("; ")) })
}

/// Returns the secrets that would go to another host without being entered again. Refuses the change if there are any
/// and the caller may not do that.
fn kept_secrets(running: &Config, proposal: &Proposal, after: &Document) -> Result<Vec<String>, AppError> {
    const REFUSAL: &str = "api.config.reenter_secret.app_error";
    // An earlier version contains secrets that the caller did not enter.
    let nothing = Document::new();
    let entered = if proposal.mode == ChangeMode::Restore { &nothing } else { &proposal.body };
    let kept = kept(&running.document, after, entered);
    let names: Vec<String> = kept.iter().map(|kept| kept.path.clone()).collect();
    if kept.is_empty() || proposal.may_keep_secrets {
        return Ok(names);
    }
    let detail =
        |KeptSecret { path, pointer }: KeptSecret| Detail { pointer, id: REFUSAL, params: vec![("Name", path)] };
    let failures = kept.into_iter().map(detail).collect();
    Err(AppError { failures, ..AppError::new(REFUSAL).with("Name", names.join(", ")) })
}

/// Refuses to enable autocompletion, because this server has no search engine for it.
fn check_search_engine(running: &Config, document: &Document) -> Result<(), AppError> {
    let is_on = |document: &Document| given(document, AUTOCOMPLETE) == Some(&Value::from(true));
    if is_on(document) && !is_on(&running.document) {
        return Err(AppError::new("api.config.update.elasticsearch.autocomplete_cannot_be_enabled_error"));
    }
    Ok(())
}

/// Sets the start of an export that is switched on to now, unless the document names one. Clears it when the export is
/// switched off.
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

/// Refuses a configuration that breaks rules, except for stored values that stay in use, and one with which a variable
/// for a setting of a plugin cannot be used.
pub(super) fn check(config: &Config, context: &DecisionContext) -> Result<(), AppError> {
    const UNCLEAR: &str = "api.config.plugin_variable.app_error#unclear";
    let checked = check_rules(&config.document, context, &|path| config.keeps(path));
    let unclear = config.unclear();
    let Some(first) = unclear.first() else { return checked };
    let mut refusal = checked.err().unwrap_or_else(|| AppError::new(UNCLEAR).with("Reason", first.clone()));
    // The reason names the variable, which is at no place of the document.
    let detail = |reason| Detail { pointer: String::new(), id: UNCLEAR, params: vec![("Reason", reason)] };
    refusal.failures.extend(unclear.into_iter().map(detail));
    Err(refusal)
}

/// Refuses a document that breaks rules. The error has the id of the first failure and lists all failures.
///
/// A value that `stays` in use although the document must not have it is no failure.
fn check_rules(document: &Document, context: &DecisionContext, stays: &dyn Fn(&str) -> bool) -> Result<(), AppError> {
    let facts = Facts { now_ms: context.now_ms, file_exists: &*context.file_exists };
    let stays = |failure: &Failure| failure.at_load == AtLoad::Stays && stays(&failure.path());
    let broken = failures(document, &facts).into_iter().chain(served(document, &*context.is_served));
    refused(broken.filter(|failure| !stays(failure)).collect())
}

/// Refuses values that break rules whatever the other settings are. For a configuration of which only a part is known.
pub(super) fn check_singly(config: &Config, context: &DecisionContext) -> Result<(), AppError> {
    let facts = Facts { now_ms: context.now_ms, file_exists: &*context.file_exists };
    refused(single_failures(&config.document, &facts))
}

fn refused(all: Vec<Failure>) -> Result<(), AppError> {
    let Some(first) = all.first() else { return Ok(()) };
    let mut refusal = AppError::new(first.id);
    refusal.params.clone_from(&first.params);
    refusal.failures = all.into_iter().map(detail).collect();
    Err(refusal)
}

fn detail(Failure { pointer, id, params, .. }: Failure) -> Detail {
    Detail { pointer, id, params }
}
