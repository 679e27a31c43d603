//! The file that `MM_CUSTOM_DEFAULTS_PATH` names: values in place of the built-in defaults.

use std::path::Path;

use quarterdeck_actors::config::Stored;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::provenance::VARIABLE as PLACE;
use quarterdeck_actors::config::shape::{ProblemKind, problems};

use super::named_file::document;
use super::{BYTE_ORDER_MARK, SettingsError};
use crate::base::json_place::line_of;

/// The variable that names the file.
pub(super) const VARIABLE: &str = "MM_CUSTOM_DEFAULTS_PATH";

/// Returns the custom defaults; an empty document if no file is named. A file that is missing or not usable is an error.
pub(super) fn read(named: Option<String>) -> Result<Document, SettingsError> {
    let Some(file) = named.filter(|name| !name.is_empty()) else { return Ok(Document::new()) };
    let refused = |problem: String| SettingsError::Unusable(format!("{PLACE}{VARIABLE}: {file}{problem}"));
    let text = document(Path::new(&file)).map_err(|cause| refused(format!(": {cause}")))?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    // The parser's own message is left out, because it can quote a secret.
    let document: Document = serde_json::from_str(text)
        .map_err(|cause| refused(format!(":{}:{}: the file is not a JSON object", cause.line(), cause.column())))?;
    let document = Stored::new(String::new(), document).document;
    let wrong = problems(&document).into_iter().filter_map(|problem| match problem.kind {
        ProblemKind::WrongType { wanted, found } => {
            let line = line_of(text, &problem.pointer).unwrap_or(1);
            let path = problem.pointer.trim_start_matches('/').replace('/', ".");
            Some((line, format!(":{line}: {path} must be {wanted}, found {found}")))
        }
        ProblemKind::Unknown { .. } => None,
    });
    let mut wrong: Vec<(usize, String)> = wrong.collect();
    wrong.sort();
    if wrong.is_empty() {
        return Ok(document);
    }
    Err(SettingsError::Several(wrong.into_iter().map(|(_, problem)| refused(problem)).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::Sources;

    fn loaded(text: Option<&str>, toml: &str) -> Result<super::super::Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let (file, settings) = (folder.path().join("custom.json"), folder.path().join("config.toml"));
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        std::fs::write(&settings, toml).unwrap();
        let variable = (super::VARIABLE.to_owned(), file.display().to_string());
        let loaded = Sources::isolated(Some(settings), vec![variable]).load();
        loaded.map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn custom_defaults_take_the_place_of_the_built_in_ones_and_pinned_values_win() {
        let text = "\u{feff}{\"teamsettings\": {\"sitename\": \"custom\", \"MaxUsersPerTeam\": 7}}";
        let config = loaded(Some(text), "[TeamSettings]\nMaxUsersPerTeam = 9\n").unwrap().config;
        assert_eq!(config.view.team.site_name, "custom");
        assert_eq!(config.document["TeamSettings"]["MaxUsersPerTeam"], 9);
        assert_eq!(loaded(Some("{}"), "").unwrap().config.view.team.site_name, "Mattermost");
    }

    #[test]
    fn a_file_that_is_missing_or_wrong_is_named_with_its_variable_and_line() {
        let missing = loaded(None, "").unwrap_err();
        for part in ["environment variable MM_CUSTOM_DEFAULTS_PATH: /", "custom.json: No such file"] {
            assert!(missing.contains(part), "{missing}");
        }
        let broken = loaded(Some("{\n\"canary"), "").unwrap_err();
        assert!(broken.contains("custom.json:2:") && !broken.contains("canary"), "{broken}");
        let text = "{\"TeamSettings\": {\n\"SiteName\": 7,\n\"MaxUsersPerTeam\": \"canary\"}}";
        let wrong = loaded(Some(text), "").unwrap_err();
        let lines: Vec<&str> = wrong.lines().collect();
        assert!(
            lines[0].ends_with("custom.json:2: TeamSettings.SiteName must be a string, found a whole number"),
            "{wrong}"
        );
        assert!(lines[1].contains("custom.json:3: TeamSettings.MaxUsersPerTeam must be ") && !wrong.contains("canary"));
    }
}
