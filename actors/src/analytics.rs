//! Statistics of the site. They are expensive to count, so the last result is kept and served.
//!
//! The server counts one question at a time. Callers who ask the same question meanwhile wait for the same answer.
//! A result is kept for a time that depends on how long its count took, so quick counts are almost always current.
//! After this time it is counted again. Callers wait for this count only if the last one was quick; if it takes longer
//! this time, they get the earlier result, however old it is.
//! A crash loses the counts in progress, and their callers get an error. Earlier results stay.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};

/// The maximum number of results that are kept. The oldest one is dropped first.
const MAX_CACHED_RESULTS: usize = 256;

/// The maximum number of questions that wait. Callers with another question are refused.
const MAX_QUEUED_QUESTIONS: usize = 32;

/// A result is kept for this multiple of the time that its count took.
const AGE_PER_COUNT_TIME: u32 = 50;

/// The minimum time for which a result is kept, unless the settings allow less.
const MIN_AGE: Duration = Duration::from_secs(2);

/// The longest time that a quick count takes. Callers with an earlier result wait for a quick count only, and no longer
/// than twice this time.
const QUICK_COUNT: Duration = Duration::from_millis(250);

/// The maximum time that a caller waits for a first result. The count continues after it.
const FIRST_RESULT_TIMEOUT: Duration = Duration::from_secs(15);

/// The time after a failure during which the same question is not counted again.
const RETRY_DELAY: Duration = Duration::from_secs(30);

const FAILED: &str = "app.analytics.getanalytics.internal_error";
const BUSY: &str = "api.context.server_busy.app_error";

/// A group of statistics that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Channels, messages, users, teams and active users.
    Standard,
    /// Messages for each day.
    PostsByDay,
    /// Messages of bots for each day.
    BotPostsByDay,
    /// Users who posted, for each day.
    AuthorsByDay,
    /// Webhooks, commands, sessions and files.
    Extra,
}

/// A question for statistics.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The group of statistics.
    pub topic: Topic,
    /// The team's id; empty for all teams.
    pub team_id: String,
}

/// One statistic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Its name, or the day.
    pub name: Cow<'static, str>,
    /// The count; -1 if it is not counted.
    pub value: i64,
}

/// The answer to a question, with the time of the count.
#[derive(Debug)]
pub struct Counted {
    /// The statistics in the order of the API's contract.
    pub figures: Vec<Figure>,
    at: Instant,
    /// The duration of the count.
    took: Duration,
    /// The age from which the result is counted again.
    max_age: Duration,
}

impl Counted {
    /// Returns the time since the count.
    pub fn age(&self) -> Duration {
        self.at.elapsed()
    }

    fn is_current(&self) -> bool {
        self.age() < self.max_age
    }
}

/// Returns the age from which the result of a count that took this time is counted again. `limit` is the setting.
fn max_age(took: Duration, limit: Duration) -> Duration {
    took.saturating_mul(AGE_PER_COUNT_TIME).max(MIN_AGE).min(limit)
}

impl Topic {
    /// Returns the topic with the API's name `name`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "standard" => Some(Self::Standard),
            "post_counts_day" => Some(Self::PostsByDay),
            "bot_post_counts_day" => Some(Self::BotPostsByDay),
            "user_counts_with_posts_day" => Some(Self::AuthorsByDay),
            "extra_counts" => Some(Self::Extra),
            _ => None,
        }
    }
}

/// Counts statistics.
pub trait AnalyticsSource: Send + Sync {
    /// Counts the answer, one statement after the other.
    fn count(&self, question: Question) -> BoxFuture<'static, Result<Vec<Figure>, AppError>>;
}

/// The result of a count, or the id of the error.
type Outcome = Result<Arc<Counted>, Cow<'static, str>>;

type Answers = Arc<Mutex<HashMap<Question, Arc<Counted>>>>;

/// The handle of the actor. It reads earlier results itself and sends a message to the actor for new ones.
#[derive(Clone)]
pub struct AnalyticsHandle {
    actor: ActorRef<AnalyticsActor>,
    answers: Answers,
}

impl AnalyticsHandle {
    /// Starts the actor without any results. Results are kept for `max_age` at most.
    pub fn start(source: Arc<dyn AnalyticsSource>, max_age: Duration) -> Self {
        let answers = Answers::default();
        let cached = answers.clone();
        let actor = supervise("analytics", move || AnalyticsActor {
            source: source.clone(),
            answers: cached.clone(),
            max_age,
            waiting: HashMap::new(),
            queue: VecDeque::new(),
            failures: HashMap::new(),
            is_counting: false,
            generation: 0,
        });
        Self { actor, answers }
    }

    /// Returns the earlier result if it is current. Otherwise waits for the count; with an earlier result, only for a
    /// quick one.
    pub async fn answer(&self, question: Question) -> Result<Arc<Counted>, AppError> {
        let known = locked(&self.answers).get(&question).cloned();
        if let Some(current) = known.as_ref().filter(|known| known.is_current()) {
            return Ok(current.clone());
        }
        let joined = self.actor.ask(Join(question)).await.and_then(|joined| joined);
        if let Some(known) = known {
            return Ok(counted_quickly(&known, joined).await.unwrap_or(known));
        }
        let mut outcome = joined?;
        let outcome =
            timeout(FIRST_RESULT_TIMEOUT, outcome.wait_for(Option::is_some)).await.map_err(|_| AppError::new(BUSY))?;
        let outcome = outcome.map_err(|_| AppError::new(FAILED))?.clone();
        outcome.unwrap_or_else(|| Err(FAILED.into())).map_err(AppError::new)
    }

