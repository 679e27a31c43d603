//! Computes the stored hash of a password, and compares a password with it.
//!
//! Format since Mattermost 11.0: `$pbkdf2$f=SHA256,w=600000,l=32$<salt>$<hash>`. Older bcrypt hashes are accepted too.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use aws_lc_rs::pbkdf2;
use data_encoding::BASE64_NOPAD;
use quarterdeck_actors::secret::Secret;
use unicode_normalization::UnicodeNormalization;

use super::MAX_PASSWORD_BYTES;

const WORK_ROUNDS: u32 = 600_000;

/// The rounds for a password that cannot be guessed.
const RANDOM_PASSWORD_ROUNDS: u32 = 1;

/// The largest accepted number of rounds. A stored hash with more would block a core for minutes, so it never matches.
const MAX_WORK_ROUNDS: u32 = 10_000_000;

/// The largest accepted cost of bcrypt, as a power of two. Mattermost used a cost of 10.
const MAX_BCRYPT_COST: u32 = 14;

/// The length of a bcrypt hash, in characters.
const BCRYPT_LENGTH: usize = 60;

const SALT: usize = 16;
const HASH: usize = 32;

/// The longest stored text, in bytes. A longer one is not a hash.
const MAX_STORED_BYTES: usize = 256;

/// A hash that matches no password. It is compared if there is no account or no password, so that this takes as long.
static DECOY: LazyLock<Secret> =
    LazyLock::new(|| Secret::new(stored_form(WORK_ROUNDS, &rand::random(), &rand::random())));

/// The result of comparing a password with the stored hash.
#[derive(Debug, Clone)]
pub(crate) enum PasswordMatch {
    /// The password matches.
    Yes,
    /// The password matches a hash in an older format. The value is its hash in the current format.
    YesRenewed(Secret),
    /// The password does not match.
    No,
}

/// Returns the hash of `password` to store.
pub(super) fn hash_now(password: &str) -> String {
    hash_with(WORK_ROUNDS, password)
}

/// Returns the hash of a password of more than 100 random bits, which no number of rounds protects further. It takes
/// microseconds; the first login replaces it with one in the usual format.
pub(crate) fn hash_of_random(password: &Secret) -> Secret {
    Secret::new(hash_with(RANDOM_PASSWORD_ROUNDS, password.expose()))
}

fn hash_with(rounds: u32, password: &str) -> String {
    let salt: [u8; SALT] = rand::random();
    let mut hash = [0; HASH];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, work(rounds), &salt, password.as_bytes(), &mut hash);
    stored_form(rounds, &salt, &hash)
}

fn stored_form(rounds: u32, salt: &[u8; SALT], hash: &[u8; HASH]) -> String {
    format!("$pbkdf2$f=SHA256,w={rounds},l={HASH}${}${}", BASE64_NOPAD.encode(salt), BASE64_NOPAD.encode(hash))
}

/// Returns the number of hashes that a comparison with a wrong `password` computes.
pub(super) fn hashes_of(password: &Secret) -> u32 {
    u32::try_from(spellings(password.expose()).len()).unwrap_or(u32::MAX)
}

/// Compares a password with the stored hash. Returns the result and the number of hashes in the current format.
///
/// The password is compared as sent and, if that differs, in Unicode's composed form (NFC), because keyboards send
/// either form of the same letters. An empty or invalid stored text takes as long as a valid one.
pub(super) fn check_now(password: &Secret, stored: Option<&Secret>) -> (PasswordMatch, u32) {
    let stored = stored.map_or("", Secret::expose);
    let kind = Stored::parse(stored);
    let is_current = kind.is_current();
    let mut hashes = 0;
    for spelling in spellings(password.expose()) {
        hashes += u32::from(is_current);
        if kind.matches(&spelling, stored) {
            let matched = if is_current {
                PasswordMatch::Yes
            } else {
                PasswordMatch::YesRenewed(Secret::new(hash_now(&spelling)))
            };
            return (matched, hashes);
        }
    }
    (PasswordMatch::No, hashes)
}

/// Returns the spellings to compare, in order. Empty and overlong ones match no hash and are left out.
fn spellings(password: &str) -> Vec<String> {
    let is_long = password.len() > 4 * MAX_PASSWORD_BYTES;
    let composed = if is_long { String::new() } else { password.nfc().collect() };
    let fits = |text: &String| (1..=MAX_PASSWORD_BYTES).contains(&text.len());
    let mut spellings: Vec<String> = [password.to_owned(), composed].into_iter().filter(fits).collect();
    spellings.dedup();
    spellings
}

/// The format of a stored text.
enum Stored {
    Pbkdf2(Phc),
    Bcrypt,
    /// An invalid text, which no password matches.
    Decoy(Phc),
}

impl Stored {
    fn parse(stored: &str) -> Self {
        match Phc::parse(stored) {
            Some(phc) => Self::Pbkdf2(phc),
            None if is_bcrypt(stored) => Self::Bcrypt,
            None => Phc::parse(DECOY.expose()).map_or(Self::Bcrypt, Self::Decoy),
        }
    }

    fn is_current(&self) -> bool {
        match self {
            Self::Pbkdf2(phc) => phc.is_current(),
            Self::Decoy(_) => true,
            Self::Bcrypt => false,
        }
    }

    fn matches(&self, password: &str, stored: &str) -> bool {
        match self {
            Self::Pbkdf2(phc) => phc.matches(password.as_bytes()),
            Self::Bcrypt => bcrypt::verify(password, stored).unwrap_or(false),
            Self::Decoy(phc) => {
                // The result is dropped: this hash is computed only to take the same time.
                let _ = phc.matches(password.as_bytes());
                false
            }
        }
    }
}

