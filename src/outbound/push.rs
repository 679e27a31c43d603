//! Push notifications to mobile devices, through the push proxy in the configuration.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use quarterdeck_actors::config::view::View;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;
use utoipa::ToSchema;

use crate::outbound::client::permits::{NoPermit, SharedPool};
use crate::outbound::client::{Call, CallFailure, Chosen, Outbound};

/// The time limit of one message, including the wait for a permit.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of simultaneous messages, and of those for one user (`MAX_AT_ONCE_PER_USER`); others wait.
const MAX_MESSAGES_AT_ONCE: usize = 32;
const MAX_AT_ONCE_PER_USER: usize = 4;

/// The maximum number of messages for one user that are being sent or wait; further ones are not sent.
const MAX_PER_USER: usize = 64;

/// The maximum number of simultaneous tests. All users can start a test, and a test does not wait for a permit.
const MAX_TESTS_AT_ONCE: usize = 8;

/// The maximum size of a response, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// A notification, with the field names of the push proxy. Empty fields are not sent.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Notification {
    /// The id with which the device acknowledges the notification.
    pub(crate) ack_id: String,
    /// The part of the session's device id before the first colon.
    pub(crate) platform: String,
    pub(crate) server_id: String,
    /// The part of the session's device id after the first colon.
    pub(crate) device_id: String,
    pub(crate) post_id: String,
    pub(crate) category: String,
    pub(crate) sound: String,
    pub(crate) message: String,
    /// The number of unread messages that the application shows; 0 is not sent.
    pub(crate) badge: i64,
    /// The value 1 wakes the application in the background.
    pub(crate) cont_ava: i64,
    pub(crate) team_id: String,
    pub(crate) channel_id: String,
    pub(crate) root_id: String,
    pub(crate) channel_name: String,
    /// `message`, `clear`, `update_badge`, `session` or `test`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) sub_type: String,
    pub(crate) sender_id: String,
    pub(crate) sender_name: String,
    pub(crate) override_username: String,
    pub(crate) override_icon_url: String,
    pub(crate) from_webhook: String,
    pub(crate) version: String,
    pub(crate) is_crt_enabled: bool,
    /// True when the device fetches the text by the post's id.
    pub(crate) is_id_loaded: bool,
    pub(crate) signature: String,
}

impl Notification {
    /// Creates a notification for `device`, which has the form `platform:id`, as in sessions.
    pub(crate) fn new(kind: &str, device: &str) -> Self {
        let (platform, device_id) = device.split_once(':').unwrap_or(("", device));
        Self {
            kind: kind.to_owned(),
            version: "2".to_owned(),
            platform: platform.to_owned(),
            device_id: device_id.to_owned(),
            ..Self::default()
        }
    }

    fn body(&self) -> Result<Value, CallFailure> {
        let mut body = serde_json::to_value(self).map_err(|cause| CallFailure::Message(cause.to_string()))?;
        if let Some(members) = body.as_object_mut() {
            members.retain(|_, value| *value != "" && *value != 0 && *value != false);
        }
        Ok(body)
    }
}

/// Returns true for Mattermost's own push servers, which serve licensed servers only.
pub(crate) fn is_hosted(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
    matches!(
        host,
        "push.mattermost.com" | "global.push.mattermost.com" | "eu.push.mattermost.com" | "ap.push.mattermost.com"
    )
}

/// The acknowledgement of a notification by a device.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PushAck)]
pub(crate) struct Ack {
    /// The notification's id.
    #[serde(default)]
    #[schema(nullable)]
    id: String,
    /// The time of receipt, in Unix milliseconds.
    #[serde(default)]
    #[schema(nullable)]
    received_at: i64,
    /// `ios` or `android`.
    #[serde(default)]
    #[schema(nullable)]
    pub(crate) platform: String,
    /// `message`, `clear` and others.
    #[serde(default, rename = "type")]
    #[schema(nullable)]
    pub(crate) kind: String,
    /// The id of the post.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(nullable)]
    pub(crate) post_id: String,
    /// True if the device requests the text.
    #[serde(default)]
    #[schema(nullable)]
    pub(crate) is_id_loaded: bool,
}

/// The result of sending a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The proxy accepted it.
    Sent,
    /// The device no longer exists.
    Gone,
    /// The proxy could not be reached, or refused.
    Failed,
}

#[derive(Deserialize)]
struct Verdict {
    status: String,
}

