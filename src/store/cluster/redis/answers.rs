//! The answers of Redis about the stream: their bounds, and the entries in them.

use super::super::super::StoreError;
use super::connection::refused;
use super::contents::EntryId;
use super::protocol::Answer;

/// The maximum length of an entry, in bytes. A batch that is longer goes into rows.
pub(super) const MAX_ENTRY_BYTES: usize = 512 << 10;

/// The bytes of an answer beside an entry: ids, lengths and names.
pub(super) const BYTES_AROUND: u64 = 512;

/// Parts of refusals after which the stream is deleted: another program made it unusable.
const UNUSABLE: [&str; 3] = ["WRONGTYPE", "equal or smaller", "exhausted"];

/// Returns the maximum number of bytes of an answer with entries.
pub(super) fn bytes_of(entries: usize) -> u64 {
    let entries = u64::try_from(entries).unwrap_or(u64::MAX);
    entries.saturating_mul(BYTES_AROUND + u64::try_from(MAX_ENTRY_BYTES).unwrap_or(u64::MAX))
}

pub(super) fn is_unusable(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(reason) if UNUSABLE.iter().any(|part| reason.contains(part)))
}

/// Returns the ids and the texts in an answer to `XREAD` about one stream.
pub(super) fn entries_of_streams(answer: Answer) -> Result<Vec<(EntryId, Vec<u8>)>, StoreError> {
    let Some(stream) = answer.list()?.into_iter().next() else { return Ok(Vec::new()) };
    let entries = stream.list()?.into_iter().nth(1);
    entries.map_or(Ok(Vec::new()), entries_of)
}

/// Returns the ids and the texts of entries. An entry of another program can have several fields, or none.
pub(super) fn entries_of(answer: Answer) -> Result<Vec<(EntryId, Vec<u8>)>, StoreError> {
    let entry = |answer: Answer| {
        let mut parts = answer.list()?.into_iter();
        let id = parts.next().map_or_else(|| Ok(Vec::new()), Answer::text)?;
        let id = String::from_utf8(id).ok().and_then(|id| EntryId::parse(&id));
        let id = id.ok_or_else(|| refused("an entry", "it has no id"))?;
        let fields = parts.next().map_or_else(|| Ok(Vec::new()), Answer::list)?;
        let value = fields.into_iter().nth(1).map_or_else(|| Ok(Vec::new()), Answer::text)?;
        Ok((id, value))
    };
    answer.list()?.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Answer {
        Answer::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn entries_are_read_also_those_of_another_program() {
        let entry = |id: &str, fields: Vec<Answer>| Answer::List(vec![text(id), Answer::List(fields)]);
        let entries = vec![entry("1-0", vec![text("c"), text("one")]), entry("2-0", Vec::new())];
        let found = entries_of(Answer::List(entries.clone())).unwrap();
        let ids: Vec<String> = found.iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!((ids, found[0].1.as_slice(), found[1].1.len()), (vec!["1-0".into(), "2-0".into()], &b"one"[..], 0));
        let streams = Answer::List(vec![Answer::List(vec![text("key"), Answer::List(entries)])]);
        assert_eq!(entries_of_streams(streams).unwrap(), found);
        for other in [text("1-0"), Answer::List(vec![text("1-0")]), Answer::List(vec![entry("x", Vec::new())])] {
            entries_of(other).unwrap_err();
        }
    }
}
