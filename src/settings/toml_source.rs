//! Places in a file in TOML, for errors.

use quarterdeck_actors::config::table::settings;

use super::SettingsError;
use super::options::Options;

/// A file in TOML.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// Returns the file and the line at an offset in bytes.
    pub(super) fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.name, line_of(self.text, offset))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// Returns the error of a text that is no TOML. It names the setting of the line and shows no text.
pub(super) fn syntax_error(name: &str, text: &str, error: &toml::de::Error) -> SettingsError {
    let offset = error.span().map_or(0, |span| span.start);
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let words = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let name_of_line = words.split('=').next().unwrap_or_default().trim();
    let mut known = settings().keys().cloned().chain(Options::names());
    let is_meant = |path: &String| path.split_once('.').is_some_and(|(_, known)| known == name_of_line);
    let key = known.find(is_meant).map(|_| name_of_line.to_owned());
    let file = name.to_owned();
    SettingsError::Syntax { file, line: line_of(text, offset), column, key, problem: error.message().to_owned() }
}
