//! Decides which caller may create the first account over the network, and so become the system administrator.
//!
//! The decision is made at the start. `quarterdeck user create` and the local socket are always allowed.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;
use tracing::warn;

/// The request header with the one-time code.
pub(crate) const SETUP_CODE: &str = "X-Quarterdeck-Setup-Code";

/// The number of wrong codes in a window after which every code is refused, even the right one.
const MAX_WRONG_CODES_PER_WINDOW: usize = 3;

const WINDOW: Duration = Duration::from_mins(1);

/// The characters of a code, in lower case, without letters that look like digits. Each one carries 5 bits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The length of a code in characters: 140 bits.
const CODE_LENGTH: usize = 28;

/// The number of characters in a group of the printed code.
const GROUP_LENGTH: usize = 4;

/// The properties of a request that decide whether it may create the first account.
pub(crate) struct Claim {
    /// True if the request comes from a program on this machine, without a proxy in between.
    pub(crate) is_from_this_machine: bool,
    /// The one-time code in the request.
    pub(crate) code: Option<Secret>,
}

/// Decides which caller may create the first account over the network.
pub(crate) struct FirstAccount {
    registration: Registration,
    /// The times of wrong codes within the last window.
    wrong: Mutex<Vec<Instant>>,
}

/// The reason why the first account cannot be created over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhyOffline {
    /// The database contains the tables of a Mattermost.
    Mattermost,
    /// The configuration has this many stored versions, so the installation was used before.
    Versions(i64),
}

impl fmt::Display for WhyOffline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mattermost => formatter.write_str("the database contains tables of a Mattermost server"),
            Self::Versions(1) => formatter.write_str("a version of the configuration is stored already"),
            Self::Versions(count) => write!(formatter, "{count} versions of the configuration are stored already"),
        }
    }
}

/// The rule for the first account.
enum Registration {
    /// The database had this many accounts at the start.
    Made(i64),
    /// Only the command line and the local socket may create the first account.
    Offline(WhyOffline),
    /// A caller may create it with this code, or from this machine.
    Open(Secret),
}

impl FirstAccount {
    /// Returns the rule of a server that had accounts at the start.
    pub(crate) fn made(count: i64) -> Self {
        Self::by(Registration::Made(count))
    }

    /// Returns the rule that only the command line and the local socket may create the first account.
    pub(crate) fn offline(why: WhyOffline) -> Self {
        Self::by(Registration::Offline(why))
    }

    /// Returns the rule that callers may create the first account over the network, with a new code.
    pub(crate) fn open() -> Self {
        Self::by(Registration::Open(new_code()))
    }

    fn by(registration: Registration) -> Self {
        Self { registration, wrong: Mutex::default() }
    }

    /// Returns the code, in groups; `None` if the first account cannot be created over the network.
    pub(crate) fn code(&self) -> Option<&Secret> {
        match &self.registration {
            Registration::Open(code) => Some(code),
            Registration::Made(_) | Registration::Offline(_) => None,
        }
    }

    /// Returns why the first account cannot be created over the network; `None` if it can, or if there were accounts.
    pub(crate) fn why_offline(&self) -> Option<WhyOffline> {
        match self.registration {
            Registration::Offline(why) => Some(why),
            Registration::Made(_) | Registration::Open(_) => None,
        }
    }

    /// Returns the number of accounts at the start.
    pub(crate) fn accounts(&self) -> i64 {
        match self.registration {
            Registration::Made(count) => count,
            Registration::Offline(_) | Registration::Open(_) => 0,
        }
    }

    /// Refuses a caller who may not create the first account. Called only while there is none.
    pub(crate) fn admit(&self, claim: &Claim, now: Instant) -> Result<(), AppError> {
        let code = match &self.registration {
            Registration::Open(code) => code,
            // If all accounts of the start are gone, the next caller still must not become the administrator.
            Registration::Made(_) | Registration::Offline(_) => {
                return Err(AppError::new("api.user.create_user.first_account_offline.app_error"));
            }
        };
        if claim.is_from_this_machine {
            return Ok(());
        }
        let missing = || AppError::new("api.user.create_user.first_account_code.app_error");
        let shown = claim.code.as_ref().ok_or_else(missing)?;
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|at| now.saturating_duration_since(*at) < WINDOW);
        if wrong.len() >= MAX_WRONG_CODES_PER_WINDOW {
            return Err(AppError::new("api.user.create_user.first_account_attempts.app_error"));
        }
        if is_same(shown, code) {
            return Ok(());
        }
        wrong.push(now);
        warn!("a client sent a wrong setup code");
        Err(missing())
    }
}

