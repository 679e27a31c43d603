//! Calls to other servers on somebody's behalf.

use std::time::Duration;

use quarterdeck_actors::error::{AppError, OrFail};
use serde_json::json;
use tokio::sync::Semaphore;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Anybody may ask for a push test: so many run at once, and nobody waits.
const PUSH_TESTS: usize = 8;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024;

/// The one HTTP client, with its limits.
pub(crate) struct Outbound {
    client: reqwest::Client,
    push_tests: Semaphore,
}

impl Outbound {
    pub(crate) fn new() -> Result<Self, AppError> {
        let client = reqwest::Client::builder().timeout(DEADLINE).redirect(reqwest::redirect::Policy::none()).build();
        Ok(Self { client: client.or_fail("app.outbound.client.app_error")?, push_tests: Semaphore::new(PUSH_TESTS) })
    }

    /// Asks the push proxy whether it can reach `device`: `true`, `false` or `unknown`.
    pub(crate) async fn test_push(&self, server: &str, device: &str) -> &'static str {
        let Ok(_turn) = self.push_tests.try_acquire() else {
            return "unknown";
        };
        let (platform, device_id) = device.split_once(':').unwrap_or(("", device));
        let message = json!({
            "type": "test",
            "version": "2",
            "badge": -1,
            "platform": platform,
            "device_id": device_id,
        });
        let url = format!("{}/api/v1/send_push", server.trim_end_matches('/'));
        match self.push_status(&url, &message).await.as_deref() {
            Some("REMOVE") => "false",
            Some("FAIL") | None => "unknown",
            Some(_) => "true",
        }
    }

    async fn push_status(&self, url: &str, message: &serde_json::Value) -> Option<String> {
        let mut answer = self.client.post(url).json(message).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_ANSWER {
                return None;
            }
        }
        let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
        Some(body.get("status")?.as_str()?.to_owned())
    }
}
