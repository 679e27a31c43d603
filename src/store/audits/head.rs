//! The end mark of the audit trail, with a tag that proves that a server wrote it.

use std::fmt;

use super::{AuditKeys, Mark};

/// The place of the last row, the id of the key, and the tag made with it. Without a key, id and tag are empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) mark: Mark,
    key_id: String,
    tag: String,
}

/// The result of checking the tag of an end mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// A server with the key wrote it.
    Proved,
    /// The mark has no tag.
    Unkeyed,
    /// The key of the tag is missing here.
    Unknown,
    /// The tag is wrong.
    Forged,
}

impl Head {
    pub(super) fn new(mark: Mark, keys: &AuditKeys) -> Self {
        let key_id = keys.in_use().to_owned();
        let tag = if key_id.is_empty() { None } else { keys.hash(&key_id, &text(&mark)) };
        Self { mark, key_id, tag: tag.unwrap_or_default() }
    }

    /// Parses the form that `Display` writes, and the form without a tag that earlier versions wrote.
    pub(super) fn parse(stored: &str) -> Option<Self> {
        let mut parts = stored.splitn(4, ':');
        let mark = Mark::parse(&format!("{}:{}", parts.next()?, parts.next()?))?;
        let (key_id, tag) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Some(Self { mark, key_id: key_id.to_owned(), tag: tag.to_owned() })
    }

    pub(super) fn proof(&self, keys: &AuditKeys) -> Proof {
        if self.key_id.is_empty() {
            return Proof::Unkeyed;
        }
        match keys.hash(&self.key_id, &text(&self.mark)) {
            None => Proof::Unknown,
            Some(tag) if tag == self.tag => Proof::Proved,
            Some(_) => Proof::Forged,
        }
    }

    /// Returns true when the tag is wrong, or is missing although the last row has a key.
    pub(super) fn is_forged(&self, keys: &AuditKeys, last_key: &str) -> bool {
        match self.proof(keys) {
            Proof::Forged => true,
            Proof::Unkeyed => !last_key.is_empty(),
            Proof::Proved | Proof::Unknown => false,
        }
    }
}

/// Returns the text that the tag covers. No row has this text, so the hash of a row never fits as a tag.
fn text(mark: &Mark) -> String {
    format!("end of the trail {mark}")
}

impl fmt::Display for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mark.fmt(formatter)?;
        if self.key_id.is_empty() { Ok(()) } else { write!(formatter, ":{}:{}", self.key_id, self.tag) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_proved_by_its_key_only_and_an_old_one_by_none() {
        let keys = AuditKeys::parse(&"1".repeat(64)).unwrap();
        let other = AuditKeys::parse(&"2".repeat(64)).unwrap();
        let mark = Mark { number: 7, ..Mark::default() };
        let head = Head::new(mark.clone(), &keys);
        assert_eq!(Head::parse(&head.to_string()), Some(head.clone()));
        assert_eq!((head.proof(&keys), head.proof(&other)), (Proof::Proved, Proof::Unknown));
        let moved = Head { mark: Mark { number: 6, ..mark.clone() }, ..head };
        assert_eq!((moved.proof(&keys), moved.is_forged(&keys, "")), (Proof::Forged, true));
        let old = Head::parse(&mark.to_string()).unwrap();
        assert_eq!(old.proof(&keys), Proof::Unkeyed);
        assert!(!old.is_forged(&keys, "") && old.is_forged(&keys, keys.in_use()));
    }
}
