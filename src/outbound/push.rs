//! Push notifications to mobile devices, through the push proxy in the configuration.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use quarterdeck_actors::config::view::{EmailSettings, View};
use quarterdeck_actors::license::document::License;
use quarterdeck_actors::shared_pool::{NoPermit, SharedPool};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;
use utoipa::ToSchema;

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

/// The hosts of Mattermost's own push servers.
const HOSTED: [&str; 6] = [
    "push.mattermost.com",
    "hpns-de.mattermost.com",
    "global.push.mattermost.com",
    "us.push.mattermost.com",
    "eu.push.mattermost.com",
    "ap.push.mattermost.com",
];

/// The format of all notifications but tests, and that of tests.
const MESSAGE_VERSION: &str = "v2";
const TEST_VERSION: &str = "2";

/// A notification, with the field names of the push proxy. Every field is sent, also an empty one.
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
    /// The number of unread messages that the application shows.
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
    /// A JWT over the ids of the notification and the device, made with the key of the installation.
    pub(crate) signature: String,
}

impl Notification {
    /// Creates a notification of the installation `server_id` for `device`, which has the form `platform:id`, as in
    /// sessions.
    pub(crate) fn new(kind: &str, server_id: &str, device: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            version: MESSAGE_VERSION.to_owned(),
            server_id: server_id.to_owned(),
            ..Self::default()
        }
        .for_device(device)
    }

    /// Returns the notification for another device.
    pub(crate) fn for_device(self, device: &str) -> Self {
        let (platform, device_id) = device.split_once(':').unwrap_or(("", device));
        Self { platform: platform.to_owned(), device_id: device_id.to_owned(), ..self }
    }
}

/// Returns true if push notifications are on, and their server serves this installation. Mattermost's own servers serve
/// installations whose licence grants it.
pub(crate) fn is_available(email: &EmailSettings, license: Option<&License>) -> bool {
    let is_granted = || license.is_some_and(|license| license.features.has("mhpns"));
    email.send_push_notifications && (!is_hosted(&email.push_notification_server) || is_granted())
}

/// Returns true for Mattermost's own push servers.
fn is_hosted(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', ':']).next().unwrap_or_default();
    HOSTED.contains(&host)
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

    /// Tests whether the installation `server_id` reaches `device`: returns `true`, `false` or `unknown`.
    pub(crate) async fn test(&self, server_id: &str, device: &str, view: &View) -> &'static str {
        let Ok(_turn) = self.tests.try_acquire() else {
            return "unknown";
        };
        let message = Notification {
            badge: -1,
            version: TEST_VERSION.to_owned(),
            ..Notification::new("test", server_id, device)
        };
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
        let answer = self.post("send_push", notification, view).await?;
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
    use quarterdeck_actors::config::Config;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_device_is_split_at_its_first_colon_and_every_field_is_sent() {
        let message = Notification { badge: -1, ..Notification::new("message", "server", "android_rn:a:b") };
        let expected = json!({
            "ack_id": "", "platform": "android_rn", "server_id": "server", "device_id": "a:b", "post_id": "",
            "category": "", "sound": "", "message": "", "badge": -1, "cont_ava": 0, "team_id": "", "channel_id": "",
            "root_id": "", "channel_name": "", "type": "message", "sub_type": "", "sender_id": "", "sender_name": "",
            "override_username": "", "override_icon_url": "", "from_webhook": "", "version": "v2",
            "is_crt_enabled": false, "is_id_loaded": false, "signature": "",
        });
        assert_eq!(serde_json::to_value(&message).unwrap(), expected);
        assert_eq!(Notification::new("test", "", "alone").device_id, "alone");
    }

    #[test]
    fn servers_of_mattermost_need_a_licence_that_grants_them() {
        let email = |server: &str| {
            let settings = [("SendPushNotifications", json!(true)), ("PushNotificationServer", json!(server))];
            let settings = settings.map(|(key, value)| (format!("EmailSettings.{key}"), value));
            Config::from_overrides(settings).unwrap().view.email.clone()
        };
        let license = |features: serde_json::Value| {
            let document = json!({ "id": "a", "customer": { "id": "b" }, "features": features });
            License::read(document.to_string().as_bytes()).unwrap()
        };
        let (granted, other) = (license(json!({ "users": 1 })), license(json!({ "users": 1, "mhpns": false })));
        let hosted = email("https://us.push.mattermost.com/");
        let answers = [None, Some(&other), Some(&granted)].map(|license| is_available(&hosted, license));
        assert_eq!(answers, [false, false, true]);
        assert!(is_available(&email("https://push.example"), None));
        let off = EmailSettings { send_push_notifications: false, ..hosted };
        assert!(!is_available(&off, Some(&granted)));
        for url in
            ["https://push.mattermost.com", "https://us.push.mattermost.com/", "http://hpns-de.mattermost.com:80"]
        {
            assert!(is_hosted(url), "{url}");
        }
        for url in ["", "https://push-test.mattermost.com", "https://push.mattermost.com.example", "http://127.0.0.1"] {
            assert!(!is_hosted(url), "{url}");
        }
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
