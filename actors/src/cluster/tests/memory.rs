//! A bus in memory, for tests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::tests::questions::Open;
use super::{Batch, Beat, Bus, End, Message, Node, NodeFacts, Placed, Roster};
use crate::error::AppError;
use crate::place::Place;

/// A bus in memory.
#[derive(Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
    pub(crate) told: Notify,
    pub(crate) is_away: AtomicBool,
}

#[derive(Default)]
pub(crate) struct State {
    waiting: Vec<(String, &'static str, String)>,
    pub(crate) placed: Vec<Placed>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) batches: std::collections::HashMap<String, i64>,
    /// The last mark.
    mark: i64,
    pub(crate) open: Open,
    /// True if the next batch is stored, and its answer lost.
    pub(crate) loses_answer: bool,
    /// The first position whose message cannot be read, because its content is lost.
    pub(crate) lost_from: Option<i64>,
    /// The position of a message that cannot be read now.
    pub(crate) unreadable: Option<i64>,
}

impl Memory {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Notes a message as a transaction of the store does.
    pub(crate) fn note(&self, message: &Message) {
        self.note_of("", message);
    }

    /// Notes a message of a node as a transaction of the store does.
    pub(crate) fn note_of(&self, node_id: &str, message: &Message) {
        self.state().waiting.push((node_id.to_owned(), message.kind(), message.body()));
        self.told.notify_waiters();
    }

    pub(crate) fn add(state: &mut State, node_id: &str, kind: &str, body: &str) {
        let position = state.placed.last().map_or(0, |last| last.place.position) + 1;
        state.mark += 1;
        let place = Place { position, mark: state.mark };
        let (node_id, kind, body) = (node_id.to_owned(), kind.to_owned(), body.to_owned());
        state.placed.push(Placed { place, node_id, kind, body });
    }

    pub(crate) fn answer<T: Send + 'static>(&self, answer: T) -> BoxFuture<'static, Result<T, AppError>> {
        let is_away = self.is_away.load(Ordering::Relaxed);
        async move { if is_away { Err(AppError::new("away")) } else { Ok(answer) } }.boxed()
    }
}

impl Bus for Memory {
    fn join(&self, facts: NodeFacts) -> BoxFuture<'static, Result<String, AppError>> {
        let mut state = self.state();
        let name = format!("{}-{}", facts.hostname, state.nodes.len() + 1);
        state.batches.entry(facts.id.clone()).or_default();
        state.nodes.push(Node { facts: NodeFacts { name: name.clone(), ..facts }, ..Node::default() });
        Memory::answer(self, name)
    }

    fn beat(&self, beat: Beat) -> BoxFuture<'static, Result<Option<Roster>, AppError>> {
        let state = self.state();
        let (dead, living): (Vec<_>, Vec<_>) = state.nodes.iter().cloned().partition(|node| node.heartbeat_at < 0);
        let is_member = living.iter().any(|node| node.facts.id == beat.id);
        Memory::answer(self, is_member.then_some(Roster { living, dead }))
    }

    fn leave(&self, node_id: String) -> BoxFuture<'static, Result<(), AppError>> {
        self.state().nodes.retain(|node| node.facts.id != node_id);
        Memory::answer(self, ())
    }

    fn publish(&self, batch: Batch) -> BoxFuture<'static, Result<bool, AppError>> {
        if self.is_away.load(Ordering::Relaxed) {
            return Memory::answer(self, false);
        }
        let mut state = self.state();
        let Some(last) = state.batches.get_mut(&batch.node_id) else { return Memory::answer(self, false) };
        let is_new = *last < batch.number;
        *last = (*last).max(batch.number);
        for (kind, body) in batch.messages.iter().filter(|_| is_new) {
            Self::add(&mut state, &batch.node_id, kind, body);
        }
        self.told.notify_waiters();
        if std::mem::take(&mut state.loses_answer) {
            return async { Err(AppError::new("the answer is lost")) }.boxed();
        }
        Memory::answer(self, true)
    }

    fn end(&self) -> BoxFuture<'static, Result<End, AppError>> {
        let state = self.state();
        let place = state.placed.last().map_or(Place::default(), |last| last.place);
        Memory::answer(self, End { place, is_waiting: !state.waiting.is_empty() })
    }

    fn place(&self) -> BoxFuture<'static, Result<bool, AppError>> {
        let mut state = self.state();
        // Two at a time, and three are read at a time.
        let count = state.waiting.len().min(2);
        for (node_id, kind, body) in state.waiting.drain(..count).collect::<Vec<_>>() {
            Self::add(&mut state, &node_id, kind, &body);
        }
        Memory::answer(self, !state.waiting.is_empty())
    }

    fn read(&self, from: i64) -> BoxFuture<'static, Result<Vec<Placed>, AppError>> {
        let state = self.state();
        let found = state.placed.iter().filter(|placed| placed.place.position >= from).take(3);
        if state.unreadable.is_some_and(|position| position == from + 1) {
            return async { Err(AppError::new("unreadable")) }.boxed();
        }
        let found = found.take_while(|placed| state.unreadable != Some(placed.place.position));
        let found = found.take_while(|placed| state.lost_from.is_none_or(|lost| placed.place.position < lost));
        Memory::answer(self, found.cloned().collect())
    }

    fn behind(&self, from: i64) -> BoxFuture<'static, Result<Vec<Placed>, AppError>> {
        let state = self.state();
        let is_behind =
            |placed: &&Placed| placed.place.position > from && state.unreadable != Some(placed.place.position);
        Memory::answer(self, state.placed.iter().filter(is_behind).cloned().collect())
    }

    fn wait(&self, limit: Duration) -> BoxFuture<'_, ()> {
        async move {
            let _ = tokio::time::timeout(limit.min(Duration::from_millis(5)), self.told.notified()).await;
        }
        .boxed()
    }

    fn prune(&self) -> BoxFuture<'static, Result<(), AppError>> {
        Memory::answer(self, ())
    }
}
