//! The reasons why settings cannot be used.

use thiserror::Error;

/// The reason why the settings cannot be used. Each text names the place to correct.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{file}: {cause}")]
    Unreadable {
        /// The path of the file.
        file: String,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// The file is not valid TOML.
    ///
    /// The text at the error is not shown, because it may be a password that was written without quotes.
    #[error("{file}:{line}:{column}{}: {problem}", near(key.as_deref()))]
    Syntax {
        /// The path of the file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1, in characters.
        column: usize,
        /// The setting or option on that line, if the line begins with a known name.
        key: Option<String>,
        /// The message of the parser.
        problem: String,
    },
    /// A value has the wrong type.
    #[error("{place}: {path} must be {wanted}, found {found}")]
    Kind {
        /// The file and line, or the variable.
        place: String,
        /// The setting.
        path: String,
        /// The type that the setting takes.
        wanted: &'static str,
        /// The type of the given value, and the value if it cannot be a secret.
        found: String,
    },
    /// The settings contradict each other, or one of them is invalid.
    #[error("{0}")]
    Unusable(String),
    /// Several of these, one on a line.
    #[error("{}", lines(.0))]
    Several(Vec<SettingsError>),
}

impl SettingsError {
    /// Returns one error for all of `errors`; `None` if there are none.
    pub(super) fn all(mut errors: Vec<Self>) -> Option<Self> {
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(Self::Several(errors)),
        }
    }

    pub(super) fn unreadable(file: &str, cause: std::io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), cause }
    }
}

fn lines(errors: &[SettingsError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<String>>().join("\n")
}

fn near(key: Option<&str>) -> String {
    key.map(|key| format!(": at {key}")).unwrap_or_default()
}
