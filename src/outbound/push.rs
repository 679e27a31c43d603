//! Push notifications to mobile devices, by way of the push proxy that the configuration names.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use quarterdeck_actors::config::view::View;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;

use crate::outbound::client::permits::{Exhausted, SharedPool};
use crate::outbound::client::{Call, CallFailure, Chosen, Outbound};

/// How long one message may take, the wait for its turn included.
const DEADLINE: Duration = Duration::from_secs(10);

/// As many messages are under way at once, and as many for one user; others wait.
const MESSAGES: usize = 32;
const USER_SHARE: usize = 4;

/// As many messages for one user are under way or wait; others are not sent.
const MAX_PER_USER: usize = 64;

/// Anybody may ask for a test: so many run at once, and nobody waits.
const TESTS: usize = 8;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024;

/// What a device is to be told, in the names of the push proxy. What is empty is not sent.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Notification {
    /// By which the device acknowledges it.
    pub(crate) ack_id: String,
    /// The part of a session's device before its first colon.
    pub(crate) platform: String,
    pub(crate) server_id: String,
    /// The part of a session's device behind its first colon.
    pub(crate) device_id: String,
    pub(crate) post_id: String,
    pub(crate) category: String,
    pub(crate) sound: String,
    pub(crate) message: String,
    /// How many unread messages the application shows; 0 is not sent.
    pub(crate) badge: i64,
    /// 1 wakes the application in the background.
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
    /// Whether the device fetches the text by the id of the post.
    pub(crate) is_id_loaded: bool,
    pub(crate) signature: String,
}

impl Notification {
    /// One of the kind `kind` for `device`, which is `platform:id`, as sessions hold it.
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

/// Mattermost's own push servers serve licensed servers only.
pub(crate) fn is_hosted(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
    matches!(
        host,
        "push.mattermost.com" | "global.push.mattermost.com" | "eu.push.mattermost.com" | "ap.push.mattermost.com"
    )
}

/// What a device says about a notification that it received.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ack {
    id: String,
    /// Unix milliseconds.
    received_at: i64,
    pub(crate) platform: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) post_id: String,
    pub(crate) is_id_loaded: bool,
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The proxy took it.
    Sent,
    /// There is no such device any more.
    Gone,
    /// The proxy could not be asked, or could not do it.
    Failed,
}

#[derive(Deserialize)]
struct Verdict {
    status: String,
}

/// The push proxy, wherever the configuration says that it is.
pub(crate) struct PushProxy {
    outbound: Arc<Outbound>,
    messages: SharedPool,
    tests: Semaphore,
}

impl PushProxy {
    pub(crate) fn new(outbound: Arc<Outbound>) -> Self {
        Self { outbound, messages: SharedPool::new(MESSAGES, USER_SHARE, MAX_PER_USER), tests: Semaphore::new(TESTS) }
    }

    /// Sends a notification for a user; what fails is logged and fails nothing else. Waits for the proxy, for up to 10 s.
    pub(crate) async fn send(&self, notification: &Notification, user_id: &str, view: &View) -> Delivery {
        let sending = async {
            let _permit = self.messages.permit(user_id).await.map_err(|Exhausted| CallFailure::Busy)?;
            self.deliver(notification, view).await
        };
        Self::outcome(notification, timeout(DEADLINE, sending).await.unwrap_or(Err(CallFailure::Late(DEADLINE))))
    }

    fn outcome(notification: &Notification, delivery: Result<Delivery, CallFailure>) -> Delivery {
        delivery.unwrap_or_else(|cause| {
            warn!(push.kind = notification.kind, error = %cause, "a push notification was not sent");
            Delivery::Failed
        })
    }

    /// Asks whether `device` can be reached: `true`, `false` or `unknown`.
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

    /// Passes on that a device of a user received a notification.
    pub(crate) async fn acknowledge(&self, ack: &Ack, user_id: &str, view: &View) -> Result<(), CallFailure> {
        let posting = async {
            let _permit = self.messages.permit(user_id).await.map_err(|Exhausted| CallFailure::Busy)?;
            self.post("ack", ack, view).await.map(drop)
        };
        timeout(DEADLINE, posting).await.unwrap_or(Err(CallFailure::Late(DEADLINE)))
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
        let call = Call { largest_answer: LARGEST_ANSWER, deadline: DEADLINE, ..call };
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
