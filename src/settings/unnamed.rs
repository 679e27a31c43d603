//! Detects a `config.json` that no setting names, and one that is passed as `--config`.

use std::io::ErrorKind;
use std::path::Path;

use quarterdeck_actors::config::table::settings;
use quarterdeck_actors::spelling::is_same;
use serde_json::Value;

use super::named_file::{MAX_DOCUMENT_BYTES, contents};
use super::{STORE, SettingsError, Sources};

/// The path at which Mattermost stores its configuration, and the usual path of a copy.
const DEFAULT_PATHS: [&str; 2] = ["config/config.json", "config.json"];

/// A configuration file in the working folder, while no setting says where the configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnnamedFile {
    name: &'static str,
}

impl UnnamedFile {
    /// Returns a notice: the file has no effect, and this command line would use it.
    pub(crate) fn notice(&self) -> String {
        let name = self.name;
        format!("{name} lies in the working folder and is not used; this uses it: {STORE}={name} quarterdeck")
    }

    /// Returns the error text: no new database is created beside the file, with the commands that resolve it.
    pub(crate) fn refusal(&self, database: &str) -> String {
        let name = self.name;
        format!(
            "{name} lies in the working folder and is not used, and {database} holds no account yet\n\
             this uses the file: {STORE}={name} quarterdeck\n\
             this begins with an empty database all the same: quarterdeck --new"
        )
    }
}

impl Sources {
    /// Returns the configuration file in the working folder, unless `MM_CONFIG` names a store.
    pub(crate) fn unnamed_file(&self) -> Option<UnnamedFile> {
        let is_named = self.store_name().is_some_and(|name| !name.is_empty());
        let folder = self.working_folder.as_ref().filter(|_| !is_named)?;
        let name = DEFAULT_PATHS.into_iter().find(|name| may_be_configuration(&folder.join(name)))?;
        Some(UnnamedFile { name })
    }

    /// Returns that file, unless the operator wants a new, empty database beside it.
    pub(crate) fn unwanted_file(&self) -> Option<UnnamedFile> {
        self.unnamed_file().filter(|_| !self.is_new)
    }
}

/// Returns true if a file may contain a configuration. This includes a file that is unreadable or not valid JSON.
fn may_be_configuration(file: &Path) -> bool {
    let is_there = match (std::fs::metadata(file), file.symlink_metadata()) {
        (Ok(found), _) => found.is_file(),
        (Err(_), Ok(_)) => true,
        (Err(_), Err(cause)) => cause.kind() == ErrorKind::PermissionDenied,
    };
    if !is_there {
        return false;
    }
    let Ok(text) = contents(file, MAX_DOCUMENT_BYTES) else { return true };
    match serde_json::from_slice::<Value>(&text) {
        Ok(Value::Object(document)) => document.keys().any(|section| is_section(section)),
        Ok(_) => false,
        Err(_) => true,
    }
}

fn is_section(name: &str) -> bool {
    settings().keys().filter_map(|path| path.split('.').next()).any(|section| is_same(section, name))
}

/// Refuses a stored configuration passed as the file of pinned settings, and names the variable to use instead.
pub(super) fn refuse_json(file: &Path, text: &str) -> Result<(), SettingsError> {
    let is_named_so = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    if !is_named_so && !text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return Ok(());
    }
    Err(SettingsError::Unusable(format!(
        "{}: --config takes a config.toml with pinned settings; {STORE} takes a config.json: {STORE}={} quarterdeck",
        file.display(),
        quoted(file)
    )))
}

/// Returns a path as a shell word, quoted if necessary.
pub(crate) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = path.chars().all(|character| character.is_ascii_alphanumeric() || "/._-+".contains(character));
    if is_plain { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(folder: &Path, variables: &[(&str, &str)]) -> Sources {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sources { working_folder: Some(folder.to_owned()), ..Sources::isolated(None, variables) }
    }

    fn found(text: &str) -> Option<UnnamedFile> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), text).unwrap();
        in_folder(folder.path(), &[]).unnamed_file()
    }

    #[test]
    fn a_configuration_in_the_working_folder_is_found_even_if_it_is_broken() {
        assert!(found("{\"ServiceSettings\": {}}").is_some());
        assert!(found("{\"SqlSettings\": {").is_some());
        assert!(found("{\"teamsettings\": {}}").is_some());
        assert!(found("").is_some());
        assert_eq!(found("{\"compilerOptions\": {}}"), None, "another program's file");
        assert_eq!(found("[]"), None);
    }

    #[test]
    fn a_link_that_leads_nowhere_counts_and_a_folder_of_that_name_does_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("config.json")).unwrap();
        assert_eq!(in_folder(folder.path(), &[]).unnamed_file(), None);
        std::fs::create_dir(folder.path().join("config")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("config/config.json")).unwrap();
        let found = in_folder(folder.path(), &[]).unnamed_file().unwrap();
        assert!(found.notice().ends_with(": MM_CONFIG=config/config.json quarterdeck"), "{}", found.notice());
    }

    #[test]
    fn a_file_is_unnamed_only_while_nothing_says_where_the_configuration_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), "{\"TeamSettings\": {}}").unwrap();
        assert!(in_folder(folder.path(), &[("MM_CONFIG", "")]).unnamed_file().is_some());
        for named in ["config.json", "sqlite", "postgres://db/chat"] {
            assert_eq!(in_folder(folder.path(), &[("MM_CONFIG", named)]).unnamed_file(), None);
        }
        let wanted = in_folder(folder.path(), &[]).with_new_database(true);
        assert!(wanted.unnamed_file().is_some() && wanted.unwanted_file().is_none());
    }

    #[test]
    fn a_stored_configuration_is_refused_as_pinned_settings_and_the_right_way_is_named() {
        for (name, text) in [("my config.json", ""), ("config.toml", " {\"SqlSettings\": {}}")] {
            let refused = refuse_json(Path::new(name), text).unwrap_err().to_string();
            assert!(refused.contains(&format!("MM_CONFIG={} quarterdeck", quoted(Path::new(name)))), "{refused}");
        }
        assert!(refuse_json(Path::new("config.toml"), "[SqlSettings]\n").is_ok());
    }
}
