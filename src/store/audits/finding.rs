//! The findings of a verification of the audit trail.

use std::fmt;

/// A difference between the trail and what was written to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    /// Rows are missing.
    Missing { first: i64, last: i64 },
    /// The content of a row does not match its hash.
    Changed { number: i64, id: String },
    /// A row does not follow the row before it.
    Moved { number: i64, id: String, follows: Follows },
    /// The row in `audits`, which `GET audits` shows, differs from the row in `qd_audits`.
    ShownOtherwise { number: i64, id: String },
    /// The end mark was missing or pointed too far back when this row was written.
    Repaired { number: i64 },
    /// The end mark is missing.
    NoEnd { last: i64 },
    /// The last row is not the one that the end mark names.
    OtherEnd { number: i64 },
    /// There are rows after the end mark.
    Added { first: i64, last: i64 },
    /// Rows at the beginning are missing, and no record says that they were pruned.
    NotPruned { last: i64 },
    /// A row without a key follows a row with a key.
    NotKeyed { number: i64, id: String },
    /// The key of some rows is missing here. `is_named` is true if a verified record of a change of keys names it.
    KeyMissing { key_id: String, rows: KeyedRows, is_named: bool },
    /// No server wrote the end mark.
    EndForged,
}

/// The row after which a moved row was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// The row with this number.
    Row(i64),
    /// It was removed or replaced.
    Removed,
    /// It was not searched for, or the search failed.
    Unknown,
}

/// The rows that have the same key, or no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyedRows {
    pub(crate) count: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl fmt::Display for KeyedRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, first, last } = self;
        write!(formatter, "{count} rows from {first} to {last}")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { first, last } if first == last => write!(formatter, "row {first} is missing"),
            Self::Missing { first, last } => write!(formatter, "rows {first} to {last} are missing"),
            Self::Changed { number, id } => write!(formatter, "row {number} ({id}) was changed"),
            Self::Moved { number, id, follows: Follows::Row(other) } => {
                write!(formatter, "row {number} ({id}) is out of place: it was written after what is now row {other}")
            }
            Self::Moved { number, id, follows: Follows::Removed } => {
                write!(
                    formatter,
                    "row {number} ({id}) is out of place: the row it was written after was removed or replaced"
                )
            }
            Self::Moved { number, id, follows: Follows::Unknown } => {
                write!(formatter, "row {number} ({id}) is out of place: it was not written after the row before it")
            }
            Self::ShownOtherwise { number, id } => {
                write!(formatter, "row {number} ({id}): the part that GET audits shows was changed or removed")
            }
            Self::Repaired { number } => {
                write!(
                    formatter,
                    "row {number}: the end of the trail was unknown when it was written; rows before it may be missing"
                )
            }
            Self::NoEnd { last } => write!(formatter, "the end mark is missing: rows after {last} may be missing"),
            Self::OtherEnd { number } => {
                write!(formatter, "the last row, {number}, is not the row that was written last")
            }
            Self::Added { first, last } if first == last => write!(formatter, "row {first} was not added by a server"),
            Self::Added { first, last } => write!(formatter, "rows {first} to {last} were not added by a server"),
            Self::NotPruned { last } => {
                write!(formatter, "rows up to {last} are missing, and no record says that they were pruned")
            }
            Self::NotKeyed { number, id } => {
                write!(formatter, "row {number} ({id}) has no key, although rows before it have one")
            }
            Self::KeyMissing { key_id, rows, is_named } => {
                let unnamed = if *is_named { "" } else { ", and no verified record names it" };
                write!(
                    formatter,
                    "key {key_id} is missing, so {rows} cannot be verified{unnamed}; name its file with --key-file"
                )
            }
            Self::EndForged => write!(formatter, "the end mark was not written by a server"),
        }
    }
}

impl Finding {
    /// Returns the number of the first row that it is about; `None` for one about the end mark alone.
    pub(crate) fn row(&self) -> Option<i64> {
        match self {
            Self::Missing { first, .. } | Self::Added { first, .. } => Some(*first),
            Self::Changed { number, .. }
            | Self::Moved { number, .. }
            | Self::ShownOtherwise { number, .. }
            | Self::Repaired { number }
            | Self::OtherEnd { number }
            | Self::NotKeyed { number, .. } => Some(*number),
            Self::NoEnd { last } => Some(last.saturating_add(1)),
            Self::NotPruned { last } => Some(*last),
            Self::KeyMissing { rows, .. } => Some(rows.first),
            Self::EndForged => None,
        }
    }

    /// Returns the id of the key that is missing, if it is about one.
    pub(crate) fn missing_key(&self) -> Option<&str> {
        if let Self::KeyMissing { key_id, .. } = self { Some(key_id) } else { None }
    }

    /// Returns true if it is only that a key is missing here, so that rows can be verified neither as right nor as wrong.
    /// Anyone can write a row under an unknown key, so a server must have used that key.
    pub(crate) fn is_incomplete(&self) -> bool {
        matches!(self, Self::KeyMissing { is_named: true, .. })
    }
}
