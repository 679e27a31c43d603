//! Reads messages: rows, and the entries of ranges in their places.

use std::sync::Arc;
use std::time::Instant;

use quarterdeck_actors::cluster::Placed;
use quarterdeck_actors::place::Place;

use super::super::super::{Db, StoreError};
use super::super::bus::REFERENCE;
use super::contents::{Entry, Range};
use super::{RedisBus, Stream};

/// The maximum number of bytes of entries that one call reads, apart from the first range.
const MAX_READ_BYTES: u64 = 4 << 20;

/// The kind of the message before those of a range. Without a body it changes nothing. An earlier version, which does not
/// know ranges, misses at least this one, reads everything anew and ends its sockets.
const FIRST_KIND: &str = "admitted";

/// The entries of ranges that could be read. `None` for a range whose entries are lost.
struct Found {
    entries: Vec<Option<Vec<Arc<Entry>>>>,
    /// The reason why the entries of further ranges could not be read now.
    problem: Option<StoreError>,
}

impl RedisBus {
    pub(super) async fn messages_from(&self, from: i64) -> Result<Vec<Placed>, StoreError> {
        let rows = self.rows.db.rows_from(from).await?;
        let ranges = wanted(&rows, from);
        let Found { entries, problem } = found(&self.stream, &ranges).await;
        let messages = expanded(rows, from, entries);
        let has_news = messages.last().is_some_and(|last| last.place.position > from);
        match problem {
            // The messages before the first unreadable one can be applied all the same.
            Some(cause) if !has_news && !self.stream.usage.are_missed(from, Instant::now()) => Err(cause),
            Some(_) | None => Ok(messages),
        }
    }
}

/// Returns the rows after a position that stand for themselves.
pub(super) async fn rows_behind(db: &Db, from: i64) -> Result<Vec<Placed>, StoreError> {
    let mut rows = db.rows_from(from).await?;
    rows.retain(|row| row.kind != REFERENCE && row.place.position > from);
    Ok(rows)
}

/// Returns the ranges after `from`, up to a number of bytes.
fn wanted(rows: &[Placed], from: i64) -> Vec<Range> {
    let mut bytes = 0_u64;
    let ranges = rows.iter().filter(|row| row.kind == REFERENCE && row.place.position > from);
    let is_within = |range: &Range| {
        let is_first = bytes == 0;
        bytes = bytes.saturating_add(range.bytes.max(1));
        is_first || bytes <= MAX_READ_BYTES
    };
    ranges.map_while(|row| Range::parse(&row.body)).take_while(is_within).collect()
}

/// Returns the entries of ranges: those that came over the stream, and the others from Redis.
async fn found(stream: &Stream, ranges: &[Range]) -> Found {
    let known: Vec<_> =
        ranges.iter().map(|range| stream.recent.find(&range.ids).filter(|entries| range.proves(entries))).collect();
    // Before Redis is asked for others: their servers wait for these places.
    known.iter().flatten().for_each(|entries| stream.recent.note_placed(entries));
    let missing: Vec<Range> =
        ranges.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(range, _)| range.clone()).collect();
    if missing.is_empty() {
        return Found { entries: known, problem: None };
    }
    match stream.read(&missing).await {
        Ok(read) => {
            read.iter().flatten().for_each(|entries| stream.recent.note_placed(entries));
            let mut read = read.into_iter();
            Found {
                entries: known.into_iter().map(|known| known.or_else(|| read.next().flatten())).collect(),
                problem: None,
            }
        }
        Err(cause) => Found { entries: known.into_iter().take_while(Option::is_some).collect(), problem: Some(cause) },
    }
}

/// Returns the messages of rows, with those of ranges. Ends before the first range without its entries.
fn expanded(rows: Vec<Placed>, from: i64, entries: Vec<Option<Vec<Arc<Entry>>>>) -> Vec<Placed> {
    let (mut messages, mut entries) = (Vec::new(), entries.into_iter());
    for row in rows {
        if row.kind != REFERENCE {
            messages.push(row);
        } else if row.place.position == from {
            // The content of a message that was read already is not needed again.
            messages.push(Placed { body: String::new(), ..row });
        } else {
            let Some(Some(entries)) = entries.next() else { break };
            messages.extend(in_range(row.place, &entries).filter(|placed| placed.place.position >= from));
        }
    }
    messages
}

