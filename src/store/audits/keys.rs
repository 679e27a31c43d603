//! The HMAC keys of the audit trail. They are stored in a file, never in the database.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;

/// The length of a key, in bytes.
const KEY_BYTES: usize = 32;

/// The number of bytes of a key's hash that form its id, which is written in hexadecimal.
const ID_BYTES: usize = 8;

/// The keys of a server. New rows use the last key; the others verify older rows.
#[derive(Clone, Default)]
pub(crate) struct AuditKeys {
    keys: Vec<AuditKey>,
}

#[derive(Clone)]
struct AuditKey {
    id: String,
    key: hmac::Key,
}

impl fmt::Debug for AuditKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.ids()).finish()
    }
}

impl AuditKeys {
    /// Parses a key file: one key of 64 hexadecimal digits on each line; lines that begin with `#` are comments.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<AuditKey> = lines.map(AuditKey::parse).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// Adds the keys of another file for verification. The key in use stays the same, if there is one.
    pub(crate) fn extend_before(&mut self, other: Self) {
        self.keys.splice(..0, other.keys);
    }

    /// Returns the id of the key for new rows, or the empty string without keys.
    pub(crate) fn in_use(&self) -> &str {
        self.keys.last().map_or("", |key| &key.id)
    }

    /// Returns the ids of all keys.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Returns the HMAC of a text with this key, or the plain SHA-256 for an empty id. `None` when the key is missing.
    pub(super) fn hash(&self, id: &str, text: &str) -> Option<String> {
        if id.is_empty() {
            return Some(HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref()));
        }
        let key = self.keys.iter().find(|key| key.id == id)?;
        Some(HEXLOWER.encode(hmac::sign(&key.key, text.as_bytes()).as_ref()))
    }
}

impl AuditKey {
    fn parse(line: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(line.to_ascii_lowercase().as_bytes()).ok()?;
        let is_key = bytes.len() == KEY_BYTES;
        let id: String = HEXLOWER.encode(digest(&SHA256, &bytes).as_ref()).chars().take(ID_BYTES * 2).collect();
        is_key.then(|| Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_key_is_in_use_and_nothing_prints_one() {
        let [one, two] = ["1".repeat(64), "A".repeat(64)];
        let keys = AuditKeys::parse(&format!("# kept\n{one}\n\n {two}\n")).unwrap();
        let only = AuditKeys::parse(&two).unwrap();
        assert_eq!(keys.in_use(), only.in_use());
        assert_eq!(keys.hash(keys.in_use(), "x"), only.hash(only.in_use(), "x"));
        assert_ne!(keys.hash(keys.in_use(), "x"), keys.hash("", "x"));
        assert_eq!(only.hash("0000000000000000", "x"), None);
        let printed = format!("{keys:?}");
        assert!(!printed.contains("1111") && !printed.to_lowercase().contains("aaaa"), "{printed}");
    }

    #[test]
    fn a_file_with_anything_else_is_no_key_file() {
        for text in ["", "# nothing", "12", "not a key", &format!("{}\nx", "1".repeat(64))] {
            assert!(AuditKeys::parse(text).is_none(), "{text}");
        }
    }
}
