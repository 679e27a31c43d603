//! One-time codes: TOTP as RFC 6238 defines it, six digits that change every 30 seconds.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use quarterdeck_actors::secret::Secret;

const STEP_MS: i64 = 30_000;

/// Clocks may be apart by so many steps.
const TOLERANCE: i64 = 1;

/// Whether `code` is the one for `secret` now.
pub(super) fn is_valid(secret: &Secret, code: &str, now: i64) -> bool {
    let text = secret.expose().trim_end_matches('=').to_uppercase();
    let Ok(key) = BASE32_NOPAD.decode(text.as_bytes()) else {
        return false;
    };
    let step = now / STEP_MS;
    (step - TOLERANCE..=step + TOLERANCE).any(|step| code_at(&key, step).is_some_and(|expected| expected == code))
}

fn code_at(key: &[u8], step: i64) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let digest = tag.as_ref();
    let offset = usize::from(digest.last()? & 0x0f);
    let word: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    Some(format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret and times of RFC 6238, appendix B, cut to six digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = Secret::new(BASE32_NOPAD.encode(b"12345678901234567890"));
        assert!(is_valid(&secret, "287082", 59_000));
        assert!(is_valid(&secret, "081804", 1_111_111_109_000));
        assert!(is_valid(&secret, "287082", 59_000 + STEP_MS));
        assert!(!is_valid(&secret, "287082", 59_000 + 3 * STEP_MS));
        assert!(!is_valid(&Secret::new("not base32!"), "287082", 59_000));
    }
}
