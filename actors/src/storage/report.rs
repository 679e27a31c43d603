//! The report of a test of a store: each step with its duration, and the failed step with its cause.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A step of a test. The order of the variants is the order of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StorageFailure)]
pub struct StepFailure {
    /// The step that failed.
    pub step: Step,
    /// The kind of the failure.
    pub kind: Kind,
    /// The provider's own code, such as `NoSuchBucket` or `ENOSPC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StorageReport)]
pub struct Report {
    /// The driver, such as `amazons3`.
    pub driver: String,
    /// The target of the test, without secrets, such as `https://s3.amazonaws.com/bucket/prefix`.
    pub target: String,
    /// The identity that the test used, without secrets, such as `access key AKIA…` or `the server's own user`.
    pub identity: String,
    /// The changes that were made to the settings before use, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
    /// Every step, in order.
    pub stages: Vec<Stage>,
    /// The failure, if a step failed, here or on another server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "trouble")]
    #[schema(nullable = false)]
    pub failure: Option<StepFailure>,
    /// The duration in milliseconds.
    pub duration_ms: u64,
    /// The results on the other servers of the database, if there are some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub nodes: Vec<NodeReport>,
}

/// The result of a test on one of the other servers of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StorageReportOfServer)]
pub struct NodeReport {
    /// The name of the server, as `cluster/status` has it.
    pub node: String,
    /// The result.
    pub outcome: NodeOutcome,
    /// The reason why it was not tested there: `unsaved` (only saved settings are tested on other servers), `version` (the
    /// server has another version of the configuration), or that of `X-Logs-Missing` of `logs/query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// Every step, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub stages: Vec<Stage>,
    /// The failure, if a step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "trouble")]
    #[schema(nullable = false)]
    pub failure: Option<StepFailure>,
}

/// The result of a test on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StorageOutcomeOfServer)]
pub enum NodeOutcome {
    /// Every step passed.
    Passed,
    /// A step failed.
    Failed,
    /// The server did not test.
    NotTested,
}

impl NodeOutcome {
    /// Returns the name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotTested => "not_tested",
        }
    }
}

impl NodeReport {
    /// Returns the result of a server that tested.
    pub fn of(node: String, stages: Vec<Stage>, failure: Option<StepFailure>) -> Self {
        let outcome = if failure.is_none() { NodeOutcome::Passed } else { NodeOutcome::Failed };
        Self { node, outcome, reason: None, stages, failure }
    }

    /// Returns the result of a server that did not test.
    pub fn untested(node: String, reason: &str) -> Self {
        let reason = Some(reason.to_owned());
        Self { node, outcome: NodeOutcome::NotTested, reason, stages: Vec::new(), failure: None }
    }
}

impl Report {
    /// Returns true if no step failed.
    pub fn is_ok(&self) -> bool {
        self.failure.is_none()
    }

    /// Returns the report of the server `own` with the results on the other servers. Its failure is the first one, which
    /// names its server.
    #[must_use]
    pub fn with_nodes(&self, own: &str, nodes: Vec<NodeReport>) -> Self {
        if nodes.is_empty() {
            return self.clone();
        }
        let here = self.failure.as_ref().map(|failure| (own, failure));
        let there = nodes.iter().filter_map(|node| Some((node.node.as_str(), node.failure.as_ref()?)));
        let mut failures = here.into_iter().chain(there);
        let failure = failures.next().map(|(node, failure)| {
            let also: Vec<String> =
                failures.map(|(node, failure)| format!("{node} ({})", failure.step.name())).collect();
            let also = if also.is_empty() { String::new() } else { format!(" It also failed on {}.", also.join(", ")) };
            StepFailure {
                cause: format!("on the server {node}: {}", failure.cause),
                remedy: format!("{}{also}", failure.remedy),
                ..failure.clone()
            }
        });
        Self { failure, nodes, ..self.clone() }
    }

    /// Returns the report for settings from which no backend can be made.
    pub fn unusable(driver: &str, failure: StepFailure) -> Self {
        let stages = vec![Stage { step: failure.step, outcome: Outcome::Failed, duration_ms: 0 }];
        let (target, identity) = (String::new(), String::new());
        Self {
            driver: driver.to_owned(),
            target,
            identity,
            note: None,
            stages,
            failure: Some(failure),
            duration_ms: 0,
            nodes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_names_its_server_and_the_others_that_failed() {
        let failure = |step, cause: &str| StepFailure {
            step,
            kind: Kind::Other,
            code: None,
            cause: cause.to_owned(),
            remedy: "Look.".to_owned(),
        };
        let failed = Report::unusable("local", failure(Step::Write, "full"));
        let passed = Report { failure: None, ..failed.clone() };
        let node = |name: &str, report: &Report| {
            NodeReport::of(name.to_owned(), report.stages.clone(), report.failure.clone())
        };
        assert_eq!(failed.with_nodes("a", Vec::new()), failed, "a server alone has no name");
        let all = passed.with_nodes("a", vec![node("b", &passed), NodeReport::untested("c".to_owned(), "silent")]);
        assert!(all.is_ok() && all.nodes.len() == 2);
        let others = vec![node("b", &passed), node("c", &failed), node("d", &failed)];
        for (own, cause, remedy) in [
            (&passed, "on the server c: full", "Look. It also failed on d (write)."),
            (&failed, "on the server a: full", "Look. It also failed on c (write), d (write)."),
        ] {
            let found = own.with_nodes("a", others.clone()).failure.unwrap();
            assert_eq!((found.cause.as_str(), found.remedy.as_str()), (cause, remedy));
        }
    }

    #[test]
    fn a_step_is_called_the_same_everywhere() {
        for step in [Step::Settings, Step::Resolve, Step::Tls, Step::Bucket, Step::Delete] {
            assert_eq!(json!(step), step.name());
        }
    }
}
