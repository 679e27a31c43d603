//! The report of a test of a store: each step with its duration, and the failed step with its cause.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// A step of a test. The order of the variants is the order of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StorageStep)]
pub enum Step {
    /// The settings are valid.
    Settings,
    /// The host's name has an address.
    Resolve,
    /// A connection can be opened.
    Connect,
    /// The server's certificate is valid.
    Tls,
    /// The credentials are accepted.
    Authenticate,
    /// The bucket, the container or the directory exists.
    Bucket,
    /// The objects under the prefix can be listed.
    List,
    /// An object can be written.
    Write,
    /// It can be read back.
    Read,
    /// The data that was read equals the data that was written.
    Compare,
    /// It can be deleted.
    Delete,
}

impl Step {
    /// Returns the name in reports.
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

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StorageOutcome)]
pub enum Outcome {
    /// The step succeeded.
    Passed,
    /// The step failed; the report's `failure` has the cause.
    Failed,
    /// An earlier step failed, or the backend has no such step.
    Skipped,
}

/// A step with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StorageStage)]
pub struct Stage {
    /// The step.
    pub step: Step,
    /// The result.
    pub outcome: Outcome,
    /// The duration in milliseconds.
    pub duration_ms: u64,
}

/// The kind of a failure. It decides which message clients get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StorageFailureKind)]
pub enum Kind {
    /// No backend can be made from the settings.
    Unusable,
    /// The credentials are refused, or lack a right that the server needs.
    Authentication,
    /// The bucket, container or directory does not exist.
    Missing,
    /// Anything else.
    Other,
}

/// The failure of a step. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StorageFailure)]
pub struct StepFailure {
    /// The step that failed.
    pub step: Step,
    /// The kind of the failure.
    pub kind: Kind,
    /// The provider's own code, such as `NoSuchBucket` or `ENOSPC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// The cause, in plain words.
    pub cause: String,
    /// The remedy, in plain words.
    pub remedy: String,
}

impl fmt::Display for StepFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.step.name(), self.cause)?;
        match &self.code {
            Some(code) => write!(formatter, " ({code})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StepFailure {}

/// The report of a test of a store. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StorageReport)]
pub struct Report {
    /// The driver, such as `amazons3`.
    pub driver: String,
    /// The target of the test, without secrets, such as `https://s3.amazonaws.com/bucket/prefix`.
    pub target: String,
    /// The identity that the test used, without secrets, such as `access key AKIA…` or `the server's own user`.
    pub identity: String,
    /// The changes that were made to the settings before use, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
    /// Every step, in order.
    pub stages: Vec<Stage>,
    /// The failure, if a step failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "trouble")]
    #[schema(nullable = false)]
    pub failure: Option<StepFailure>,
    /// The duration in milliseconds.
    pub duration_ms: u64,
}

impl Report {
    /// Returns true if no step failed.
    pub fn is_ok(&self) -> bool {
        self.failure.is_none()
    }

    /// Returns the report for settings from which no backend can be made.
    pub fn unusable(driver: &str, failure: StepFailure) -> Self {
        let stages = vec![Stage { step: failure.step, outcome: Outcome::Failed, duration_ms: 0 }];
        let (target, identity) = (String::new(), String::new());
        Self { driver: driver.to_owned(), target, identity, note: None, stages, failure: Some(failure), duration_ms: 0 }
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
