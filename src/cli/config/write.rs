//! `set`, `unset` and `import`: change the configuration. A change is validated in full before it is stored.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;
use quarterdeck_actors::config::proposal::ChangeMode;
use quarterdeck_actors::config::table::{Kind, Setting, defaults};
use serde_json::Value;

use super::backend::{ConfigBackend, Outcome, Proposed};
use super::paths::{doubled_misfits, found, lines, misfits, only, setting, value};
use super::remark::{Remark, say_json};
use crate::cli::output::{remark, say};
use crate::settings::Settings;
use crate::settings::named_file::{MAX_DOCUMENT_BYTES, handed_text};

/// The longest input, in bytes. It exceeds any configuration; a longer input is refused, not cut.
const MAX_INPUT_BYTES: u64 = 4 * 1024 * 1024;

pub(super) const SET_HELP: &str = "\
The value is parsed as the type of the setting; lists and maps are JSON. Without a value the command reads standard
input, which keeps a secret out of the process list. A value for one plugin leaves other plugins unchanged; null removes
the settings of a plugin.

  quarterdeck config set ServiceSettings.SiteURL https://chat.example.org
  quarterdeck config set TeamSettings.MaxUsersPerTeam 200 --comment 'we grow'
  quarterdeck config set DisplaySettings.CustomURLSchemes '[\"git\", \"smb\"]'
  quarterdeck config set PluginSettings.Plugins '{\"com.example.gone\": null}'
  quarterdeck config set EmailSettings.SMTPPassword < password.txt";

pub(super) const UNSET_HELP: &str = "\
  quarterdeck config unset TeamSettings.MaxUsersPerTeam";

pub(super) const IMPORT_HELP: &str = "\
Settings that the file leaves out become their defaults, except for secrets, the database and the settings of plugins.
A placeholder keeps the stored secret. Unknown keys are reported and ignored.

  quarterdeck config import config.json --dry-run
  quarterdeck config import config.json --comment 'from the old server'
  quarterdeck config import - < config.json";

#[derive(Args)]
pub(in crate::cli) struct Set {
    /// The setting
    path: String,
    /// The value [default: read from standard input]
    #[arg(allow_negative_numbers = true)]
    value: Option<String>,
    /// Shows the changes without storing them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remark: Remark,
}

