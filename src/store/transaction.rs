//! Transactions: the locks that they take, the rows that they read, and the statements that they store together.
//!
//! SQLite runs one writing transaction at a time. PostgreSQL runs many at once: transactions that lock the same subject
//! run one after the other, on all servers of the database, and other transactions do not wait for them.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use super::{Row, Statement, StatementTexts, StoreError};

/// Data that only one transaction at a time may read and then write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// The accounts as a whole: the first account, the number of accounts, the last administrator.
    Accounts,
    /// One account, with its sessions, tokens and preferences.
    User(&'a str),
    /// One personal access token, with its session.
    AccessToken(&'a str),
    /// The sessions of all users.
    Sessions,
    /// One session.
    Session(&'a str),
    /// One team, with its members.
    Team(&'a str),
    /// The channel with this name.
    Channel(&'a str),
    /// The versions of the configuration.
    Configuration,
    /// The last record of the audit trail.
    Trail,
    /// One row of `systems`.
    System(&'a str),
    /// The row that the health check writes.
    Probe,
    /// The tables of the cluster, and the names of its nodes.
    Cluster,
}

impl Subject<'_> {
    /// Returns the number of the advisory lock on PostgreSQL. If two subjects have the same number, their transactions
    /// only wait for each other.
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
            Self::Cluster => ("cluster", ""),
        };
        let hash = digest(&SHA256, format!("quarterdeck {kind} {id}").as_bytes());
        hash.as_ref().first_chunk().copied().map(i64::from_be_bytes).unwrap_or_default()
    }
}

/// The mode in which a transaction takes a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LockMode {
    /// Other transactions can share the lock.
    Shared,
    /// No other transaction has the lock.
    Exclusive,
}

/// Turns the rows that were read into the statements that write. A retry of the transaction calls it again.
type Decide = Box<dyn Fn(&[Vec<Row>]) -> Result<Vec<Statement>, StoreError> + Send + Sync>;

/// Statements that are committed together or not at all.
pub(crate) struct Transaction {
    locks: BTreeMap<i64, LockMode>,
    statements: Vec<Statement>,
    decide: Option<Decide>,
    /// The statement that stores the draft of the audit record, when this transaction is part of a change.
    pub(super) draft: Option<Statement>,
    /// Collects the texts of the statements that run second.
    texts: StatementTexts,
}

impl Transaction {
    /// Creates a transaction that runs these statements in order.
    pub(crate) fn of(statements: Vec<Statement>) -> Self {
        Self { locks: BTreeMap::new(), statements, decide: None, draft: None, texts: StatementTexts::default() }
    }

    /// Notes the texts of the statements that run first, and of those that it decides on, once it does.
    pub(super) fn note_in(&mut self, texts: &StatementTexts) {
        if cfg!(debug_assertions) {
            for statement in &self.statements {
                texts.note(statement);
            }
            self.texts = texts.clone();
        }
    }

    /// Creates a transaction that runs `statements`, and then the statements that `decide` makes of their rows.
    ///
    /// The rows stay current until the commit only if every writer of them locks the same subject.
    pub(crate) fn decided(
        statements: Vec<Statement>,
        decide: impl Fn(&[Vec<Row>]) -> Result<Vec<Statement>, StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self { decide: Some(Box::new(decide)), ..Self::of(statements) }
    }

    /// Takes the lock of `subject` exclusively.
    pub(crate) fn lock_exclusive(mut self, subject: Subject<'_>) -> Self {
        self.locks.insert(subject.key(), LockMode::Exclusive);
        self
    }

    /// Takes the lock of `subject` in shared mode; an exclusive lock that was requested before stays exclusive.
    pub(crate) fn lock_shared(mut self, subject: Subject<'_>) -> Self {
        self.locks.entry(subject.key()).or_insert(LockMode::Shared);
        self
    }

    /// Returns the locks sorted by number. All transactions take them in this order, which prevents deadlocks.
    pub(super) fn locks(&self) -> impl Iterator<Item = (i64, LockMode)> {
        self.locks.iter().map(|(key, mode)| (*key, *mode))
    }

    /// Returns the statements that run first.
    pub(super) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Returns the statements that run second, given the rows of the first ones. The last one stores the draft, if
    /// there is one.
    pub(super) fn decision(&self, answers: &[Vec<Row>]) -> Result<Vec<Statement>, StoreError> {
        let mut decided = self.decide.as_ref().map_or(Ok(Vec::new()), |decide| decide(answers))?;
        decided.extend(self.draft.clone());
        for statement in &decided {
            self.texts.note(statement);
        }
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
        let one = Transaction::of(Vec::new()).lock_exclusive(Subject::User("a")).lock_exclusive(Subject::Accounts);
        let other = Transaction::of(Vec::new()).lock_exclusive(Subject::Accounts).lock_exclusive(Subject::User("a"));
        assert!(one.locks().eq(other.locks()));
        let held = Transaction::of(Vec::new())
            .lock_exclusive(Subject::Sessions)
            .lock_shared(Subject::Sessions)
            .lock_shared(Subject::User("a"));
        let modes: Vec<LockMode> = held.locks().map(|(_, mode)| mode).collect();
        assert_eq!(modes.len(), 2);
        assert!(modes.contains(&LockMode::Exclusive) && modes.contains(&LockMode::Shared));
    }

    #[test]
    fn subjects_of_one_id_are_told_apart() {
        let keys = [Subject::User("a"), Subject::User("b"), Subject::Team("a"), Subject::System("a")].map(Subject::key);
        assert!((1..keys.len()).all(|at| !keys[..at].contains(&keys[at])));
    }
}
