//! A stub of an AI service for end-to-end tests, which set its responses and read its requests.
//!
//! This server never calls an AI service, so the stub only stores the script. A restart clears it.

use std::collections::BTreeMap;
use std::ops::Not;
use std::sync::{Mutex, PoisonError};

use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of an error whose status is not given.
const FAILED: i64 = 500;

/// The availability that the service reports.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = AIBridgeTestHelperStatus)]
struct Status {
    /// True if the service is available.
    #[serde(default)]
    available: bool,
    /// The reason if it is not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
}

/// An agent of the AI service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = BridgeAgentInfo)]
struct Agent {
    /// The agent's id.
    #[serde(default)]
    id: String,
    /// The name for display.
    #[serde(default, rename = "displayName")]
    display_name: String,
    /// The name of its bot.
    #[serde(default)]
    username: String,
    /// The id of the service behind it.
    #[serde(default)]
    service_id: String,
    /// The type of that service.
    #[serde(default)]
    service_type: String,
    /// True if it is the default agent.
    #[serde(default, skip_serializing_if = "Not::not")]
    is_default: bool,
}

/// A service behind agents.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = BridgeServiceInfo)]
struct Service {
    /// The service's id.
    #[serde(default)]
    id: String,
    /// The name.
    #[serde(default)]
    name: String,
    /// The type.
    #[serde(default, rename = "type")]
    kind: String,
}

/// One response: a text, or an error with its status.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = AIBridgeTestHelperCompletion)]
struct Completion {
    /// The text.
    #[serde(default, rename = "completion", skip_serializing_if = "String::is_empty")]
    text: String,
    /// The error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    error: String,
    /// The status of the error; 500 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status_code: Option<i64>,
}

/// Feature flags that are set during the test.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = AIBridgeTestHelperFeatureFlags)]
struct Flags {
    /// Overrides `EnableAIPluginBridge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    enable_ai_plugin_bridge: Option<bool>,
    /// Overrides `EnableAIRecaps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    enable_ai_recaps: Option<bool>,
}

/// The responses that the stand-in for the AI service should give.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = AIBridgeTestHelperConfig)]
pub(crate) struct Script {
    /// The availability that it reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<Status>,
    /// The agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    agents: Vec<Agent>,
    /// The services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    services: Vec<Service>,
    /// The responses of each operation, in order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    agent_completions: BTreeMap<String, Vec<Completion>>,
    /// The feature flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    feature_flags: Option<Flags>,
    /// True if it records requests.
    #[serde(default)]
    record_requests: bool,
}

/// The script of the stand-in, and the requests recorded since it was set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AIBridgeTestHelperState)]
pub(crate) struct State {
    #[serde(flatten)]
    script: Script,
    /// Always empty, because the server sends no requests.
    #[schema(value_type = Vec<RecordedRequest>)]
    recorded_requests: [(); 0],
}

/// A request that was recorded. This server records none, so the structure only describes the format.
#[derive(ToSchema)]
#[schema(as = AIBridgeTestHelperRecordedRequest)]
#[expect(dead_code, reason = "the server sends no requests to an AI service")]
struct RecordedRequest {
    /// The operation.
    operation: String,
    /// The operation of the client.
    #[schema(required = false)]
    client_operation: String,
    /// More about the operation.
    #[schema(required = false)]
    operation_sub_type: String,
    /// The id of the user whose session it was.
    #[schema(required = false)]
    session_user_id: String,
    /// The id of the user for whom it was sent.
    #[schema(required = false)]
    user_id: String,
    /// The channel's id.
    #[schema(required = false)]
    channel_id: String,
    /// The agent's id.
    #[schema(required = false)]
    agent_id: String,
    /// The service's id.
    #[schema(required = false)]
    service_id: String,
    /// The conversation.
    messages: Vec<RecordedMessage>,
    /// The schema that the response should follow.
    #[schema(required = false, value_type = Object)]
    json_output_format: (),
}

/// A message of a recorded conversation.
#[derive(ToSchema)]
#[schema(as = AIBridgeTestHelperMessage)]
#[expect(dead_code, reason = "the server sends no requests to an AI service")]
struct RecordedMessage {
    /// The role of the author.
    role: String,
    /// The text.
    message: String,
    /// The ids of files that belong to it.
    #[schema(required = false)]
    file_ids: Vec<String>,
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

fn require(is_met: bool, rule: impl FnOnce() -> String) -> Result<(), AppError> {
    if is_met { Ok(()) } else { Err(AppError::new("app.ai_bridge_test_helper.invalid_config").because(rule())) }
}
