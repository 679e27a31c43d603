//! One-time codes as an authenticator app computes them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;

/// The secret of RFC 6238, as accounts store it.
pub const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// The statement that makes every account require a code.
pub const ENABLE: &str = "UPDATE users SET mfaactive = TRUE, mfasecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'";

/// Returns the current 30-second step.
pub fn step() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30
}

/// Returns the code of a step for the secret of the tests.
pub fn code(step: u64) -> String {
    code_of(SECRET, step)
}

/// Returns the code of a step.
pub fn code_of(secret: &str, step: u64) -> String {
    let key = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &step.to_be_bytes());
    let offset = usize::from(tag.as_ref().last().unwrap() & 0x0f);
    let word: [u8; 4] = tag.as_ref()[offset..offset + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000)
}
