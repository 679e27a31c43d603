//! The file that `MM_CUSTOM_DEFAULTS_PATH` names: values in place of the built-in defaults.

use std::path::Path;

use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::extras::without_extras;
use quarterdeck_actors::config::provenance::VARIABLE as PLACE;
use quarterdeck_actors::config::repeated::Parsed;
use quarterdeck_actors::config::shape::{ProblemKind, explained_problems};
use quarterdeck_actors::config::spelling::{DoubledKey, spelled_anyway};

use super::named_file::document;
use super::{BYTE_ORDER_MARK, SettingsError};
use crate::base::json_place::line_of;
use crate::base::nul::holds_nul;

/// The variable that names the file.
pub(super) const VARIABLE: &str = "MM_CUSTOM_DEFAULTS_PATH";

/// The content of the file.
#[derive(Default)]
pub(super) struct CustomDefaults {
    /// The settings; empty if something is wrong.
    pub(super) document: Document,
    /// A notice for each unknown key, in the order of the file.
    pub(super) unknown: Vec<String>,
    /// The errors, in the order of the file.
    pub(super) wrong: Vec<SettingsError>,
}

/// A sentence about a line of the file.
type Line = (usize, String);

/// Reads the custom defaults. Each error and each notice names the variable, the file and the line.
pub(super) fn read(file: &Path) -> CustomDefaults {
    let place = format!("{PLACE}{VARIABLE}: {}", file.display());
    let refused = |problem: String| {
        let wrong = vec![SettingsError::Unusable(format!("{place}{problem}"))];
        CustomDefaults { wrong, ..CustomDefaults::default() }
    };
    let text = match document(file) {
        Ok(text) => text,
        Err(cause) => return refused(format!(": {cause}")),
    };
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    if holds_nul(text.as_bytes()) {
        return refused(": it has the character NUL".to_owned());
    }
    // The parser's own message is left out, because it can quote a secret.
    let parsed = match serde_json::from_str::<Parsed>(text) {
        Ok(parsed) => parsed.document(),
        Err(cause) => {
            return refused(format!(":{}:{}: the file is not a JSON object", cause.line(), cause.column()));
        }
    };
    let Some((document, repeated)) = parsed else { return refused(":1: the file is not a JSON object".to_owned()) };
    let (document, doubled) = spelled_anyway(document);
    let mut wrong: Vec<Line> = repeated.iter().chain(&doubled).map(|key| given_twice(text, key)).collect();
    let mut unknown: Vec<Line> = Vec::new();
    for problem in explained_problems(&document) {
        let line = line_of(text, &problem.pointer).unwrap_or(1);
        let path = problem.path();
        match problem.kind {
            ProblemKind::WrongType(is_wrong) => wrong.push((line, format!("{path} {is_wrong}"))),
            ProblemKind::Unknown { nearest } => {
                let hint = nearest.map(|known| format!("; the nearest known name is {known}")).unwrap_or_default();
                unknown.push((line, format!("{path} is not a setting and has no effect{hint}")));
            }
        }
    }
    let placed = |mut lines: Vec<Line>| {
        lines.sort();
        lines.into_iter().map(|(line, sentence)| format!("{place}:{line}: {sentence}")).collect::<Vec<String>>()
    };
    let document = if wrong.is_empty() { without_extras(&document) } else { Document::new() };
    let wrong = placed(wrong).into_iter().map(SettingsError::Unusable).collect();
    CustomDefaults { document, unknown: placed(unknown), wrong }
}

/// Returns the place of a setting in the file, for errors.
pub(crate) fn place_of(file: &str, path: &str) -> String {
    let text = document(Path::new(file)).unwrap_or_default();
    let line = line_of(&text, &format!("/{}", path.replace('.', "/")));
    let line = line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{PLACE}{VARIABLE}: {file}{line}")
}

/// Returns the line and the error of a key that the file gives twice.
fn given_twice(text: &str, DoubledKey { pointer, counts, other }: &DoubledKey) -> Line {
    let path = pointer.trim_start_matches('/').replace('/', ".");
    let above = pointer.rsplit_once('/').map(|(above, _)| above).unwrap_or_default();
    let line = line_of(text, &format!("{above}/{other}")).unwrap_or(1);
    (
        line,
        if counts == other {
            format!("{path} is given twice")
        } else {
            format!("{path} is given twice, as {counts} and as {other}")
        },
    )
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
        let text = "{\"TeamSettings\": {\n\"SiteName\": 7,\n\"MaxUsersPerTeam\": \"many\"}}";
        let wrong = loaded(Some(text), "").unwrap_err();
        let lines: Vec<&str> = wrong.lines().collect();
        let name = "custom.json:2: TeamSettings.SiteName must be a string, found a whole number: 7";
        assert!(lines[0].ends_with(name), "{wrong}");
        let number = "custom.json:3: TeamSettings.MaxUsersPerTeam must be a whole number, found a string: \"many\"";
        assert!(lines[1].ends_with(number), "{wrong}");
        let secret = loaded(Some("{\"EmailSettings\": {\"SMTPPassword\": 987654321}}"), "").unwrap_err();
        assert!(secret.ends_with("EmailSettings.SMTPPassword must be a string, found a whole number"), "{secret}");
        let nul = loaded(Some("{\"TeamSettings\": {\"SiteName\": \"\\u0000\"}}"), "").unwrap_err();
        assert!(nul.ends_with("custom.json: it has the character NUL"), "{nul}");
    }

    #[test]
    fn unknown_keys_are_named_with_their_lines_and_near_names_only() {
        let text = "{\n\"TeamSettings\": {\n\"SiteNam\": \"x\",\n\"Quux\": 1},\n\"Own\": {}}";
        let settings = loaded(Some(text), "").unwrap();
        let endings = [
            "custom.json:3: TeamSettings.SiteNam is not a setting and has no effect; the nearest known name is \
             TeamSettings.SiteName",
            "custom.json:4: TeamSettings.Quux is not a setting and has no effect",
            "custom.json:5: Own is not a setting and has no effect",
        ];
        assert_eq!(settings.unknown.len(), endings.len(), "{:?}", settings.unknown);
        for (notice, ending) in settings.unknown.iter().zip(endings) {
            assert!(notice.starts_with("environment variable MM_CUSTOM_DEFAULTS_PATH: /"), "{notice}");
            assert!(notice.ends_with(ending), "{notice}");
        }
        assert!(!settings.config.document.contains_key("Own"));
    }

    #[test]
    fn a_key_that_is_given_twice_is_refused_with_its_line_and_with_every_other_error() {
        let text = "{\"TeamSettings\": {\"SiteName\": \"x\",\n\"sitename\": \"y\",\n\"MaxUsersPerTeam\": 1,\n\
                    \"MaxUsersPerTeam\": 2}}";
        let refused = loaded(Some(text), "[TeamSettings]\nEnableOpenServer = 7\n").unwrap_err();
        let lines: Vec<&str> = refused.lines().collect();
        let endings = [
            "config.toml:2: TeamSettings.EnableOpenServer must be true or false, found a number: 7",
            "custom.json:2: TeamSettings.SiteName is given twice, as SiteName and as sitename",
            "custom.json:4: TeamSettings.MaxUsersPerTeam is given twice",
        ];
        assert_eq!(lines.len(), endings.len(), "{refused}");
        assert!(lines.iter().zip(endings).all(|(line, ending)| line.ends_with(ending)), "{refused}");
    }
}
