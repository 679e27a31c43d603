//! An administrator who logs in during the attack.

use std::time::Duration;

use hdrhistogram::Histogram;
use reqwest::Client;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::Failure;
use crate::account::{self, url};
use crate::load::histogram;

/// The time between two logins.
const LOGIN_INTERVAL: Duration = Duration::from_millis(500);

/// The timeout of a login. A failed login counts with this duration.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The administrator's address, which no attacker uses.
const ADDRESS: &str = "198.51.100.7";

/// The logins of an administrator, one after another.
pub(super) struct Logins(JoinHandle<Result<Histogram<u64>, String>>);

impl Logins {
    pub(super) fn start(address: String, until: Instant) -> Self {
        Self(tokio::spawn(log_in_until(address, until)))
    }

    /// Waits for the end and returns the durations of the logins, in microseconds.
    pub(super) async fn end(self) -> Result<Histogram<u64>, Failure> {
        Ok(self.0.await??)
    }
}

async fn log_in_until(address: String, until: Instant) -> Result<Histogram<u64>, String> {
    let mut took = histogram().map_err(|cause| cause.to_string())?;
    while Instant::now() < until {
        let started = Instant::now();
        let is_in = timeout(LOGIN_TIMEOUT, log_in(&address)).await.is_ok_and(|status| status == Some(200));
        let micros = if is_in { started.elapsed().as_micros() } else { LOGIN_TIMEOUT.as_micros() };
        took.saturating_record(u64::try_from(micros).unwrap_or(u64::MAX));
        sleep(LOGIN_INTERVAL).await;
    }
    Ok(took)
}

async fn log_in(address: &str) -> Option<u16> {
    let login = json!({ "login_id": account::NAME, "password": account::PASSWORD });
    let request = Client::new().post(url(address, "/users/login")).header("X-Forwarded-For", ADDRESS).json(&login);
    Some(request.send().await.ok()?.status().as_u16())
}
