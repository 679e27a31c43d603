//! The settings of a submitted document that keep their running value although it gives them another one, and why.

use std::cell::LazyCell;

use serde_json::Value;

use super::access::hidden;
use super::document::{Document, given};
use super::effective::Config;
use super::extras::without_extras;
use super::fixes::fixed_around;
use super::merge::{patched, replaced};
use super::overrides::PluginPin;
use super::proposal::{ChangeMode, Proposal, is_kept};
use super::provenance::VARIABLE;
use super::restored::{holds_placeholder, restored};
use super::table::{Kind, Setting, placed, settings};

const RESTRICTION: &str = "ExperimentalSettings.RestrictSystemAdmin";

/// A setting that a change names and does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ineffective {
    /// The path of the setting.
    pub path: String,
    /// The reason.
    pub reason: Reason,
}

/// The reason why a submitted value has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The setting is pinned at this place: a file with the line, or an environment variable.
    Pinned(String),
    /// `RestrictSystemAdmin` is on.
    Restricted,
    /// The caller lacks the permission.
    NotPermitted,
    /// No document that comes over the network changes the setting.
    Protected,
    /// No request changes the setting.
    ReadOnly,
    /// The setting is read before the store is, so only a pinned value has an effect.
    ReadBeforeStore,
}

impl Reason {
    /// Returns the reason as one word, for headers and JSON. A pinned setting is followed by the place of the pin.
    ///
    /// Folders in the place are left out, because callers over the network need not know them.
    pub fn word(&self) -> String {
        match self {
            Self::Pinned(place) => {
                let place = place.strip_prefix(VARIABLE).unwrap_or(place);
                format!("pinned:{}", place.rsplit('/').next().unwrap_or(place))
            }
            Self::Restricted => "restricted".to_owned(),
            Self::NotPermitted => "not_permitted".to_owned(),
            Self::Protected => "protected".to_owned(),
            Self::ReadOnly => "read_only".to_owned(),
            Self::ReadBeforeStore => "read_before_store".to_owned(),
        }
    }
}

/// Returns the settings that `proposal` gives another value than the running one and that it does not change.
///
/// A caller who may not read a setting is told the same for every value, so that the answer confirms no guess.
pub(super) fn ineffective(running: &Config, proposal: &Proposal, decided: &Document) -> Vec<Ineffective> {
    let known = without_extras(&proposal.body);
    let body = restored(&known, &running.document).document;
    let (before, wanted) = match proposal.mode {
        ChangeMode::Patch => (running.document.clone(), patched(&running.document, &body, &|_| true)),
        ChangeMode::Replace => (running.document.clone(), replaced(&running.document, &body, &|_| true)),
        ChangeMode::Restore => (running.unpinned(), running.defaults.complete(&body)),
    };
    let wanted = fixed_around(&wanted, &|path| running.overrides.contains_key(path));
    let masked = LazyCell::new(|| running.masked());
    // The value that the caller was given: a document that was read and comes back tries nothing.
    let shown = |setting: &'static Setting| {
        let is_read = (proposal.may_read)(setting);
        if is_read { given(&masked, &setting.path).cloned() } else { hidden(setting) }
    };
    let told = |setting: &'static Setting| {
        let reason = reason(running, proposal, setting)?;
        let submitted = given(&known, &setting.path)?;
        let is_tried = if reason == Reason::ReadOnly {
            Some(submitted) != given(&running.document, &setting.path)
        } else if sees(proposal, setting) {
            let is_meant = given(&wanted, &setting.path) != given(&before, &setting.path);
            let is_unchanged = given(decided, &setting.path) == given(&running.document, &setting.path);
            is_meant && is_unchanged
        } else {
            !submitted.is_null() && !holds_placeholder(submitted) && shown(setting).as_ref() != Some(submitted)
        };
        is_tried.then(|| Ineffective { path: setting.path.clone(), reason })
    };
    let settings = placed().filter(|setting| setting.kind != Kind::Object).filter_map(told);
    settings.chain(pinned_plugin_settings(running, proposal, &body)).collect()
}