/// Compares in constant time. Ignores case, hyphens and spaces, and maps letters that look like digits to these.
fn is_same(shown: &Secret, code: &Secret) -> bool {
    verify_slices_are_equal(&plain(shown), &plain(code)).is_ok()
}

fn plain(code: &Secret) -> Vec<u8> {
    let characters = code.expose().bytes().filter(|byte| !matches!(byte, b'-' | b' '));
    characters.map(|byte| as_drawn(byte.to_ascii_lowercase())).collect()
}

/// Returns the character of the alphabet that was probably meant.
fn as_drawn(byte: u8) -> u8 {
    match byte {
        b'o' => b'0',
        b'i' | b'l' => b'1',
        other => other,
    }
}

fn new_code() -> Secret {
    let drawn: [u8; CODE_LENGTH] = rand::random();
    let characters = drawn.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
    let mut code = String::new();
    for (position, character) in characters.enumerate() {
        let begins_group = position > 0 && position.is_multiple_of(GROUP_LENGTH);
        if begins_group {
            code.push('-');
        }
        code.push(char::from(*character));
    }
    Secret::new(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_code(code: &str) -> Claim {
        Claim { is_from_this_machine: false, code: Some(Secret::new(code)) }
    }

    fn unknown_caller() -> Claim {
        Claim { is_from_this_machine: false, code: None }
    }

    fn neighbour() -> Claim {
        Claim { is_from_this_machine: true, code: None }
    }

    fn refusal(first: &FirstAccount, claim: &Claim, now: Instant) -> Option<&'static str> {
        first.admit(claim, now).err().map(|refusal| match refusal.id.as_ref() {
            "api.user.create_user.first_account_code.app_error" => "code",
            "api.user.create_user.first_account_attempts.app_error" => "attempts",
            "api.user.create_user.first_account_offline.app_error" => "offline",
            _ => "another",
        })
    }

    #[test]
    fn a_code_has_140_bits_in_groups_and_is_new_each_time() {
        let (one, other) = (new_code(), new_code());
        assert_ne!(one.expose(), other.expose());
        let groups: Vec<&str> = one.expose().split('-').collect();
        assert_eq!(groups.len(), 7);
        assert!(
            groups
                .iter()
                .all(|group| group.len() == GROUP_LENGTH && group.bytes().all(|byte| ALPHABET.contains(&byte)))
        );
        let distinct: std::collections::BTreeSet<u8> = ALPHABET.iter().copied().collect();
        assert_eq!(distinct.len(), 32);
    }

    #[test]
    fn a_code_is_taken_as_people_type_it() {
        let (first, now) = (FirstAccount::open(), Instant::now());
        let code = first.code().unwrap().expose().to_owned();
        let typed = code.to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l");
        for shown in [code.clone(), code.replace('-', ""), typed] {
            assert_eq!(refusal(&first, &with_code(&shown), now), None, "{shown}");
        }
        for wrong in ["", "-", &code[1..]] {
            assert_eq!(refusal(&first, &with_code(wrong), now), Some("code"));
        }
    }

    #[test]
    fn after_three_wrong_codes_a_minute_passes_before_the_next_is_compared() {
        let (first, now) = (FirstAccount::open(), Instant::now());
        let right = with_code(first.code().unwrap().expose());
        for second in 0..3 {
            assert_eq!(refusal(&first, &with_code("wrong"), now + Duration::from_secs(second)), Some("code"));
        }
        assert_eq!(refusal(&first, &right, now + Duration::from_secs(59)), Some("attempts"));
        assert_eq!(refusal(&first, &neighbour(), now + Duration::from_secs(59)), None);
        assert_eq!(refusal(&first, &unknown_caller(), now + Duration::from_secs(59)), Some("code"));
        assert_eq!(refusal(&first, &right, now + Duration::from_mins(1)), None);
    }

    #[test]
    fn where_accounts_were_or_should_be_nobody_becomes_administrator_over_the_network() {
        let now = Instant::now();
        for first in [
            FirstAccount::made(1),
            FirstAccount::offline(WhyOffline::Mattermost),
            FirstAccount::offline(WhyOffline::Versions(2)),
        ] {
            assert!(first.code().is_none());
            for claim in [neighbour(), unknown_caller(), with_code("")] {
                assert_eq!(refusal(&first, &claim, now), Some("offline"));
            }
        }
    }
}
