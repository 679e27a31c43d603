//! Passwords: hashing on background threads, a few at a time and with fair turns for callers; the policy for new ones.

mod hash;
mod queue;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use quarterdeck_actors::config::view::PasswordSettings;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;

use crate::domain::caller::Caller;
use crate::settings::options::Options;
use hash::hashes_of;
pub(crate) use hash::{PasswordMatch, hash_of_random};
use queue::Queue;
pub(crate) use queue::{Permit, Turn, is_full};
use schedule::Limits;

/// The longest password, in bytes. Longer ones are refused, because bcrypt would silently truncate them.
const MAX_PASSWORD_BYTES: usize = 72;

/// The time assumed for the database statements of a login. Longer ones could show in the response time of a refusal.
const STATEMENTS: Duration = Duration::from_millis(20);

/// Computes hashes, on all cores but one, so that other requests still get responses.
#[derive(Clone)]
pub(crate) struct Passwords {
    queue: Arc<Queue>,
}

impl Passwords {
    pub(crate) fn new(options: &Options) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (total, per_caller) = (options.password_queue, options.password_queue_per_caller);
        Self { queue: Arc::new(Queue::new(Limits { at_once: cores.saturating_sub(1).max(1), per_caller, total })) }
    }

    /// Takes a permit of the queue, before anything that waits. Returns an error at once if the queue is full.
    ///
    /// `name` is the account as the caller names it, whether it exists or not. The names of a caller take turns, and
    /// attempts at one name run one after the other.
    pub(crate) fn enter(&self, caller: &Caller, name: &str) -> Result<Permit, AppError> {
        self.queue.enter(caller, name)
    }

    /// Remembers that the caller proved that it owns the account of that name, so that its next logins wait less.
    pub(crate) fn remember(&self, caller: &Caller, name: &str) {
        self.queue.remember(caller, name);
    }

    /// Returns the number of requests that hash a password or wait for their turn.
    pub(crate) fn queued(&self) -> usize {
        self.queue.places()
    }

    /// Returns the hash of `password` to store. The work stops when the caller disconnects.
    pub(crate) async fn hash(&self, caller: &Caller, name: &str, password: Secret) -> Result<Secret, AppError> {
        let permit = self.enter(caller, name)?;
        caller.while_waiting(async { permit.turn().await?.hash(password).await }).await
    }

    /// Returns the expected time of a login with a wrong `password`: its hashes and statements, and a margin.
    pub(crate) fn refusal_time(&self, password: &Secret) -> Duration {
        let hashes = self.queue.hash_time() * hashes_of(password);
        hashes + hashes / 2 + STATEMENTS
    }
}

/// Refuses a password that violates the policy of the settings. The error id names all violated rules.
pub(crate) fn check_policy(password: &str, policy: &PasswordSettings) -> Result<(), AppError> {
    let rules = [
        (policy.lowercase, "_lowercase", password.bytes().any(|byte| byte.is_ascii_lowercase())),
        (policy.uppercase, "_uppercase", password.bytes().any(|byte| byte.is_ascii_uppercase())),
        (policy.number, "_number", password.bytes().any(|byte| byte.is_ascii_digit())),
        (policy.symbol, "_symbol", password.bytes().any(|byte| byte == b' ' || byte.is_ascii_punctuation())),
    ];
    let broken: String = if password.len() < policy.minimum_length {
        "_min_length".to_owned()
    } else if password.len() > MAX_PASSWORD_BYTES {
        "_max_length".to_owned()
    } else {
        rules.iter().filter(|(is_on, _, is_met)| *is_on && !is_met).map(|(_, name, _)| *name).collect()
    };
    if broken.is_empty() {
        return Ok(());
    }
    let refusal = AppError::new(format!("model.user.is_valid.pwd{broken}.app_error"));
    Err(refusal.with("Min", policy.minimum_length.to_string()).with("Max", MAX_PASSWORD_BYTES.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_every_broken_rule_in_order() {
        let policy =
            PasswordSettings { minimum_length: 5, lowercase: true, uppercase: true, number: true, symbol: true };
        let id = |password: &str| check_policy(password, &policy).map_err(|error| error.id.into_owned());
        assert_eq!(id("abc").unwrap_err(), "model.user.is_valid.pwd_min_length.app_error");
        assert_eq!(id(&"a".repeat(73)).unwrap_err(), "model.user.is_valid.pwd_max_length.app_error");
        assert_eq!(id("aaaaa").unwrap_err(), "model.user.is_valid.pwd_uppercase_number_symbol.app_error");
        assert_eq!(id("aB3-x"), Ok(()));
    }
}