impl std::fmt::Debug for Set {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The value may be a secret.
        formatter.debug_struct("Set").field("path", &self.path).finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Unset {
    /// The setting
    path: String,
    /// Shows the changes without storing them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remark: Remark,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The config.json; - for standard input
    file: PathBuf,
    /// Shows the changes without storing them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remark: Remark,
}

pub(super) async fn set(settings: &Settings, backend: &ConfigBackend, set: Set) -> Result<(), String> {
    let setting = setting(&set.path)?;
    check_pins(settings, &setting.path)?;
    let text = match set.value {
        Some(text) => text,
        None => input(setting)?,
    };
    change(backend, setting, value(setting, &text)?, set.dry_run, set.remark).await
}

pub(super) async fn unset(settings: &Settings, backend: &ConfigBackend, unset: Unset) -> Result<(), String> {
    let setting = setting(&unset.path)?;
    check_pins(settings, &setting.path)?;
    let defaults = defaults();
    let default = found(&defaults, &setting.path).filter(|default| !default.is_null());
    let default = default.ok_or_else(|| format!("{} has no default", setting.path))?;
    change(backend, setting, default.clone(), unset.dry_run, unset.remark).await
}

pub(super) async fn import(backend: &ConfigBackend, import: Import) -> Result<(), String> {
    let text = if import.file.as_os_str() == "-" {
        standard_input().map_err(|cause| format!("standard input: {cause}"))?
    } else {
        handed_text(&import.file, MAX_DOCUMENT_BYTES).map_err(|cause| format!("{}: {cause}", import.file.display()))?
    };
    let body = super::validate::parsed(&text).map_err(|problem| format!("{}: {problem}", import.file.display()))?;
    let body = body.spelled().map_err(|doubled| lines(&doubled_misfits(doubled)))?;
    let (unknown, wrong) = misfits(&body);
    if !wrong.is_empty() {
        return Err(lines(&wrong));
    }
    for misfit in unknown {
        remark(misfit);
    }
    let Remark { comment, confirm_within, json } = import.remark;
    let proposed = Proposed { mode: ChangeMode::Replace, body, comment, is_dry_run: import.dry_run, confirm_within };
    let outcome = backend.propose(&proposed).await?;
    tell(backend, &outcome, confirm_within, json);
    Ok(())
}

/// Prints the outcome of a change, as text or as JSON.
pub(super) fn tell(backend: &ConfigBackend, outcome: &Outcome, confirm_within: Option<u32>, json: bool) {
    for path in &outcome.unset {
        remark(format_args!("{path}: is not set: the change leaves it out, or nothing is stored for its placeholder"));
    }
    for (path, reason) in &outcome.reasons {
        remark(format_args!("{path}: {}", because(reason)));
    }
    if json {
        return say_json(outcome);
    }
    for change in &outcome.changes {
        say(change);
    }
    match (&outcome.version, backend) {
        (Some(version), ConfigBackend::Server(_)) => say(format_args!("active as version {version}")),
        (Some(version), ConfigBackend::Store(_)) => {
            say(format_args!("stored as version {version}; it takes effect at the next start or reload"));
        }
        // Only a dry run has changes and no version.
        (None, _) if !outcome.changes.is_empty() => say("dry run: nothing is stored"),
        (None, _) => say("no changes"),
    }
    if let (Some(version), Some(seconds)) = (&outcome.version, confirm_within) {
        say(format_args!(
            "taken back {seconds} s after it is in force, unless confirmed by: quarterdeck config confirm {version}"
        ));
    }
}

/// Returns the reason why a setting has no effect, as text.
fn because(reason: &str) -> String {
    match reason.split_once(':').unwrap_or((reason, "")) {
        ("pinned", place) => format!("is pinned by {place} and keeps that value; change it there"),
        ("restricted", _) => "is not changed, because ExperimentalSettings.RestrictSystemAdmin is on".to_owned(),
        ("not_permitted", _) => "is not changed, because the permission to write it is missing".to_owned(),
        ("protected", _) => "is not changed, because no document that comes over the network changes it".to_owned(),
        ("read_only", _) => "is not changed, because it is never stored".to_owned(),
        _ => "has no effect in this store: set it in config.toml or the environment".to_owned(),
    }
}

async fn change(
    backend: &ConfigBackend,
    setting: &Setting,
    value: Value,
    is_dry_run: bool,
    Remark { comment, confirm_within, json }: Remark,
) -> Result<(), String> {
    let path = &setting.path;
    let body = only(path, value.clone());
    let (unknown, wrong) = misfits(&body);
    let misfits = [unknown, wrong].concat();
    if !misfits.is_empty() {
        return Err(lines(&misfits));
    }
    let proposed = Proposed { mode: ChangeMode::Patch, body, comment, is_dry_run, confirm_within };
    let outcome = backend.propose(&proposed).await?;
    if outcome.changes.is_empty() && setting.kind != Kind::Map {
        let current = backend.current().await?;
        if found(&current.document, path) != Some(&value) {
            return Err(match outcome.reasons.get(path) {
                Some(reason) => format!("{path}: {}", because(reason)),
                None => format!("{path} cannot be changed: it is pinned on the server or is never stored"),
            });
        }
    }
    tell(backend, &outcome, confirm_within, json);
    Ok(())
}

/// Refuses a setting that is pinned as a whole or in part, because the change would have no effect.
fn check_pins(settings: &Settings, path: &str) -> Result<(), String> {
    let overlaps = |pinned: &str| {
        let is_within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        is_within(pinned, path) || is_within(path, pinned)
    };
    match settings.config.overrides.iter().find(|(pinned, _)| overlaps(pinned)) {
        Some((pinned, by)) => Err(format!("{pinned} is pinned by {}; change it there", by.place)),
        None => Ok(()),
    }
}

/// Reads a value from the terminal or from a pipe, without the line break at its end.
fn input(setting: &Setting) -> Result<String, String> {
    let read = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{} (not shown): ", setting.path))
    } else {
        standard_input()
    };
    let text = read.map_err(|cause| format!("the value cannot be read: {cause}"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn standard_input() -> std::io::Result<String> {
    let mut text = String::new();
    let length = std::io::stdin().take(MAX_INPUT_BYTES + 1).read_to_string(&mut text)?;
    let is_too_long = u64::try_from(length).is_ok_and(|length| length > MAX_INPUT_BYTES);
    if is_too_long { Err(std::io::Error::other("the value is too long")) } else { Ok(text) }
}