    /// Drops all results. Counts in progress are not kept either.
    pub async fn invalidate(&self) -> Result<(), AppError> {
        self.actor.ask(Invalidate).await
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

/// Waits for the count that replaces an earlier result. Returns `None` if this count fails or is not quick.
async fn counted_quickly(
    earlier: &Counted,
    joined: Result<watch::Receiver<Option<Outcome>>, AppError>,
) -> Option<Arc<Counted>> {
    let mut outcome = joined.ok().filter(|_| earlier.took <= QUICK_COUNT)?;
    let outcome = timeout(QUICK_COUNT * 2, outcome.wait_for(Option::is_some)).await.ok()?.ok()?.clone();
    outcome?.ok()
}

fn locked(answers: &Answers) -> MutexGuard<'_, HashMap<Question, Arc<Counted>>> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

struct AnalyticsActor {
    source: Arc<dyn AnalyticsSource>,
    answers: Answers,
    max_age: Duration,
    /// The callers of each count that is in progress or in the queue.
    waiting: HashMap<Question, watch::Sender<Option<Outcome>>>,
    queue: VecDeque<Question>,
    failures: HashMap<Question, (Instant, Cow<'static, str>)>,
    is_counting: bool,
    /// A count that was begun in an earlier generation is not kept.
    generation: u64,
}

impl Actor for AnalyticsActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<watch::Receiver<Option<Outcome>>, AppError>")]
struct Join(Question);

impl Handler<Join> for AnalyticsActor {
    type Result = Result<watch::Receiver<Option<Outcome>>, AppError>;

    fn handle(&mut self, Join(question): Join, context: &mut Self::Context) -> Self::Result {
        // Another caller's count may have ended since the handle looked.
        let known = locked(&self.answers).get(&question).cloned();
        if let Some(current) = known.filter(|known| known.is_current()) {
            return Ok(watch::channel(Some(Ok(current))).1);
        }
        if let Some(waiting) = self.waiting.get(&question) {
            return Ok(waiting.subscribe());
        }
        self.failures.retain(|_, (at, _)| at.elapsed() < RETRY_DELAY);
        if let Some((_, id)) = self.failures.get(&question) {
            return Err(AppError::new(id.clone()));
        }
        if self.waiting.len() >= MAX_QUEUED_QUESTIONS {
            return Err(AppError::new(BUSY));
        }
        let (outcome, joined) = watch::channel(None);
        self.waiting.insert(question.clone(), outcome);
        self.queue.push_back(question);
        self.go_on(context);
        Ok(joined)
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Invalidate;

impl Handler<Invalidate> for AnalyticsActor {
    type Result = ();

    fn handle(&mut self, _: Invalidate, _: &mut Self::Context) {
        self.generation += 1;
        self.failures.clear();
        locked(&self.answers).clear();
    }
}

impl AnalyticsActor {
    /// Starts the count that has waited longest, unless a count is in progress.
    fn go_on(&mut self, context: &mut Context<Self>) {
        if self.is_counting {
            return;
        }
        let Some(question) = self.queue.pop_front() else { return };
        self.is_counting = true;
        let (generation, begun) = (self.generation, Instant::now());
        let counting = self.source.count(question.clone()).into_actor(self);
        context.spawn(counting.map(move |counted, actor, context| {
            actor.is_counting = false;
            actor.end(&question, counted, (generation, begun.elapsed()));
            actor.go_on(context);
        }));
    }

    fn end(
        &mut self,
        question: &Question,
        counted: Result<Vec<Figure>, AppError>,
        (generation, took): (u64, Duration),
    ) {
        let outcome = match counted {
            Ok(figures) => {
                let max_age = max_age(took, self.max_age);
                let counted = Arc::new(Counted { figures, at: Instant::now(), took, max_age });
                if generation == self.generation {
                    self.keep(question.clone(), counted.clone());
                }
                Ok(counted)
            }
            Err(cause) => {
                warn!(
                    %cause,
                    topic = ?question.topic,
                    "analytics figures could not be counted; the earlier figures stay in use"
                );
                self.failures.insert(question.clone(), (Instant::now(), cause.id.clone()));
                Err(cause.id)
            }
        };
        if let Some(waiting) = self.waiting.remove(question) {
            waiting.send_replace(Some(outcome));
        }
    }

    fn keep(&self, question: Question, counted: Arc<Counted>) {
        let mut answers = locked(&self.answers);
        let is_full = answers.len() >= MAX_CACHED_RESULTS && !answers.contains_key(&question);
        let oldest = answers.iter().max_by_key(|(_, counted)| counted.age()).map(|(question, _)| question.clone());
        if let Some(oldest) = oldest.filter(|_| is_full) {
            answers.remove(&oldest);
        }
        answers.insert(question, counted);
    }
}

#[cfg(test)]
mod tests;
