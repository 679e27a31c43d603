//! The load: users who send the requests of a mix, at a rate or one request after the other.
//!
//! All users are tasks of one thread, so they need no locks, and the processor time of the generator is that of one
//! thread.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use super::failure::Failed;
use super::prepared::{Prepared, PreparedRequest};
use super::random::Random;
use super::recorder::{Recorder, Sample};
use super::saturation::{Gauge, LAG_INTERVAL, Saturation};
use super::timer::Timer;
use super::user::{Opened, User};
use super::visits::Client;
use crate::remote::Remote;
use crate::report::to_float;

/// The time that a user of a closed loop or of the background waits after a failure, so that a server that refuses
/// connections does not receive them in a busy loop.
const RETRY_DELAY: Duration = Duration::from_millis(10);

/// The time beyond the timeout of a request in which the last users end.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// The maximum number of requests that wait for a connection. Further ones fail, with the timeout as their latency.
const MAX_DUE: usize = 1_000_000;

/// The number of requests that are started without a turn for the users.
const MIN_TURN: u64 = 64;

/// The load of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// Requests start at fixed times, which do not depend on the responses.
    Open { per_second: f64 },
    /// Each user waits for the response before the next request.
    Closed,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) remote: Remote,
    pub(crate) pace: Pace,
    /// The number of users, each with a connection.
    pub(crate) users: u64,
    /// The number of requests of an open loop that start at the same moment.
    pub(crate) burst: u64,
    pub(crate) warmup: Duration,
    pub(crate) duration: Duration,
    pub(crate) timeout: Duration,
    pub(crate) seed: u64,
}

/// A run, which observers read and end.
pub(crate) struct Run {
    plan: Plan,
    begin: Instant,
    prepared: Prepared,
    pub(crate) recorder: RefCell<Recorder>,
    gauge: RefCell<Gauge>,
    /// The beginning of the present reading of the lag.
    lag_from: Cell<Instant>,
    due: RefCell<VecDeque<Due>>,
    is_due: Notify,
    ended: Notify,
    sequence: Cell<u64>,
    /// The requests that were sent and have no response yet, by their numbers.
    in_flight: RefCell<BTreeMap<u64, InFlight>>,
    is_over: Cell<bool>,
    stop: Notify,
    abandon: Notify,
}

#[derive(Debug)]
struct InFlight {
    request: usize,
    intended: Instant,
    sent: Instant,
}

/// A request that should have started.
#[derive(Debug)]
struct Due {
    request: usize,
    intended: Instant,
}

impl Run {
    pub(crate) fn new(plan: Plan, prepared: Prepared) -> io::Result<Rc<Self>> {
        let background = prepared.requests.iter().map(|request| request.background > 0).collect();
        let begin = Instant::now();
        let recorder = Recorder::new(begin + plan.warmup, plan.duration, background)?;
        Ok(Rc::new(Self {
            plan,
            begin,
            prepared,
            recorder: RefCell::new(recorder),
            gauge: RefCell::new(Gauge::new()?),
            lag_from: Cell::new(begin),
            due: RefCell::default(),
            is_due: Notify::new(),
            ended: Notify::new(),
            sequence: Cell::new(0),
            in_flight: RefCell::default(),
            is_over: Cell::new(false),
            stop: Notify::new(),
            abandon: Notify::new(),
        }))
    }

    /// Ends the run early. Requests that were sent are awaited, and those that wait for a connection are not sent.
    pub(crate) fn stop(&self) {
        let ended = Instant::now();
        let mut recorder = self.recorder.borrow_mut();
        recorder.cut(ended);
        self.drop_due(&mut recorder, ended, &Failed::ended_by_user());
        self.stop.notify_one();
    }

    /// Ends the wait for responses. The requests without one are unfinished.
    pub(crate) fn abandon(&self) {
        self.abandon.notify_one();
    }

    /// Returns the record once the run has ended.
    pub(crate) fn into_recorder(self: Rc<Self>) -> Option<Recorder> {
        Rc::into_inner(self).map(|run| run.recorder.into_inner())
    }

    /// Sends the load and returns once all responses have arrived or timed out.
    pub(crate) async fn carry_out(self: &Rc<Self>) -> io::Result<Saturation> {
        let tasks = LocalSet::new();
        tasks.run_until(self.run_users()).await
    }

