//! One-time codes for login: TOTP (RFC 6238), six digits that change every 30 seconds.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use quarterdeck_actors::secret::Secret;

const STEP_MS: i64 = 30_000;

/// The number of steps by which the clocks may differ.
const MAX_CLOCK_SKEW_STEPS: i64 = 1;

/// Returns the 30-second step that has this code, among the steps that are valid now.
///
/// It compares all steps, each in constant time.
pub(super) fn step_of(secret: &Secret, code: &str, now: i64) -> Option<i64> {
    let text = secret.expose().trim_end_matches('=').to_uppercase();
    let Ok(key) = BASE32_NOPAD.decode(text.as_bytes()) else {
        return None;
    };
    let step = now / STEP_MS;
    let matches = |step: &i64| {
        code_at(&key, *step)
            .is_some_and(|expected| verify_slices_are_equal(expected.as_bytes(), code.as_bytes()).is_ok())
    };
    (step - MAX_CLOCK_SKEW_STEPS..=step + MAX_CLOCK_SKEW_STEPS)
        .filter(matches)
        .fold(None, |found, step| found.or(Some(step)))
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

    /// Uses the secret and the times of RFC 6238, appendix B, with codes cut to six digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = Secret::new(BASE32_NOPAD.encode(b"12345678901234567890"));
        assert_eq!(step_of(&secret, "287082", 59_000), Some(1));
        assert_eq!(step_of(&secret, "081804", 1_111_111_109_000), Some(37_037_036));
        assert_eq!(step_of(&secret, "287082", 59_000 + STEP_MS), Some(1));
        assert_eq!(step_of(&secret, "287082", 59_000 - STEP_MS), Some(1));
        assert_eq!(step_of(&secret, "287082", 59_000 + 3 * STEP_MS), None);
        assert_eq!(step_of(&secret, "", 59_000), None);
        assert_eq!(step_of(&Secret::new("not base32!"), "287082", 59_000), None);
    }
}
