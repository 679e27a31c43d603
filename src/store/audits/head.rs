//! The mark of the end of the trail, with a proof that a server wrote it.

use std::fmt;

use super::{AuditKeys, Mark};

/// Number and hash of the last row, the id of the key and the tag that it makes of them; both empty without a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) mark: Mark,
    key_id: String,
    tag: String,
}

/// The finding about the tag of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// A server wrote it.
    Proved,
    /// It has no tag.
    Unkeyed,
    /// Its key is missing.
    Unknown,
    /// The tag does not fit.
    Forged,
}

impl Head {
    pub(super) fn new(mark: Mark, keys: &AuditKeys) -> Self {
        let key_id = keys.in_use().to_owned();
        let tag = if key_id.is_empty() { None } else { keys.hash(&key_id, &text(&mark)) };
        Self { mark, key_id, tag: tag.unwrap_or_default() }
    }

    /// Reads what `Display` wrote, and what servers wrote before there were keys.
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

    /// True when no server wrote it: its tag does not fit, or is gone though the last row has a key.
    pub(super) fn is_forged(&self, keys: &AuditKeys, last_key: &str) -> bool {
        match self.proof(keys) {
            Proof::Forged => true,
            Proof::Unkeyed => !last_key.is_empty(),
            Proof::Proved | Proof::Unknown => false,
        }
    }
}

/// The text that the tag is made of. No row has such a text, so no hash of a row is the tag of a head.
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