/// Returns the settings of plugins that variables override and that the submitted document gives another value.
///
/// A restored version contains stored values, so its values are compared with the stored ones.
fn pinned_plugin_settings(running: &Config, proposal: &Proposal, body: &Document) -> Vec<Ineffective> {
    const PLUGINS: &str = "PluginSettings.Plugins";
    let may_write = settings().get(PLUGINS).is_some_and(|setting| reason(running, proposal, setting).is_none());
    let submitted = given(body, PLUGINS).filter(|_| may_write);
    let stored = (proposal.mode == ChangeMode::Restore).then(|| running.unpinned());
    let told = |PluginPin { id, key, value, place }: PluginPin| {
        let before = match &stored {
            Some(stored) => given(stored, PLUGINS).and_then(|plugins| plugins.get(&id)?.get(&key)),
            None => Some(&value),
        };
        let is_other = Some(submitted?.get(&id)?.get(&key)?) != before;
        let path = format!("{PLUGINS}.{id}.{key}");
        is_other.then_some(Ineffective { path, reason: Reason::Pinned(place) })
    };
    running.overrides.plugin_pins(&running.document).into_iter().filter_map(told).collect()
}

/// Returns the keys of plugins that `after` no longer has: whole plugins, and single keys of others.
pub(super) fn dropped(before: &Document, after: &Document) -> Vec<String> {
    let mut dropped = Vec::new();
    for setting in placed().filter(|setting| setting.by_key) {
        let [before, after] = [before, after].map(|document| given(document, &setting.path).and_then(Value::as_object));
        for (id, entry) in before.into_iter().flatten() {
            let path = format!("{}.{id}", setting.path);
            match (entry, after.and_then(|after| after.get(id))) {
                (_, None) => dropped.push(path),
                (Value::Object(before), Some(Value::Object(after))) => {
                    let gone = before.keys().filter(|key| !after.contains_key(*key));
                    dropped.extend(gone.map(|key| format!("{path}.{key}")));
                }
                (_, Some(_)) => {}
            }
        }
    }
    dropped
}

fn reason(running: &Config, proposal: &Proposal, setting: &Setting) -> Option<Reason> {
    if setting.read_only || containers(setting).any(|container| container.read_only) {
        return Some(Reason::ReadOnly);
    }
    let is_closed = |setting: &Setting| !(proposal.may_write)(setting);
    let closed = containers(setting).find(|container| is_closed(container)).or(is_closed(setting).then_some(setting));
    if let Some(closed) = closed {
        let is_on = given(&running.document, RESTRICTION) == Some(&Value::from(true));
        let is_restricted = is_on && (closed.write_restrictable || closed.cloud_restrictable);
        return Some(if is_restricted { Reason::Restricted } else { Reason::NotPermitted });
    }
    if let Some(pinned) = running.overrides.get(&setting.path) {
        return Some(Reason::Pinned(pinned.place.clone()));
    }
    is_kept(running, proposal, setting).then_some(Reason::Protected)
}

/// Returns the nested sections that contain a setting and have a row of their own in the table.
fn containers(setting: &Setting) -> impl Iterator<Item = &'static Setting> {
    setting.path.match_indices('.').filter_map(|(at, _)| settings().get(setting.path.get(..at)?))
}

