//! The entries of the stream, and the references to a range of them in the database.
//!
//! An entry is a batch of a node, with a seal that only servers of this installation can make. A reference has the digest
//! of all its entries, so that an entry that was changed since is one that is missing.

use std::fmt::{Display, Formatter, Write as _};
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::hmac;
use quarterdeck_actors::cluster::Batch;
use quarterdeck_actors::secret::Secret;

/// The length of a seal: the hexadecimal digits of HMAC-SHA-256.
const SEAL_CHARACTERS: usize = 64;

/// The number of characters of the id of a bus that a reference has.
const BUS_CHARACTERS: usize = 16;

/// The id of an entry: the time at which Redis got it, in Unix milliseconds, and a number. Later entries have higher ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    pub(super) at_ms: u64,
    number: u64,
}

impl EntryId {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (at_ms, number) = text.split_once('-')?;
        Some(Self { at_ms: at_ms.parse().ok()?, number: number.parse().ok()? })
    }
}

impl Display for EntryId {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}", self.at_ms, self.number)
    }
}

/// A batch in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    pub(super) node_id: String,
    /// The number of the batch among those of the node.
    pub(super) number: i64,
    /// The kind and the body of each message.
    pub(super) messages: Vec<(String, String)>,
    /// The length in the stream, in bytes.
    pub(super) bytes: u64,
    /// The SHA-256 of what is in the stream.
    digest: String,
}

/// Makes and checks the seals of entries. Another program that writes to the stream cannot make one, so it can neither
/// invent an event nor take the number of a batch.
pub(super) struct Seal(hmac::Key);

impl Seal {
    /// Returns the seal of a stream. `installation` is a secret that all servers of the database have.
    pub(super) fn new(installation: &Secret, stream: &str) -> Self {
        let installation = hmac::Key::new(hmac::HMAC_SHA256, installation.expose().as_bytes());
        let own = hmac::sign(&installation, format!("entries of the stream {stream}").as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }

    /// Returns a batch as the text of an entry: the seal, the node and the number, and of each message its kind, its
    /// length and its body.
    pub(super) fn sealed(&self, batch: &Batch) -> String {
        let mut text = format!("{} {}\n", batch.node_id, batch.number);
        for (kind, body) in &*batch.messages {
            // Writing into a text does not fail.
            let _ = write!(text, "{kind} {}\n{body}", body.len());
        }
        format!("{} {text}", self.of(&text))
    }

    /// Reads an entry. `None` for one of another program.
    pub(super) fn opened(&self, id: EntryId, value: &[u8]) -> Option<Entry> {
        let (seal, text) = std::str::from_utf8(value).ok()?.split_at_checked(SEAL_CHARACTERS)?;
        let text = text.strip_prefix(' ')?;
        verify_slices_are_equal(seal.as_bytes(), self.of(text).as_bytes()).ok()?;
        let (head, mut rest) = text.split_once('\n')?;
        let (node_id, number) = head.split_once(' ')?;
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let (head, after) = rest.split_once('\n')?;
            let (kind, length) = head.split_once(' ')?;
            let (body, next) = after.split_at_checked(length.parse().ok()?)?;
            messages.push((kind.to_owned(), body.to_owned()));
            rest = next;
        }
        Some(Entry {
            id,
            node_id: node_id.to_owned(),
            number: number.parse().ok()?,
            messages,
            bytes: u64::try_from(value.len()).ok()?,
            digest: hex(digest(&SHA256, value).as_ref()),
        })
    }

    fn of(&self, text: &str) -> String {
        hex(hmac::sign(&self.0, text.as_bytes()).as_ref())
    }
}

/// Some entries that have their places together, in one row of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    /// The first characters of the id of the bus.
    bus: String,
    pub(super) ids: Vec<EntryId>,
    /// The number of messages.
    pub(super) count: i64,
    /// The length of all entries, in bytes.
    pub(super) bytes: u64,
    /// The SHA-256 of the digests of the entries.
    digest: String,
}

impl Range {
    pub(super) fn of(bus: &str, entries: &[Arc<Entry>]) -> Self {
        let mut all = Context::new(&SHA256);
        for entry in entries {
            all.update(entry.digest.as_bytes());
        }
        let count = entries.iter().map(|entry| entry.messages.len()).sum::<usize>();
        Self {
            bus: bus.chars().take(BUS_CHARACTERS).collect(),
            ids: entries.iter().map(|entry| entry.id).collect(),
            count: i64::try_from(count).unwrap_or(i64::MAX),
            bytes: entries.iter().map(|entry| entry.bytes).sum(),
            digest: hex(all.finish().as_ref()),
        }
    }