/// The push proxy in the configuration.
pub(crate) struct PushProxy {
    outbound: Arc<Outbound>,
    messages: SharedPool,
    tests: Semaphore,
}

impl PushProxy {
    pub(crate) fn new(outbound: Arc<Outbound>) -> Self {
        Self {
            outbound,
            messages: SharedPool::new(MAX_MESSAGES_AT_ONCE, MAX_AT_ONCE_PER_USER, MAX_PER_USER),
            tests: Semaphore::new(MAX_TESTS_AT_ONCE),
        }
    }

    /// Sends a notification for a user, within 10 s. A failure is logged and returned as [`Delivery::Failed`].
    pub(crate) async fn send(&self, notification: &Notification, user_id: &str, view: &View) -> Delivery {
        let sending = async {
            let _permit = self.messages.permit(user_id).await.map_err(|NoPermit| CallFailure::Busy)?;
            self.deliver(notification, view).await
        };
        Self::outcome(
            notification,
            timeout(MESSAGE_TIMEOUT, sending).await.unwrap_or(Err(CallFailure::Late(MESSAGE_TIMEOUT))),
        )
    }

    fn outcome(notification: &Notification, delivery: Result<Delivery, CallFailure>) -> Delivery {
        delivery.unwrap_or_else(|cause| {
            warn!(push.kind = notification.kind, error = %cause, "a push notification was not sent");
            Delivery::Failed
        })
    }

    /// Tests whether `device` can be reached: returns `true`, `false` or `unknown`.
    pub(crate) async fn test(&self, device: &str, view: &View) -> &'static str {
        let Ok(_turn) = self.tests.try_acquire() else {
            return "unknown";
        };
        let message = Notification { badge: -1, ..Notification::new("test", device) };
        match Self::outcome(&message, self.deliver(&message, view).await) {
            Delivery::Sent => "true",
            Delivery::Gone => "false",
            Delivery::Failed => "unknown",
        }
    }

    /// Forwards a device's acknowledgement to the proxy.
    pub(crate) async fn acknowledge(&self, ack: &Ack, user_id: &str, view: &View) -> Result<(), CallFailure> {
        let posting = async {
            let _permit = self.messages.permit(user_id).await.map_err(|NoPermit| CallFailure::Busy)?;
            self.post("ack", ack, view).await.map(drop)
        };
        timeout(MESSAGE_TIMEOUT, posting).await.unwrap_or(Err(CallFailure::Late(MESSAGE_TIMEOUT)))
    }

    async fn deliver(&self, notification: &Notification, view: &View) -> Result<Delivery, CallFailure> {
        let answer = self.post("send_push", &notification.body()?, view).await?;
        let verdict: Verdict = serde_json::from_slice(&answer).map_err(|_| CallFailure::Answer)?;
        match verdict.status.as_str() {
            "REMOVE" => Ok(Delivery::Gone),
            "FAIL" => Err(CallFailure::Answer),
            _ => Ok(Delivery::Sent),
        }
    }

    async fn post(&self, action: &str, body: &impl Serialize, view: &View) -> Result<Bytes, CallFailure> {
        let server = view.email.push_notification_server.trim_end_matches('/');
        let call = Call::post(format!("{server}/api/v1/{action}"), Chosen::InConfiguration, body)?;
        let call = Call { largest_answer: MAX_RESPONSE_BYTES, deadline: MESSAGE_TIMEOUT, ..call };
        let answer = self.outbound.call(call, &view.service).await?;
        answer.ok().map(|answer| answer.body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_device_is_split_at_its_first_colon_and_what_is_empty_is_not_sent() {
        let message = Notification { badge: -1, ..Notification::new("message", "android_rn:a:b") };
        let expected =
            json!({ "type": "message", "version": "2", "badge": -1, "platform": "android_rn", "device_id": "a:b" });
        assert_eq!(message.body().unwrap(), expected);
        assert_eq!(Notification::new("test", "alone").body().unwrap()["device_id"], "alone");
    }

    #[test]
    fn an_ack_is_passed_on_in_the_words_of_the_protocol() {
        let text = r#"{"id":"a","received_at":5,"platform":"ios","type":"message","post_id":"p","is_id_loaded":true}"#;
        let ack: Ack = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&ack).unwrap(), text);
        let empty = r#"{"id":"","received_at":0,"platform":"","type":"","is_id_loaded":false}"#;
        assert_eq!(serde_json::to_string(&Ack::default()).unwrap(), empty);
    }
}
