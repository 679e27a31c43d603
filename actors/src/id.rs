//! Identifiers: 26 characters that carry 16 random bytes.
//!
//! Ids, session tokens, personal access tokens, CSRF tokens and request ids all have this form.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

const ALPHABET: &str = "ybndrfg8ejkmcpqxot1uwisza345h769";
const LENGTH: usize = 26;

static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str(ALPHABET);
    // This cannot fail: the alphabet has 32 distinct characters. A test encodes with it.
    specification.encoding().unwrap_or(data_encoding::BASE32_NOPAD)
});

/// Makes a new id from the operating system's seeded generator.
pub fn new_id() -> String {
    encode(uuid_v4(rand::random()))
}

/// Returns true if `text` has the form of an id: 26 letters or digits.
pub fn is_id(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn encode(bytes: [u8; 16]) -> String {
    BASE32.encode(&bytes)
}

/// Marks random bytes as a UUID of version 4, because other programs that read the tables expect one.
fn uuid_v4(mut bytes: [u8; 16]) -> [u8; 16] {
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_form_that_clients_expect() {
        for _ in 0..200 {
            let id = new_id();
            assert!(is_id(&id), "{id}");
            assert!(id.bytes().all(|byte| ALPHABET.as_bytes().contains(&byte)), "{id}");
            assert!("yrecowah".contains(&id[25..]), "{id} ends in three bits");
        }
        assert_ne!(new_id(), new_id());
    }

    #[test]
    fn the_encoding_uses_the_standard_bit_order() {
        assert_eq!(encode([0; 16]), "y".repeat(26));
        assert_eq!(&encode([0xff; 16])[..25], "9".repeat(25));
    }

    #[test]
    fn an_id_of_another_length_or_with_other_characters_is_none() {
        assert!(is_id("abcdefghijklmnopqrstuvwxyz"));
        assert!(!is_id("abcdefghijklmnopqrstuvwxy"));
        assert!(!is_id("abcdefghijklmnopqrstuvwxy-"));
        assert!(!is_id(""));
    }
}
