//! A stub of an AI service for end-to-end tests, which set its responses and read its requests.
//!
//! This server never calls an AI service, so the stub only stores the script. A restart clears it.

use std::collections::BTreeMap;
use std::ops::Not;
use std::sync::{Mutex, PoisonError};

use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};

/// The status of an error whose status is not given.
const FAILED: i64 = 500;

/// The availability that the service reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Status {
    #[serde(default)]
    available: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
}

/// An agent, with the keys that clients of the service use.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Agent {
    id: String,
    #[serde(rename = "displayName")]
    display_name: String,
    username: String,
    service_id: String,
    service_type: String,
    #[serde(skip_serializing_if = "Not::not")]
    is_default: bool,
}

/// A service behind agents.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Service {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// One response: a text, or an error with its status.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Completion {
    #[serde(rename = "completion", skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<i64>,
}

/// Feature flags that are set during the test.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flags {
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_ai_plugin_bridge: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_ai_recaps: Option<bool>,
}

/// The responses that the stub should give.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Script {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    agents: Vec<Agent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<Service>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    agent_completions: BTreeMap<String, Vec<Completion>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_flags: Option<Flags>,
    record_requests: bool,
}

/// The script, and the requests recorded since it was set.
#[derive(Debug, Serialize)]
pub(crate) struct State {
    #[serde(flatten)]
    script: Script,
    /// Always empty, because the server sends no requests.
    recorded_requests: [(); 0],
}

/// The stub.
#[derive(Debug, Default)]
pub(crate) struct AiBridge {
    script: Mutex<Script>,
}

impl AiBridge {
    /// Replaces the script.
    pub(crate) fn follow(&self, script: Script) -> Result<(), AppError> {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script.completed()?;
        Ok(())
    }

    /// Clears the script.
    pub(crate) fn reset(&self) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Script::default();
    }

    /// Returns the script and the recorded requests.
    pub(crate) fn state(&self) -> State {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        State { script, recorded_requests: [] }
    }
}

impl Script {
    /// Refuses an incomplete script, and sets the status of errors without one.
    fn completed(mut self) -> Result<Self, AppError> {
        for (at, agent) in self.agents.iter().enumerate() {
            require(!agent.id.is_empty(), || format!("agents[{at}] has no id"))?;
            require(!agent.username.is_empty(), || format!("agents[{at}] has no username"))?;
        }
        for (at, service) in self.services.iter().enumerate() {
            require(!service.id.is_empty(), || format!("services[{at}] has no id"))?;
            require(!service.name.is_empty(), || format!("services[{at}] has no name"))?;
        }
        for (operation, completions) in &mut self.agent_completions {
            require(!operation.is_empty(), || "agent_completions has an operation without a name".to_owned())?;
            for (at, completion) in completions.iter_mut().enumerate() {
                let is_one = completion.text.is_empty() != completion.error.is_empty();
                require(is_one, || {
                    format!("agent_completions.{operation}[{at}] must have either a completion or an error")
                })?;
                let has_status = completion.status_code.is_some_and(|status| status != 0);
                if !completion.error.is_empty() && !has_status {
                    completion.status_code = Some(FAILED);
                }
            }
        }
        Ok(self)
    }
}

fn require(is_kept: bool, rule: impl FnOnce() -> String) -> Result<(), AppError> {
    if is_kept { Ok(()) } else { Err(AppError::new("app.ai_bridge_test_helper.invalid_config").because(rule())) }
}
