//! Transactions: what they lock, what they read, and what they store together.
//!
//! SQLite runs one writing transaction at a time. PostgreSQL runs many: two of them that lock the same subject follow
//! each other, on all servers of the database, and nothing else waits for them.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use super::{Row, Statement, StoreError};

/// A thing that one transaction at a time reads and then writes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// The accounts as a whole: which is the first, how many there are, who is the last administrator.
    Accounts,
    /// One account, with its sessions, tokens and preferences.
    User(&'a str),
    /// One personal access token, with its session.
    AccessToken(&'a str),
    /// The sessions of everyone.
    Sessions,
    /// One session.
    Session(&'a str),
    /// One team, with its members.
    Team(&'a str),
    /// The channel of that name.
    Channel(&'a str),
    /// The versions of the configuration.
    Configuration,
    /// The end of the audit trail.
    Trail,
    /// One row of `systems`.
    System(&'a str),
    /// The health check.
    Probe,
}

impl Subject<'_> {
    /// The number by which PostgreSQL knows the lock. Two subjects with one number only wait for each other.
    fn key(self) -> i64 {
        let (kind, id) = match self {
            Self::Accounts => ("accounts", ""),
            Self::User(id) => ("user", id),
            Self::AccessToken(id) => ("token", id),
            Self::Sessions => ("sessions", ""),
            Self::Session(id) => ("session", id),
            Self::Team(id) => ("team", id),
            Self::Channel(name) => ("channel", name),
            Self::Configuration => ("configuration", ""),
            Self::Trail => ("trail", ""),
            Self::System(name) => ("system", name),
            Self::Probe => ("probe", ""),
        };
        let hash = digest(&SHA256, format!("quarterdeck {kind} {id}").as_bytes());
        hash.as_ref().first_chunk().copied().map(i64::from_be_bytes).unwrap_or_default()
    }
}

/// How a transaction holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// Beside others that share it.
    Shared,
    /// Alone.
    Alone,
}

/// Makes the statements that store something out of what was read. It may be called again, on what is read then.
type Decide = Box<dyn Fn(&[Vec<Row>]) -> Result<Vec<Statement>, StoreError> + Send + Sync>;

/// Statements that are stored together or not at all.
pub(crate) struct Transaction {
    locks: BTreeMap<i64, Hold>,
    statements: Vec<Statement>,
    decide: Option<Decide>,
    /// Stores the draft of the record of the change that this is part of.
    pub(super) draft: Option<Statement>,
}

impl Transaction {
    /// These statements, one after the other.
    pub(crate) fn of(statements: Vec<Statement>) -> Self {
        Self { locks: BTreeMap::new(), statements, decide: None, draft: None }
    }

    /// These statements, and then those that `decide` makes of their answers.
    ///
    /// The answers stay true until the end only as far as all who change them lock the same subject.
    pub(crate) fn decided(
        statements: Vec<Statement>,
        decide: impl Fn(&[Vec<Row>]) -> Result<Vec<Statement>, StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self { decide: Some(Box::new(decide)), ..Self::of(statements) }
    }

    /// Alone among the transactions with that subject.
    pub(crate) fn alone_with(mut self, subject: Subject<'_>) -> Self {
        self.locks.insert(subject.key(), Hold::Alone);
        self
    }

    /// Beside others that share the subject, and apart from those that are alone with it.
    pub(crate) fn beside_others_with(mut self, subject: Subject<'_>) -> Self {
        self.locks.entry(subject.key()).or_insert(Hold::Shared);
        self
    }

    /// The locks, in the order in which every transaction takes them, so that no two wait for each other.
    pub(super) fn locks(&self) -> impl Iterator<Item = (i64, Hold)> {
        self.locks.iter().map(|(key, hold)| (*key, *hold))
    }

    /// The statements that come first.
    pub(super) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The statements that follow, given the answers to those that came first. The last one stores the draft, if there
    /// is one.
    pub(super) fn decision(&self, answers: &[Vec<Row>]) -> Result<Vec<Statement>, StoreError> {
        let mut decided = self.decide.as_ref().map_or(Ok(Vec::new()), |decide| decide(answers))?;
        decided.extend(self.draft.clone());
        Ok(decided)
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transaction").field("locks", &self.locks).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_taken_in_one_order_and_alone_wins_over_shared() {
        let one = Transaction::of(Vec::new()).alone_with(Subject::User("a")).alone_with(Subject::Accounts);
        let other = Transaction::of(Vec::new()).alone_with(Subject::Accounts).alone_with(Subject::User("a"));
        assert!(one.locks().eq(other.locks()));
        let held = Transaction::of(Vec::new())
            .alone_with(Subject::Sessions)
            .beside_others_with(Subject::Sessions)
            .beside_others_with(Subject::User("a"));
        let holds: Vec<Hold> = held.locks().map(|(_, hold)| hold).collect();
        assert_eq!(holds.len(), 2);
        assert!(holds.contains(&Hold::Alone) && holds.contains(&Hold::Shared));
    }

    #[test]
    fn subjects_of_one_id_are_told_apart() {
        let keys = [Subject::User("a"), Subject::User("b"), Subject::Team("a"), Subject::System("a")].map(Subject::key);
        assert!((1..keys.len()).all(|at| !keys[..at].contains(&keys[at])));
    }
}
