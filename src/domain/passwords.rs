//! Passwords: hashed away from the async threads, a few at a time, callers in turn; and the policy for new ones.

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
pub(crate) use hash::Match;
use hash::hashes_of;
use queue::Queue;
pub(crate) use queue::{Permit, Turn, is_full};
use schedule::Limits;

/// Longer passwords are refused, in bytes: bcrypt would silently cut them.
const LONGEST: usize = 72;

/// How long the statements of a login may take before it shows.
const STATEMENTS: Duration = Duration::from_millis(20);

/// Computes hashes: on all cores but one, so that the others are answered meanwhile.
#[derive(Clone)]
pub(crate) struct Passwords {
    queue: Arc<Queue>,
}

impl Passwords {
    pub(crate) fn new(options: &Options) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (total, per_caller) = options.password_queue();
        Self { queue: Arc::new(Queue::new(Limits { at_once: cores.saturating_sub(1).max(1), per_caller, total })) }
    }

    /// A place in the queue, taken before anything that waits; without a free one, a refusal at once.
    ///
    /// `name` is the account as the caller names it. Names take turns within a caller, and two attempts at one name
    /// follow each other. Whether there is such an account makes no difference.
    pub(crate) fn enter(&self, caller: &Caller, name: &str) -> Result<Permit, AppError> {
        self.queue.enter(caller, name)
    }

    /// Keeps in mind that the caller proved that it owns the account of that name: its next logins wait less.
    pub(crate) fn remember(&self, caller: &Caller, name: &str) {
        self.queue.remember(caller, name);
    }

    /// The form in which `password` is stored, computed for as long as the caller waits.
    pub(crate) async fn hash(&self, caller: &Caller, name: &str, password: Secret) -> Result<Secret, AppError> {
        let permit = self.enter(caller, name)?;
        caller.while_waiting(async { permit.turn().await?.hash(password).await }).await
    }

    /// How long a login with a wrong `password` takes to work out, hashes and statements, with room for a busy machine.
    pub(crate) fn refusal_time(&self, password: &Secret) -> Duration {
        let hashes = self.queue.hash_time() * hashes_of(password);
        hashes + hashes / 2 + STATEMENTS
    }
}

/// Refuses a password that the settings do not allow; the id names every rule that is broken.
pub(crate) fn check_policy(password: &str, policy: &PasswordSettings) -> Result<(), AppError> {
    let rules = [
        (policy.lowercase, "_lowercase", password.bytes().any(|byte| byte.is_ascii_lowercase())),
        (policy.uppercase, "_uppercase", password.bytes().any(|byte| byte.is_ascii_uppercase())),
        (policy.number, "_number", password.bytes().any(|byte| byte.is_ascii_digit())),
        (policy.symbol, "_symbol", password.bytes().any(|byte| byte == b' ' || byte.is_ascii_punctuation())),
    ];
    let broken: String = if password.len() < policy.minimum_length {
        "_min_length".to_owned()
    } else if password.len() > LONGEST {
        "_max_length".to_owned()
    } else {
        rules.iter().filter(|(is_on, _, is_kept)| *is_on && !is_kept).map(|(_, name, _)| *name).collect()
    };
    if broken.is_empty() {
        return Ok(());
    }
    let refusal = AppError::new(format!("model.user.is_valid.pwd{broken}.app_error"));
    Err(refusal.with("Min", policy.minimum_length.to_string()).with("Max", LONGEST.to_string()))
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
