//! What a test of a store finds: each step with its duration, and which one failed and why.

use std::fmt;

use serde::Serialize;

/// One thing that is tried, in the order in which it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The settings make sense.
    Settings,
    /// The host's name has an address.
    Resolve,
    /// A connection can be opened.
    Connect,
    /// The other side proves who it is.
    Tls,
    /// The credentials are accepted.
    Authenticate,
    /// The bucket, the container or the directory exists.
    Bucket,
    /// What is under the prefix can be listed.
    List,
    /// An object can be written.
    Write,
    /// It can be read back.
    Read,
    /// What was read is what was written.
    Compare,
    /// It can be deleted.
    Delete,
}

impl Step {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Authenticate => "authenticate",
            Self::Bucket => "bucket",
            Self::List => "list",
            Self::Write => "write",
            Self::Read => "read",
            Self::Compare => "compare",
            Self::Delete => "delete",
        }
    }
}

/// How one step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It worked.
    Passed,
    /// It did not; the report's trouble says why.
    Failed,
    /// An earlier step failed, or the backend has no such step.
    Skipped,
}

/// One step with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// What was tried.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// What kind of trouble it is: clients are told by the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No backend can be made from the settings.
    Unusable,
    /// The credentials are not accepted, or not allowed to do what the server does.
    Authentication,
    /// There is no such bucket, container or directory.
    Missing,
    /// Anything else.
    Other,
}

/// Why a step failed. None of it holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The step that failed.
    pub step: Step,
    /// What kind of trouble it is.
    pub kind: Kind,
    /// The provider's own code, such as `NoSuchBucket` or `ENOSPC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What happened, in plain words.
    pub cause: String,
    /// What to do about it, in plain words.
    pub remedy: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.step.name(), self.cause)?;
        match &self.code {
            Some(code) => write!(formatter, " ({code})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Trouble {}

/// The outcome of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The driver, such as `amazons3`.
    pub driver: String,
    /// What was tested, without secrets, such as `https://s3.amazonaws.com/bucket/prefix`.
    pub target: String,
    /// On whose behalf, without secrets, such as `access key AKIA…` or `the server's own user`.
    pub identity: String,
    /// The changes that were made to the settings before use, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Every step, in order.
    pub stages: Vec<Stage>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl Report {
    /// Whether every step passed.
    pub fn is_ok(&self) -> bool {
        self.trouble.is_none()
    }

    /// The report on settings that no backend can be made from.
    pub fn unusable(driver: &str, trouble: Trouble) -> Self {
        let stages = vec![Stage { step: trouble.step, outcome: Outcome::Failed, duration_ms: 0 }];
        let (target, identity) = (String::new(), String::new());
        Self { driver: driver.to_owned(), target, identity, note: None, stages, trouble: Some(trouble), duration_ms: 0 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_is_called_the_same_everywhere() {
        for step in [Step::Settings, Step::Resolve, Step::Tls, Step::Bucket, Step::Delete] {
            assert_eq!(json!(step), step.name());
        }
    }
}