    async fn run_users(self: &Rc<Self>) -> io::Result<Saturation> {
        let mut users = JoinSet::new();
        for user in 0..self.plan.users {
            let run = self.clone();
            match self.plan.pace {
                Pace::Open { .. } => users.spawn_local(async move { run.serve_due(user).await }),
                Pace::Closed => users.spawn_local(async move { run.repeat(user, None).await }),
            };
        }
        let mut background = JoinSet::new();
        let mut number = self.plan.users;
        for (index, request) in self.prepared.requests.iter().enumerate() {
            for _ in 0..request.background {
                let run = self.clone();
                background.spawn_local(async move { run.repeat(number, Some(index)).await });
                number += 1;
            }
        }
        let lag = {
            let run = self.clone();
            tokio::task::spawn_local(async move { run.measure_lag().await })
        };
        let saturation = tokio::select! {
            ended = self.pass_time() => ended?,
            () = self.stop.notified() => self.saturation(),
        };
        lag.abort();
        // A request of the background may hang for as long as the server lets it.
        background.abort_all();
        self.record_unfinished(|request| request.background > 0);
        self.is_over.set(true);
        self.is_due.notify_waiters();
        self.ended.notify_waiters();
        let drained = async { while users.join_next().await.is_some() {} };
        let is_abandoned = tokio::select! {
            _ = timeout(self.plan.timeout + DRAIN_TIME, drained) => false,
            () = self.abandon.notified() => true,
        };
        self.record_unfinished(|_| true);
        let ended = Instant::now();
        let cause = if is_abandoned { Failed::ended_by_user() } else { Failed::not_sent() };
        self.drop_due(&mut self.recorder.borrow_mut(), ended, &cause);
        self.recorder.borrow_mut().finish(ended);
        Ok(saturation)
    }

    /// Records the requests that wait for a connection as failures.
    fn drop_due(&self, recorder: &mut Recorder, ended: Instant, cause: &Failed) {
        for Due { request, intended } in self.due.take() {
            recorder.add(&Sample { request, intended, sent: None, ended, outcome: Err(cause.clone()) });
        }
    }

    /// Records the requests in flight that nothing awaits any more.
    fn record_unfinished(&self, is_abandoned: impl Fn(&PreparedRequest) -> bool) {
        let (ended, mut recorder) = (Instant::now(), self.recorder.borrow_mut());
        self.in_flight.borrow_mut().retain(|_, &mut InFlight { request, intended, sent }| {
            let is_kept = !self.prepared.requests.get(request).is_some_and(&is_abandoned);
            if !is_kept {
                let outcome = Err(Failed::unfinished());
                recorder.add_unfinished(&Sample { request, intended, sent: Some(sent), ended, outcome });
            }
            is_kept
        });
    }

    /// Returns the state of the generator, with the lag that has not ended yet.
    fn saturation(&self) -> Saturation {
        let mut gauge = self.gauge.borrow_mut();
        gauge.lagged_by(self.lag_from.get().elapsed().saturating_sub(LAG_INTERVAL));
        gauge.end()
    }

    /// Waits for the end of the run, and starts its requests if they have fixed times.
    async fn pass_time(&self) -> io::Result<Saturation> {
        let (from, until) = {
            let recorder = self.recorder.borrow();
            (recorder.from, recorder.until)
        };
        let begin = self.begin;
        let timer = Timer::new()?;
        let Pace::Open { per_second } = self.plan.pace else {
            timer.wait_until(from).await?;
            self.gauge.borrow_mut().begin();
            timer.wait_until(until).await?;
            return Ok(self.saturation());
        };
        let mut random = Random::new(self.plan.seed, u64::MAX);
        let mut is_warm = false;
        let mut number = 0_u64;
        let turn = self.plan.burst.max(MIN_TURN);
        loop {
            let first_of_burst = number - number % self.plan.burst.max(1);
            let intended = begin + Duration::from_secs_f64(to_float(first_of_burst) / per_second);
            if intended >= until {
                timer.wait_until(until).await?;
                return Ok(self.saturation());
            }
            let is_too_late = Instant::now() >= until + self.plan.timeout;
            if is_too_late {
                // The timeout of every further request is over.
                let unstarted = started_in(until - begin, per_second).saturating_sub(number);
                return Ok(Saturation { unstarted, ..self.saturation() });
            }
            let begins = !is_warm && intended >= from;
            if begins {
                timer.wait_until(from).await?;
                self.gauge.borrow_mut().begin();
                is_warm = true;
            }
            let is_early = intended > Instant::now();
            // The users have a turn even if the generator is late, but not within a large burst, which would delay its rest.
            if is_early || (number + 1).is_multiple_of(turn) {
                timer.wait_until(intended).await?;
            }
            self.gauge.borrow_mut().started_late_by(intended.elapsed());
            self.start(Due { request: self.prepared.choose(&mut random), intended });
            number += 1;
        }
    }

