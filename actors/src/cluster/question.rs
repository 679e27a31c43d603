//! Questions to other nodes, and the answers: plain data, and the store that carries them.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::NodeFacts;
use crate::error::AppError;

/// A question to other nodes. It is in the store for some seconds, and the bus tells the nodes its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub id: String,
    /// The id of the node that puts the question.
    pub node_id: String,
    /// The ids of the nodes that are to answer.
    pub targets: Vec<String>,
    /// The content.
    pub content: Content,
    /// The time for the answers.
    pub limit: Duration,
}

/// The content of a question. It holds no secret, and it is no right: a node reads something or tests something that its
/// own configuration allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// The kind of question.
    pub kind: String,
    /// The arguments, as the kind defines them.
    pub arguments: String,
    /// The maximum size of the answer of one node, in bytes.
    pub max_bytes: usize,
}

/// A question that a node has taken to answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The content.
    pub content: Content,
    /// The time that is left for the answer.
    pub left: Duration,
}

/// The answer of a node, or the reason why there is none.
pub type Reply = Result<String, Absence>;

/// The reason why a node gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// It did not answer in time.
    Silent,
    /// The question could not be put, because the store does not answer.
    Unreachable,
    /// Too many questions are open.
    Busy,
    /// Its version does not know the question.
    Unknown,
    /// It could not find the answer; its log has the reason.
    Failed,
}

impl Absence {
    /// Returns the name in responses, and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }

    /// Returns the reason that a node stored.
    fn named(name: &str) -> Self {
        [Self::Busy, Self::Unknown].into_iter().find(|known| known.name() == name).unwrap_or(Self::Failed)
    }
}

/// A part of the answer of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The id of the question.
    pub question_id: String,
    /// The id of the node.
    pub node_id: String,
    /// Its number among the parts of the answer, from 0.
    pub number: i64,
    /// `part`, `last`, or the name of the reason why there is no answer.
    pub state: String,
    /// The text.
    pub body: String,
}

/// The state of a part that others follow.
const PART: &str = "part";

/// The state of the last part.
const LAST: &str = "last";

/// The maximum size of a part, in bytes.
const MAX_PART_BYTES: usize = 256 << 10;

/// Returns the parts of an answer.
pub(super) fn parts(question_id: &str, node_id: &str, reply: Reply) -> Vec<Part> {
    let part = |(number, (state, body)): (i64, (&str, &str))| Part {
        question_id: question_id.to_owned(),
        node_id: node_id.to_owned(),
        number,
        state: state.to_owned(),
        body: body.to_owned(),
    };
    match reply {
        Err(absence) => vec![part((0, (absence.name(), "")))],
        Ok(text) => {
            let mut rest = text.as_str();
            let mut pieces = Vec::new();
            while rest.len() > MAX_PART_BYTES {
                let (piece, later) = rest.split_at(rest.floor_char_boundary(MAX_PART_BYTES));
                pieces.push((PART, piece));
                rest = later;
            }
            pieces.push((LAST, rest));
            (0..).zip(pieces).map(part).collect()
        }
    }
}

/// The answer of a node, as far as its parts have come.
#[derive(Debug)]
pub(super) struct Incoming {
    node: NodeFacts,
    text: String,
    next: i64,
}

impl Incoming {
    pub(super) fn new(node: NodeFacts) -> Self {
        Self { node, text: String::new(), next: 0 }
    }

    pub(super) fn node(&self) -> &NodeFacts {
        &self.node
    }

    /// Adds a part. Returns the answer if it is complete: with a missing part, or beyond its maximum size, it failed.
    pub(super) fn add(&mut self, part: &Part, max_bytes: usize) -> Option<Reply> {
        let is_next = part.number == self.next && self.text.len() + part.body.len() <= max_bytes;
        self.next += 1;
        match part.state.as_str() {
            PART | LAST if !is_next => Some(Err(Absence::Failed)),
            PART => {
                self.text.push_str(&part.body);
                None
            }
            LAST => {
                self.text.push_str(&part.body);
                Some(Ok(std::mem::take(&mut self.text)))
            }
            reason => Some(Err(Absence::named(reason))),
        }
    }
}

/// Carries questions and answers between the nodes. Both are in the store for some seconds.
pub trait Questions: Send + Sync {
    /// Returns the facts of the nodes that live now.
    fn living(&self) -> BoxFuture<'static, Result<Vec<NodeFacts>, AppError>>;
    /// Stores a question and tells its targets. Returns false if too many questions are open.
    fn open(&self, question: Question) -> BoxFuture<'static, Result<bool, AppError>>;
    /// Takes a question for one of its targets; `None` if it is closed, or if this target has taken it before.
    fn take(&self, question_id: String, node_id: String) -> BoxFuture<'static, Result<Option<Taken>, AppError>>;
    /// Returns the ids of the targets that did not take a question yet.
    fn untaken(&self, question_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>>;
    /// Returns true while a question is open.
    fn is_open(&self, question_id: String) -> BoxFuture<'static, Result<bool, AppError>>;
    /// Stores a part of an answer. Returns false if the question is closed.
    fn answer(&self, part: Part) -> BoxFuture<'static, Result<bool, AppError>>;
    /// Returns some parts of answers, those of a node in order, and removes them.
    fn collect(&self, question_id: String) -> BoxFuture<'static, Result<Vec<Part>, AppError>>;
    /// Removes a question with all answers to it.
    fn close(&self, question_id: String) -> BoxFuture<'static, Result<(), AppError>>;
    /// Waits until there may be answers, at most for `limit`.
    fn wait_for_answers(&self, limit: Duration) -> BoxFuture<'_, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(parts: &[Part], max_bytes: usize) -> Option<Reply> {
        let mut incoming = Incoming::new(NodeFacts::default());
        parts.iter().find_map(|part| incoming.add(part, max_bytes))
    }

    #[test]
    fn an_answer_of_several_parts_is_joined_and_cut_between_characters() {
        for text in [String::new(), "short".to_owned(), "€".repeat(MAX_PART_BYTES)] {
            let parts = parts("q", "n", Ok(text.clone()));
            assert_eq!(parts.len(), text.len().div_ceil(MAX_PART_BYTES - 1).max(1));
            assert_eq!(joined(&parts, text.len()), Some(Ok(text)));
        }
    }

    #[test]
    fn an_answer_that_is_too_large_or_lacks_a_part_failed() {
        let text = "x".repeat(3 * MAX_PART_BYTES);
        let all = parts("q", "n", Ok(text.clone()));
        assert_eq!(joined(&all, text.len() - 1), Some(Err(Absence::Failed)));
        assert_eq!(joined(&all[..2], text.len()), None);
        assert_eq!(joined(&all[1..], text.len()), Some(Err(Absence::Failed)));
    }

    #[test]
    fn a_node_without_an_answer_says_why() {
        for absence in [Absence::Busy, Absence::Unknown, Absence::Failed] {
            assert_eq!(joined(&parts("q", "n", Err(absence)), 10), Some(Err(absence)));
        }
        // Only the node that puts the question can say this.
        assert_eq!(joined(&parts("q", "n", Err(Absence::Silent)), 10), Some(Err(Absence::Failed)));
    }
}