    /// Returns the text in the database.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} {} {} {}", self.bus, self.count, self.bytes, self.digest);
        for id in &self.ids {
            // Writing into a text does not fail.
            let _ = write!(text, " {id}");
        }
        text
    }

    /// Reads the text in the database.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (bus, count, bytes, digest) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let ids: Vec<EntryId> = words.map(EntryId::parse).collect::<Option<_>>()?;
        let count = count.parse().ok().filter(|count| *count >= 0)?;
        let found = Self { bus: bus.to_owned(), ids, count, bytes: bytes.parse().ok()?, digest: digest.to_owned() };
        (!found.ids.is_empty()).then_some(found)
    }

    /// Returns true if these are the entries that were published.
    pub(super) fn proves(&self, entries: &[Arc<Entry>]) -> bool {
        Self::of(&self.bus, entries) == *self
    }

    /// Returns true if the entries were put into this bus, and not into an earlier run of Redis or into another one.
    pub(super) fn is_in(&self, bus: &str) -> bool {
        bus.starts_with(&self.bus)
    }
}

/// Returns bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(installation: &str, stream: &str) -> Seal {
        Seal::new(&Secret::new(installation.to_owned()), stream)
    }

    fn batch(number: i64) -> Batch {
        let messages = [("event", "{\"a\":\"b\nc\"}"), ("sockets", ""), ("here", "äöü 7\nx")];
        let messages = messages.map(|(kind, body)| (kind, body.to_owned())).into();
        Batch { node_id: "n".to_owned(), number, messages }
    }

    fn id(number: u64) -> EntryId {
        EntryId { at_ms: 5, number }
    }

    fn entry(number: u64) -> Arc<Entry> {
        let seal = seal("i", "s");
        let value = seal.sealed(&batch(i64::try_from(number).unwrap()));
        Arc::new(seal.opened(id(number), value.as_bytes()).unwrap())
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let read = entry(7);
        let written = batch(7);
        let messages: Vec<(String, String)> =
            written.messages.iter().map(|(kind, body)| ((*kind).to_owned(), body.clone())).collect();
        assert_eq!((read.id, read.node_id.as_str(), read.number, &read.messages), (id(7), "n", 7, &messages));
    }

    #[test]
    fn an_entry_of_another_program_is_refused() {
        let own = seal("i", "s");
        let value = own.sealed(&batch(7));
        assert!(own.opened(id(1), value.as_bytes()).is_some());
        for other in [
            seal("other", "s").sealed(&batch(7)),
            seal("i", "other").sealed(&batch(7)),
            value.replace("n 7\n", "n 8\n"),
            value.replace("\"a\"", "\"b\""),
            format!("{value}event 2\n{{}}"),
            value[..value.len() - 1].to_owned(),
            value[1..].to_owned(),
            String::new(),
        ] {
            assert_eq!(own.opened(id(1), other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_range_proves_its_entries_only() {
        let entries = [entry(1), entry(2)];
        let range = Range::of("0123456789abcdefghi", &entries);
        assert_eq!((range.count, range.bytes), (6, entries[0].bytes + entries[1].bytes));
        assert_eq!(Range::parse(&range.text()).as_ref(), Some(&range));
        assert!(range.proves(&entries) && range.is_in("0123456789abcdef…") && !range.is_in("1"));
        for others in [vec![entry(1)], vec![entry(2), entry(1)], vec![entry(1), entry(3)], Vec::new()] {
            assert!(!range.proves(&others));
        }
    }

    #[test]
    fn other_texts_are_no_reference() {
        for text in ["", "b 1 2 ab", "b x 2 ab 5-0", "b -1 2 ab 5-0", "b 1 x ab 5-0", "b 1 2 ab 5", "b 1 2 ab 5-0 x"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_id_of_an_entry_is_two_numbers() {
        for text in ["1", "-1", "1-", "1-0-0", "a-1", "18446744073709551616-0"] {
            assert_eq!(EntryId::parse(text), None, "{text}");
        }
        let ids = ["9-9", "10-1", "10-2"].map(|text| EntryId::parse(text).unwrap());
        assert!(ids.is_sorted() && ids[1].to_string() == "10-1");
    }
}
