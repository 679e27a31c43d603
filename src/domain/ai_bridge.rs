//! The stand-in for an AI service that end-to-end tests set up: what it is to answer, and what it was asked.
//!
//! Nothing of this server asks an AI service, so it only keeps what it is told. It lives in memory: a restart empties it.

use std::collections::BTreeMap;
use std::ops::Not;
use std::sync::{Mutex, PoisonError};

use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};

/// The status that goes with an error which names none.
const FAILED: i64 = 500;

/// Whether the service says that it is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Status {
    #[serde(default)]
    available: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
}

/// An agent, with its keys as clients of the service have them.
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

/// One answer: a text, or an error with its status.
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

/// Feature flags that hold for the test.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flags {
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_ai_plugin_bridge: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_ai_recaps: Option<bool>,
}

/// What the stand-in is to answer.
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

/// The script, with what the stand-in was asked since it was given.
#[derive(Debug, Serialize)]
pub(crate) struct State {
    #[serde(flatten)]
    script: Script,
    /// Stays empty: nobody asks.
    recorded_requests: [(); 0],
}

/// The stand-in.
#[derive(Debug, Default)]
pub(crate) struct AiBridge {
    script: Mutex<Script>,
}

impl AiBridge {
    /// Puts a script in the place of the one before.
    pub(crate) fn follow(&self, script: Script) -> Result<(), AppError> {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script.completed()?;
        Ok(())
    }

    /// Forgets the script.
    pub(crate) fn reset(&self) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Script::default();
    }

    /// What it is to answer, and what it was asked.
    pub(crate) fn state(&self) -> State {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        State { script, recorded_requests: [] }
    }
}

impl Script {
    /// Refuses what could not be answered, and gives errors a status.
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