/// Returns true if the caller reads the value of a setting, or could compare it with another one by writing it.
pub(super) fn sees(proposal: &Proposal, setting: &Setting) -> bool {
    let is_masked = setting.mask.is_some() && !(proposal.may_write)(setting);
    proposal.is_local || ((proposal.may_read)(setting) && !is_masked)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::document::insert;
    use super::super::effective::Override;
    use super::super::table::defaults;
    use super::*;

    const NAME: &str = "TeamSettings.SiteName";

    fn document(values: &[(&str, Value)]) -> Document {
        let mut document = Document::new();
        for (path, value) in values {
            insert(&mut document, path, value.clone());
        }
        document
    }

    fn config(pinned: &[(&str, Value)]) -> Config {
        let place = "/etc/quarterdeck/config.toml:3".to_owned();
        let pin = |(path, value): &(&str, Value)| {
            ((*path).to_owned(), Override { value: value.clone(), place: place.clone() })
        };
        Config::compose(None, pinned.iter().map(pin).collect()).unwrap()
    }

    fn told(running: &Config, mode: ChangeMode, body: Document, closed: &'static str) -> Vec<(String, String)> {
        let proposal = Proposal {
            mode,
            body,
            may_write: Arc::new(move |setting| setting.path != closed),
            may_read: Arc::new(|setting| setting.path != "EmailSettings.SMTPServer"),
            is_local: false,
            may_keep_secrets: true,
        };
        let told = ineffective(running, &proposal, &running.document);
        told.into_iter().map(|one| (one.path, one.reason.word())).collect()
    }

    fn one(path: &str, reason: &str) -> Vec<(String, String)> {
        vec![(path.to_owned(), reason.to_owned())]
    }

    #[test]
    fn a_pinned_setting_says_where_it_is_pinned_and_an_equal_value_says_nothing() {
        let running = config(&[(NAME, json!("pinned"))]);
        let body = |name: &str| document(&[(NAME, json!(name))]);
        for mode in [ChangeMode::Patch, ChangeMode::Replace] {
            assert_eq!(told(&running, mode, body("other"), ""), one(NAME, "pinned:config.toml:3"));
            assert_eq!(told(&running, mode, body("pinned"), ""), []);
            assert_eq!(told(&running, mode, Document::new(), ""), []);
        }
        let url = "ServiceSettings.SiteURL";
        let running = config(&[(url, json!("https://chat.example"))]);
        let slash = document(&[(url, json!("https://chat.example/"))]);
        assert_eq!(told(&running, ChangeMode::Patch, slash, ""), [], "it is corrected to the same value");
    }

    #[test]
    fn a_closed_setting_says_if_the_permission_or_the_restriction_closes_it() {
        let body = document(&[(NAME, json!("other"))]);
        assert_eq!(told(&config(&[]), ChangeMode::Patch, body, NAME), one(NAME, "not_permitted"));
        let runs = "JobSettings.RunJobs";
        let body = document(&[(runs, json!(false))]);
        assert_eq!(told(&config(&[]), ChangeMode::Patch, body.clone(), runs), one(runs, "not_permitted"));
        let restricted = config(&[(RESTRICTION, json!(true))]);
        assert_eq!(told(&restricted, ChangeMode::Patch, body, runs), one(runs, "restricted"));
        let (section, port) =
            ("MessageExportSettings.GlobalRelaySettings", "MessageExportSettings.GlobalRelaySettings.CustomSMTPPort");
        let body = document(&[(port, json!("2525"))]);
        assert_eq!(told(&config(&[]), ChangeMode::Patch, body, section), one(port, "not_permitted"));
    }

    #[test]
    fn protected_settings_and_flags_say_so() {
        let directory = "ImportSettings.Directory";
        let body = document(&[(directory, json!("./elsewhere"))]);
        assert_eq!(told(&config(&[]), ChangeMode::Replace, body, ""), one(directory, "protected"));
        let flag = "FeatureFlags.TestBoolFeature";
        let running = config(&[]);
        let current = given(&running.document, flag).unwrap() == &json!(true);
        assert_eq!(told(&running, ChangeMode::Patch, document(&[(flag, json!(!current))]), ""), one(flag, "read_only"));
        assert_eq!(told(&running, ChangeMode::Patch, document(&[(flag, json!(current))]), ""), []);
    }

    #[test]
    fn a_setting_that_the_caller_does_not_read_is_told_of_for_every_value() {
        let server = "EmailSettings.SMTPServer";
        let running = config(&[(server, json!("mail.internal"))]);
        for guess in ["mail.internal", "other"] {
            let body = document(&[(server, json!(guess))]);
            assert_eq!(told(&running, ChangeMode::Patch, body, server), one(server, "not_permitted"), "{guess}");
        }
        let body = document(&[(server, json!(""))]);
        assert_eq!(told(&running, ChangeMode::Patch, body, server), one(server, "not_permitted"), "it would empty it");
        assert_eq!(told(&running, ChangeMode::Patch, document(&[(server, Value::Null)]), server), [], "as it is read");
        let secret = "EmailSettings.SMTPPassword";
        let running = config(&[(secret, json!("canary"))]);
        for guess in ["canary", "other"] {
            let body = document(&[(secret, json!(guess))]);
            assert_eq!(told(&running, ChangeMode::Patch, body, secret), one(secret, "not_permitted"), "{guess}");
        }
        let masked = document(&[(secret, json!("*".repeat(32)))]);
        assert_eq!(told(&running, ChangeMode::Patch, masked, secret), []);
        let emptied = document(&[(secret, json!(""))]);
        assert_eq!(told(&running, ChangeMode::Patch, emptied.clone(), secret), one(secret, "not_permitted"));
        assert_eq!(told(&config(&[]), ChangeMode::Patch, emptied, secret), [], "it is read as empty");
    }

    #[test]
    fn keys_of_plugins_that_are_gone_are_named() {
        let plugins = |plugins: Value| {
            let mut document = defaults();
            insert(&mut document, "PluginSettings.Plugins", plugins);
            document
        };
        let before = plugins(json!({ "com.example.one": { "a": 1, "b": 2 }, "two": { "c": 3 } }));
        let after = plugins(json!({ "com.example.one": { "a": 4 }, "three": {} }));
        let paths = ["PluginSettings.Plugins.com.example.one.b", "PluginSettings.Plugins.two"];
        assert_eq!(dropped(&before, &after), paths);
        assert_eq!(dropped(&after, &after), Vec::<String>::new());
    }
}