    /// Lets the next free user send a request.
    fn start(&self, due: Due) {
        let mut waiting = self.due.borrow_mut();
        if waiting.len() < MAX_DUE {
            waiting.push_back(due);
            self.is_due.notify_one();
            return;
        }
        let (Due { request, intended }, now) = (due, Instant::now());
        let outcome = Err(Failed::not_sent());
        let sample = Sample { request, intended, sent: None, ended: now, outcome };
        self.recorder.borrow_mut().add_with(&sample, self.plan.timeout);
    }

    /// Sends the requests that are due, as one of the users of an open loop.
    async fn serve_due(&self, user: u64) {
        let mut user = User::new(user, &self.plan.remote);
        loop {
            let next = self.due.borrow_mut().pop_front();
            match next {
                Some(Due { request, intended }) => {
                    self.attempt(&mut user, request, intended).await;
                }
                None if self.is_over.get() => return,
                None => self.is_due.notified().await,
            }
        }
    }

    /// Sends one request after the other: `only` one of the mix, or those that the weights choose.
    async fn repeat(&self, user: u64, only: Option<usize>) {
        let mut random = Random::new(self.plan.seed, user);
        let mut user = User::new(user, &self.plan.remote);
        while !self.is_over.get() {
            let request = only.unwrap_or_else(|| self.prepared.choose(&mut random));
            let is_success = self.attempt(&mut user, request, Instant::now()).await;
            let think = self.prepared.requests.get(request).map_or(Duration::ZERO, |request| request.think);
            if !think.is_zero() {
                // Between half and one and a half times the mean, so that users do not move in step.
                let millis = u64::try_from(think.as_millis()).unwrap_or(u64::MAX);
                self.rest(Duration::from_millis(millis / 2 + random.below(millis + 1))).await;
            } else if !is_success {
                self.rest(RETRY_DELAY).await;
            }
        }
    }

    /// Waits, or less if the run is over.
    async fn rest(&self, time: Duration) {
        if self.is_over.get() {
            return;
        }
        let _ = timeout(time, self.ended.notified()).await;
    }

    /// Sends a request, reads its response and records both. Returns true if it was a success.
    async fn attempt(&self, user: &mut User, index: usize, intended: Instant) -> bool {
        let Some(request) = self.prepared.requests.get(index) else { return false };
        let sequence = self.sequence.replace(self.sequence.get() + 1);
        let left = self.plan.timeout.saturating_sub(intended.elapsed());
        let mut opened = None;
        let (sent, outcome) = if left.is_zero() {
            (None, Err(Failed::not_sent()))
        } else {
            let sent = Instant::now();
            self.in_flight.borrow_mut().insert(sequence, InFlight { request: index, intended, sent });
            let carried_out = user.carry_out(&self.prepared, request, sequence, left).await;
            self.in_flight.borrow_mut().remove(&sequence);
            let outcome = carried_out.map(|(bytes, socket)| {
                opened = socket;
                bytes
            });
            (Some(sent), outcome)
        };
        let is_success = outcome.is_ok();
        let ended = Instant::now();
        {
            let mut recorder = self.recorder.borrow_mut();
            recorder.add(&Sample { request: index, intended, sent, ended, outcome });
            recorder.connections += user.connection.take_opened();
        }
        if let Some(opened) = opened {
            self.stay(&mut user.client, opened).await;
        }
        is_success
    }

    /// Keeps a socket open for its time, or until the run is over.
    async fn stay(&self, client: &mut Client, Opened { visit, mut socket, mut facts }: Opened) {
        let is_ended = tokio::select! {
            () = self.rest(visit.time()) => false,
            _ = client.stay(&mut socket, &mut facts) => true,
        };
        facts.ended_early = u64::from(is_ended);
        self.recorder.borrow_mut().visits.absorb(facts);
    }

    async fn measure_lag(&self) {
        while !self.is_over.get() {
            let before = Instant::now();
            self.lag_from.set(before);
            sleep(LAG_INTERVAL).await;
            let lag = before.elapsed().saturating_sub(LAG_INTERVAL);
            self.gauge.borrow_mut().lagged_by(lag);
        }
    }
}

/// Returns the number of requests of an open loop that start in a time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is positive and rounded up")]
fn started_in(time: Duration, per_second: f64) -> u64 {
    (time.as_secs_f64() * per_second).ceil() as u64
}
