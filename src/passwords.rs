//! Password hashes, computed away from the async threads and a few at a time.
//!
//! Stored form since Mattermost 11.0: `$pbkdf2$f=SHA256,w=600000,l=32$<salt>$<hash>`; bcrypt before, still accepted.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::LazyLock;

use actix_web::rt::task::spawn_blocking;
use aws_lc_rs::pbkdf2;
use data_encoding::BASE64_NOPAD;
use quarterdeck_actors::config::view::PasswordSettings;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;
use tokio::sync::Semaphore;

const WORK: u32 = 600_000;
/// A stored hash that asks for more rounds would hold a core for minutes; it matches nothing.
const MOST_WORK: u32 = 10_000_000;

const SALT: usize = 16;
const HASH: usize = 32;

/// Longer passwords are refused: bcrypt would silently cut them.
const LONGEST: usize = 72;

/// Stored texts longer than this are no hashes of ours.
const LONGEST_STORED: usize = 256;

/// A hash of no password, checked when there is no account, so that this takes as long as when there is one.
static DECOY: LazyLock<String> = LazyLock::new(|| hash_now(&Secret::new(quarterdeck_actors::id::new_id())));

/// How a password compares with what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// It is the one.
    Yes,
    /// It is the one, stored in an older form that ought to be renewed.
    YesButOld,
    /// It is not.
    No,
}

/// So many may wait for their turn; whoever comes then is sent away.
const QUEUE: usize = 256;

/// Computes hashes: on all cores but one, so that the others are answered meanwhile.
#[derive(Clone)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = cores.saturating_sub(1).max(1);
        Self { places: Arc::new(Semaphore::new(QUEUE)), turns: Arc::new(Semaphore::new(at_once)) }
    }

    /// The form in which `password` is stored.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, AppError> {
        self.compute(move || hash_now(&password)).await
    }

    /// Compares `password` with what is stored.
    pub(crate) async fn check(&self, password: Secret, stored: String) -> Result<Match, AppError> {
        self.compute(move || check_now(&password, &stored)).await
    }

    /// Takes as long as a comparison and compares nothing.
    pub(crate) async fn pretend(&self, password: Secret) -> Result<(), AppError> {
        self.compute(move || check_now(&password, &DECOY)).await.map(|_| ())
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AppError> {
        let failed = || AppError::new("api.user.check_user_password.invalid_hash.app_error");
        let full = |_| AppError::new("app.password.queue_full.app_error");
        let _place = self.places.try_acquire().map_err(full)?;
        let _turn = self.turns.acquire().await.map_err(|cause| failed().because(cause))?;
        spawn_blocking(work).await.map_err(|cause| failed().because(cause))
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

fn hash_now(password: &Secret) -> String {
    let salt: [u8; SALT] = rand::random();
    let mut hash = [0; HASH];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, work(WORK), &salt, password.expose().as_bytes(), &mut hash);
    format!("$pbkdf2$f=SHA256,w={WORK},l={HASH}${}${}", BASE64_NOPAD.encode(&salt), BASE64_NOPAD.encode(&hash))
}

fn check_now(password: &Secret, stored: &str) -> Match {
    let text = password.expose().as_bytes();
    let cannot_match = stored.is_empty() || text.is_empty() || text.len() > LONGEST;
    if cannot_match {
        return Match::No;
    }
    match Phc::parse(stored) {
        Some(phc) if !phc.matches(text) => Match::No,
        Some(phc) if phc.is_current() => Match::Yes,
        Some(_) => Match::YesButOld,
        None if bcrypt::verify(text, stored).unwrap_or(false) => Match::YesButOld,
        None => Match::No,
    }
}

/// The parts of a stored PBKDF2 hash.
struct Phc {
    work: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Phc {
    fn parse(stored: &str) -> Option<Self> {
        let parts: Vec<&str> = stored.split('$').collect();
        let ["", "pbkdf2", parameters, salt, hash] = parts.as_slice() else {
            return None;
        };
        let parameter = |name: &str| parameters.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let is_ours = stored.len() <= LONGEST_STORED && parameter("f").is_none_or(|function| function == "SHA256");
        let phc = Self {
            work: parameter("w")?.parse().ok()?,
            salt: BASE64_NOPAD.decode(salt.as_bytes()).ok()?,
            hash: BASE64_NOPAD.decode(hash.as_bytes()).ok()?,
        };
        let length: usize = parameter("l")?.parse().ok()?;
        let fits = !phc.hash.is_empty() && phc.hash.len() == length && phc.work <= MOST_WORK;
        (is_ours && fits).then_some(phc)
    }

    fn matches(&self, password: &[u8]) -> bool {
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, work(self.work), &self.salt, password, &self.hash).is_ok()
    }

    fn is_current(&self) -> bool {
        self.work == WORK && self.hash.len() == HASH
    }
}

fn work(rounds: u32) -> NonZeroU32 {
    NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_hash_has_the_form_that_mattermost_reads() {
        let stored = hash_now(&Secret::new("correct horse"));
        let parts: Vec<&str> = stored.split('$').collect();
        assert_eq!(parts[..3], ["", "pbkdf2", "f=SHA256,w=600000,l=32"]);
        assert_eq!((parts[3].len(), parts[4].len()), (22, 43));
        assert_eq!(check_now(&Secret::new("correct horse"), &stored), Match::Yes);
        assert_eq!(check_now(&Secret::new("wrong horse"), &stored), Match::No);
    }

    #[test]
    fn bcrypt_and_other_work_factors_match_and_ask_for_renewal() {
        let bcrypt = bcrypt::hash("secret", 4).unwrap();
        assert_eq!(check_now(&Secret::new("secret"), &bcrypt), Match::YesButOld);
        assert_eq!(check_now(&Secret::new("other"), &bcrypt), Match::No);
        // PBKDF2-HMAC-SHA256 of "password" and "salt" with one round: RFC 7914, section 11, gives the like for "passwd".
        let mut hash = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, work(1), b"salt", b"password", &mut hash);
        let weak = format!("$pbkdf2$f=SHA256,w=1,l=32${}${}", BASE64_NOPAD.encode(b"salt"), BASE64_NOPAD.encode(&hash));
        assert_eq!(check_now(&Secret::new("password"), &weak), Match::YesButOld);
    }

    #[test]
    fn nothing_matches_an_empty_or_broken_hash() {
        for stored in [
            "",
            "$pbkdf2$f=SHA256,w=x,l=32$AA$AA",
            "$pbkdf2$f=SHA256,w=1,l=0$AA$",
            "$pbkdf2$f=SHA256,w=4000000000,l=1$AA$AA",
            "plain",
        ] {
            assert_eq!(check_now(&Secret::new("plain"), stored), Match::No, "{stored}");
        }
        assert_eq!(check_now(&Secret::new(""), ""), Match::No);
    }

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