/// Returns true for a bcrypt hash with an accepted cost. Each step of the cost doubles the time.
fn is_bcrypt(stored: &str) -> bool {
    let cost = stored.strip_prefix("$2").and_then(|rest| rest.get(2..4)?.parse::<u32>().ok());
    stored.len() == BCRYPT_LENGTH && cost.is_some_and(|cost| cost <= MAX_BCRYPT_COST)
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
        let is_ours = stored.len() <= MAX_STORED_BYTES && parameter("f").is_none_or(|function| function == "SHA256");
        let phc = Self {
            work: parameter("w")?.parse().ok()?,
            salt: BASE64_NOPAD.decode(salt.as_bytes()).ok()?,
            hash: BASE64_NOPAD.decode(hash.as_bytes()).ok()?,
        };
        let length: usize = parameter("l")?.parse().ok()?;
        let fits = !phc.hash.is_empty() && phc.hash.len() == length && phc.work <= MAX_WORK_ROUNDS;
        (is_ours && fits).then_some(phc)
    }

    fn matches(&self, password: &[u8]) -> bool {
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, work(self.work), &self.salt, password, &self.hash).is_ok()
    }

    fn is_current(&self) -> bool {
        self.work == WORK_ROUNDS && self.hash.len() == HASH
    }
}

fn work(rounds: u32) -> NonZeroU32 {
    NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, stored: &str) -> &'static str {
        match check_now(&Secret::new(password), Some(&Secret::new(stored))).0 {
            PasswordMatch::Yes => "yes",
            PasswordMatch::YesRenewed(renewed) => {
                assert!(Phc::parse(renewed.expose()).is_some_and(|phc| phc.is_current()));
                "renewed"
            }
            PasswordMatch::No => "no",
        }
    }

    #[test]
    fn a_stored_hash_has_the_form_that_mattermost_reads() {
        let stored = hash_now("correct horse");
        let parts: Vec<&str> = stored.split('$').collect();
        assert_eq!(parts[..3], ["", "pbkdf2", "f=SHA256,w=600000,l=32"]);
        assert_eq!((parts[3].len(), parts[4].len()), (22, 43));
        assert_eq!(check("correct horse", &stored), "yes");
        assert_eq!(check("wrong horse", &stored), "no");
    }

    #[test]
    fn bcrypt_and_other_work_factors_match_and_are_renewed() {
        let bcrypt = bcrypt::hash("secret", 4).unwrap();
        assert_eq!(check("secret", &bcrypt), "renewed");
        assert_eq!(check("other", &bcrypt), "no");
        assert_eq!(check("password", &weak("password")), "renewed");
    }

    #[test]
    fn nothing_matches_an_empty_or_broken_hash() {
        let endless = format!("$2b$31${}", "a".repeat(53));
        for stored in [
            "",
            "$pbkdf2$f=SHA256,w=x,l=32$AA$AA",
            "$pbkdf2$f=SHA256,w=1,l=0$AA$",
            "$pbkdf2$f=SHA256,w=4000000000,l=1$AA$AA",
            "plain",
            &endless,
        ] {
            assert_eq!(check("plain", stored), "no", "{stored}");
        }
        assert_eq!(check("", ""), "no");
        assert_eq!(check("", &hash_now("")), "no");
    }

    #[test]
    fn a_password_is_compared_as_sent_and_then_composed() {
        let (composed, decomposed) = ("caf\u{e9}-horse", "cafe\u{301}-horse");
        assert_eq!(check(composed, &weak(composed)), "renewed");
        assert_eq!(check(decomposed, &weak(composed)), "renewed");
        // A hash of the decomposed form still matches a client that sends this form.
        assert_eq!(check(decomposed, &weak(decomposed)), "renewed");
        assert_eq!(check(composed, &weak(decomposed)), "no");
        assert_eq!(check("\u{fb01}sh", &weak("fish")), "no", "compatibility forms are other passwords");
    }

    #[test]
    fn a_refusal_costs_as_many_hashes_whatever_is_stored() {
        for (password, expected) in [("plain", 1), ("cafe\u{301}", 2), (&*"x".repeat(73), 0), ("", 0)] {
            let password = Secret::new(password);
            assert_eq!(hashes_of(&password), expected);
            for stored in
                [None, Some(Secret::default()), Some(Secret::new("plain")), Some(Secret::new(hash_now("other")))]
            {
                let (matched, hashes) = check_now(&password, stored.as_ref());
                assert!(matches!(matched, PasswordMatch::No));
                assert_eq!(hashes, expected);
            }
        }
    }

    #[test]
    fn the_limit_of_length_holds_for_each_spelling() {
        let (composed, decomposed) = ("\u{e9}".repeat(36), "e\u{301}".repeat(36));
        assert_eq!((composed.len(), decomposed.len()), (72, 108));
        assert_eq!(check(&decomposed, &weak(&composed)), "renewed");
        assert_eq!(hashes_of(&Secret::new("e\u{301}".repeat(100_000))), 0);
    }

    /// Returns a hash of one round, so that the test is fast.
    fn weak(password: &str) -> String {
        let mut hash = [0; HASH];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, work(1), b"salt", password.as_bytes(), &mut hash);
        format!("$pbkdf2$f=SHA256,w=1,l=32${}${}", BASE64_NOPAD.encode(b"salt"), BASE64_NOPAD.encode(&hash))
    }
}