/// Returns the messages of a range. Its row has the place of the last one.
fn in_range(last: Place, entries: &[Arc<Entry>]) -> impl Iterator<Item = Placed> {
    let of_entry = |entry: &Arc<Entry>| {
        let messages = entry.messages.iter();
        messages.map(|(kind, body)| (entry.node_id.clone(), kind.clone(), body.clone())).collect::<Vec<_>>()
    };
    let mut messages = vec![(String::new(), FIRST_KIND.to_owned(), String::new())];
    messages.extend(entries.iter().flat_map(of_entry));
    let first = last.position - i64::try_from(messages.len()).unwrap_or(i64::MAX) + 1;
    (first..).zip(messages).map(move |(position, (node_id, kind, body))| Placed {
        place: Place { position, mark: last.mark },
        node_id,
        kind,
        body,
    })
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::cluster::Batch;
    use quarterdeck_actors::secret::Secret;

    use super::super::contents::{EntryId, Seal};
    use super::*;

    fn row(position: i64, kind: &str, body: &str) -> Placed {
        let place = Place { position, mark: position * 10 };
        Placed { place, node_id: "n".to_owned(), kind: kind.to_owned(), body: body.to_owned() }
    }

    fn rows() -> Vec<Placed> {
        vec![
            row(4, REFERENCE, "b 3 10 ab 1-0 1-1"),
            row(5, "config", ""),
            row(8, REFERENCE, "b 2 4194304 ab 2-0"),
            row(10, REFERENCE, "b 1 10 ab 3-0"),
        ]
    }

    /// Returns an entry of a node with messages that have these bodies.
    fn entry(node: &str, bodies: &[&str]) -> Arc<Entry> {
        let seal = Seal::new(&Secret::new("i".to_owned()), "s");
        let messages = bodies.iter().map(|body| ("event", (*body).to_owned())).collect();
        let value = seal.sealed(&Batch { node_id: node.to_owned(), number: 1, messages });
        Arc::new(seal.opened(EntryId::default(), value.as_bytes()).unwrap())
    }

    fn ranges() -> Vec<Option<Vec<Arc<Entry>>>> {
        let ranges = [vec![entry("a", &["0", "1"]), entry("b", &["2"])], vec![entry("a", &["3", "4"])]];
        ranges.into_iter().chain([vec![entry("b", &["5"])]]).map(Some).collect()
    }

    fn read(from: i64, ranges: Vec<Option<Vec<Arc<Entry>>>>) -> Vec<String> {
        let messages = expanded(rows(), from, ranges);
        let text =
            |placed: Placed| format!("{} {} {} {}", placed.place.position, placed.node_id, placed.kind, placed.body);
        messages.into_iter().map(text).collect()
    }

    #[test]
    fn the_messages_of_a_range_have_the_positions_up_to_that_of_its_row() {
        let all = [
            "1  admitted ",
            "2 a event 0",
            "3 a event 1",
            "4 b event 2",
            "5 n config ",
            "6  admitted ",
            "7 a event 3",
            "8 a event 4",
            "9  admitted ",
            "10 b event 5",
        ];
        assert_eq!(read(0, ranges()), all);
        // From a message within a range, and from the last one of it, whose content is not needed.
        assert_eq!(read(3, ranges()), all[2..]);
        let after = read(4, ranges()[1..].to_vec());
        assert_eq!(after[0], "4 n redis ");
        assert_eq!(after[1..], all[4..]);
        assert!(expanded(rows(), 0, ranges())[..4].iter().all(|placed| placed.place.mark == 40));
    }

    #[test]
    fn no_message_follows_lost_entries() {
        let [first, second, third]: [_; 3] = ranges().try_into().unwrap();
        assert_eq!(read(0, vec![None, second.clone(), third.clone()]), [""; 0]);
        assert_eq!(read(4, vec![None, third]).len(), 2);
        assert_eq!(read(0, vec![first]).len(), 5);
    }

    #[test]
    fn ranges_are_wanted_up_to_a_number_of_bytes_and_the_first_one_always() {
        let ids = |from| wanted(&rows(), from).iter().map(|range| range.ids[0].to_string()).collect::<Vec<_>>();
        assert_eq!((ids(0), ids(4), ids(8)), (vec!["1-0".into()], vec!["2-0".into()], vec!["3-0".into()]));
        assert_eq!(wanted(&[row(3, REFERENCE, "no reference"), row(4, REFERENCE, "b 1 2 ab 1-0")], 1), []);
    }
}
