//! `get` and `export`: the configuration in force.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use quarterdeck_actors::config::access::{pruned, without_defaults};
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::extras::with_extras;
use quarterdeck_actors::config::spelling::spelled_path;
use quarterdeck_actors::config::table::defaults;
use quarterdeck_actors::data_source::is_address;
use serde_json::Value;

use super::backend::{ConfigBackend, Current};
use super::paths::{found, unknown};
use super::remark::say_json;
use crate::cli::output::{remark, say};
use crate::files::private;
use crate::settings::Settings;
use crate::store::mattermost::{for_mattermost, unknown_drivers};
use crate::store::pretty;

/// The maximum number of keys in a remark, and of the characters of each.
const MAX_NAMED_KEYS: usize = 20;
const MAX_KEY_CHARACTERS: usize = 100;

pub(super) const GET_HELP: &str = "\
One path prints its value; several paths print an object with one member for each path.

  quarterdeck config get ServiceSettings.SiteURL
  quarterdeck config get TeamSettings EmailSettings.SMTPServer
  quarterdeck config get EmailSettings.SMTPPassword --show-secrets";

pub(super) const EXPORT_HELP: &str = "\
The file is written atomically, and only its owner can read it. It contains the current configuration with the values
of config.toml and environment variables, and the data stored beside the settings. Secrets appear as placeholders; an
import keeps the stored secret for a placeholder.

  quarterdeck config export config.json
  quarterdeck config export --remove-defaults
  quarterdeck config export backup.json --show-secrets
  quarterdeck config export config.json --show-secrets --for-mattermost";

#[derive(Debug, Args)]
pub(in crate::cli) struct Get {
    /// Settings or sections [default: the whole configuration]
    paths: Vec<String>,
    /// Prints secrets in clear text
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The file to write [default: standard output]
    file: Option<PathBuf>,
    /// Leaves out settings with the default values of this server
    #[arg(long)]
    remove_defaults: bool,
    /// Writes secrets in clear text
    #[arg(long)]
    show_secrets: bool,
    /// Writes the file as a Mattermost reads it, on the database of this server. All settings are written, because the
    /// defaults of a Mattermost may be others
    #[arg(long, requires = "show_secrets", conflicts_with = "remove_defaults")]
    for_mattermost: bool,
}

pub(super) async fn get(backend: &ConfigBackend, get: &Get) -> Result<(), String> {
    let document = shown(backend, get.show_secrets).await?;
    let value_at = |path: &String| found(&document, &spelled_path(path)).cloned().ok_or_else(|| unknown(path));
    let value = match get.paths.as_slice() {
        [] => Value::Object(document),
        [path] => value_at(path)?,
        paths => {
            let values = paths.iter().map(|path| Ok((path.clone(), value_at(path)?)));
            Value::Object(values.collect::<Result<Document, String>>()?)
        }
    };
    say_json(&value);
    Ok(())
}

pub(super) async fn export(settings: &Settings, backend: &ConfigBackend, export: &Export) -> Result<(), String> {
    let mut current = backend.current().await?;
    current.document.remove("FeatureFlags");
    if export.remove_defaults {
        current.document = pruned(&without_defaults(&current.document));
    }
    if export.for_mattermost {
        if let Some(keys) = unknown_keys(&current.extras) {
            remark(format_args!("keys that are no settings of Mattermost are left out: {keys}"));
        }
    } else {
        current.document = with_extras(current.document, &current.extras);
    }
    let mut document = in_clear_or_not(current, export.show_secrets);
    if export.for_mattermost {
        let source = &settings.config.view.sql.data_source;
        let is_shared = is_address(source) || settings.config.view.sql.driver_name == "postgres";
        for path in unknown_drivers(&document) {
            remark(format_args!(
                "{path} is left out: Mattermost 11.6 does not know the store azureblob and uses the local folder; name a \
                 store with the files there"
            ));
        }
        document = for_mattermost(document, if is_shared { source } else { "" });
        if !is_shared {
            remark("SqlSettings.DataSource is empty in the file: name the database of the Mattermost there");
        }
    }
    let text = escaped(&pretty(&document));
    match &export.file {
        None => say(text),
        Some(file) => {
            write_privately(file, &text).map_err(|cause| format!("{}: {cause}", file.display()))?;
            say(format_args!("written to {}", file.display()));
        }
    }
    Ok(())
}

/// Lists the first keys that are no settings, cut to a fixed length, and the number of the others; `None` if there are none.
fn unknown_keys(extras: &Document) -> Option<String> {
    let mut paths = Vec::new();
    add_unknown(extras, &defaults(), "", &mut paths);
    let more = paths.len().checked_sub(MAX_NAMED_KEYS).filter(|more| *more > 0);
    let cut = |path: &String| path.chars().take(MAX_KEY_CHARACTERS).collect();
    let named = paths.iter().take(MAX_NAMED_KEYS).map(cut).collect::<Vec<String>>().join(", ");
    let named = more.map_or_else(|| named.clone(), |more| format!("{named}, and {more} more"));
    (!paths.is_empty()).then_some(named)
}

/// Adds the paths of the keys below `place` that are not in `known`, the settings there.
fn add_unknown(extras: &Document, known: &Document, place: &str, paths: &mut Vec<String>) {
    for (key, extra) in extras {
        let path = format!("{place}{key}");
        match (known.get(key), extra) {
            (Some(Value::Object(known)), Value::Object(extras)) => {
                add_unknown(extras, known, &format!("{path}."), paths);
            }
            _ => paths.push(path),
        }
    }
}

async fn shown(backend: &ConfigBackend, shows_secrets: bool) -> Result<Document, String> {
    Ok(in_clear_or_not(backend.current().await?, shows_secrets))
}

fn in_clear_or_not(current: Current, shows_secrets: bool) -> Document {
    if shows_secrets { current.document } else { current.masked() }
}

/// Escapes JSON as Mattermost does. These characters occur only inside strings.
fn escaped(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn write_privately(file: &Path, text: &str) -> std::io::Result<()> {
    let hidden = file.with_extension(format!("{}.new", std::process::id()));
    let mut writing = private::create(&hidden)?;
    let written = writing.write_all(text.as_bytes()).and_then(|()| writing.sync_all());
    let placed = written.and_then(|()| std::fs::rename(&hidden, file));
    if placed.is_err() {
        // The incomplete file may hold secrets, so it is deleted.
        let _ = std::fs::remove_file(&hidden);
    }
    placed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_are_no_settings_are_listed_by_their_paths_up_to_a_number() {
        let listed = |extras: Value| unknown_keys(extras.as_object().unwrap());
        assert_eq!(listed(json!({})), None);
        let extras = json!({
            "FooSettings": { "Bar": 1 },
            "MessageExportSettings": { "GlobalRelaySettings": { "Newer": 1 } },
            "SqlSettings": { "Foo": 1 },
        });
        let named = "FooSettings, MessageExportSettings.GlobalRelaySettings.Newer, SqlSettings.Foo";
        assert_eq!(listed(extras).as_deref(), Some(named));
        let many: Document = (0..MAX_NAMED_KEYS + 2).map(|number| ("k".repeat(200 + number), json!(1))).collect();
        let named = unknown_keys(&many).unwrap();
        assert!(named.ends_with("k, and 2 more") && named.len() < MAX_NAMED_KEYS * (MAX_KEY_CHARACTERS + 3), "{named}");
    }
}
