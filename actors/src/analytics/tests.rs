use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Semaphore;

use super::*;
use crate::waiting::until;

/// Counts its calls; a count ends when the test allows it.
struct Abacus {
    counts: AtomicI64,
    at_once: AtomicUsize,
    max_at_once: AtomicUsize,
    is_broken: AtomicBool,
    turns: Semaphore,
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self(Arc::new(Abacus {
            counts: AtomicI64::new(0),
            at_once: AtomicUsize::new(0),
            max_at_once: AtomicUsize::new(0),
            is_broken: AtomicBool::new(false),
            turns: Semaphore::new(0),
        })))
    }
}

struct Counting(Arc<Abacus>);

impl AnalyticsSource for Counting {
    fn count(&self, _: Question) -> BoxFuture<'static, Result<Vec<Figure>, AppError>> {
        let abacus = self.0.clone();
        async move {
            let at_once = abacus.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            abacus.max_at_once.fetch_max(at_once, Ordering::SeqCst);
            abacus.turns.acquire().await.unwrap().forget();
            abacus.at_once.fetch_sub(1, Ordering::SeqCst);
            let value = abacus.counts.fetch_add(1, Ordering::SeqCst) + 1;
            if abacus.is_broken.load(Ordering::SeqCst) {
                return Err(AppError::new("app.post.analytics_posts_count.app_error"));
            }
            Ok(vec![Figure { name: "asked".into(), value }])
        }
        .boxed()
    }
}

fn about(team_id: &str) -> Question {
    Question { topic: Topic::Standard, team_id: team_id.to_owned() }
}

async fn value(analytics: &AnalyticsHandle, team_id: &str) -> i64 {
    analytics.answer(about(team_id)).await.unwrap().figures[0].value
}

#[actix_rt::test]
async fn many_who_ask_the_same_cause_one_count_and_different_ones_follow_each_other() {
    let source = Counting::new();
    let analytics = AnalyticsHandle::start(source.clone(), Duration::from_hours(1));
    source.0.turns.add_permits(100);
    let counts = (0..40).map(|n| value(&analytics, ["a", "b", "c", "d"][n % 4]));
    let mut values = join_all(counts).await;
    values.sort_unstable();
    values.dedup();
    assert_eq!(values, [1, 2, 3, 4]);
    assert_eq!(source.0.max_at_once.load(Ordering::SeqCst), 1);
    assert_eq!(value(&analytics, "a").await, value(&analytics, "a").await);
    assert_eq!(source.0.counts.load(Ordering::SeqCst), 4);
}

#[test]
fn a_result_is_kept_in_proportion_to_the_time_of_its_count() {
    let limit = Duration::from_mins(5);
    for (took_ms, kept_ms) in [(0, 2_000), (1, 2_000), (40, 2_000), (41, 2_050), (1_000, 50_000), (10_000, 300_000)] {
        assert_eq!(max_age(Duration::from_millis(took_ms), limit), Duration::from_millis(kept_ms), "{took_ms} ms");
    }
    assert_eq!(max_age(Duration::MAX, limit), limit);
    assert_eq!(max_age(Duration::from_secs(1), Duration::ZERO), Duration::ZERO);
    assert_eq!(max_age(Duration::ZERO, Duration::from_secs(1)), Duration::from_secs(1));
}

#[actix_rt::test]
async fn a_caller_waits_for_a_quick_count_instead_of_an_old_answer() {
    let source = Counting::new();
    let analytics = AnalyticsHandle::start(source.clone(), Duration::ZERO);
    source.0.turns.add_permits(3);
    for expected in 1..=3 {
        assert_eq!(value(&analytics, "a").await, expected);
    }
}

#[actix_rt::test]
async fn an_old_answer_is_returned_while_a_count_takes_long() {
    let source = Counting::new();
    let analytics = AnalyticsHandle::start(source.clone(), Duration::ZERO);
    source.0.turns.add_permits(1);
    assert_eq!(value(&analytics, "a").await, 1);
    // The test does not allow the second count to end.
    assert_eq!((value(&analytics, "a").await, value(&analytics, "a").await), (1, 1));
    source.0.turns.add_permits(1);
    until("the second count is shown", async || value(&analytics, "a").await != 1).await;
}

#[actix_rt::test]
async fn a_failure_keeps_the_earlier_answer_and_is_not_repeated_at_once() {
    let source = Counting::new();
    let analytics = AnalyticsHandle::start(source.clone(), Duration::ZERO);
    source.0.turns.add_permits(1);
    assert_eq!(value(&analytics, "a").await, 1);
    source.0.is_broken.store(true, Ordering::SeqCst);
    source.0.turns.add_permits(100);
    for _ in 0..2 {
        let refused = analytics.answer(about("b")).await.unwrap_err();
        assert_eq!(refused.id, "app.post.analytics_posts_count.app_error");
    }
    assert_eq!(value(&analytics, "a").await, 1);
    // The old answer of "a" started one more count; the failure of "b" was returned twice.
    until("it is counted once more", async || source.0.counts.load(Ordering::SeqCst) >= 3).await;
    assert_eq!(value(&analytics, "a").await, 1);
    assert_eq!(source.0.counts.load(Ordering::SeqCst), 3);
}

#[actix_rt::test]
async fn what_was_counted_is_forgotten_when_that_is_asked_for() {
    let source = Counting::new();
    let analytics = AnalyticsHandle::start(source.clone(), Duration::from_hours(1));
    source.0.turns.add_permits(2);
    assert_eq!(value(&analytics, "a").await, 1);
    analytics.invalidate().await.unwrap();
    assert_eq!(value(&analytics, "a").await, 2);
}

#[actix_rt::test]
async fn so_many_questions_wait_and_so_many_answers_are_kept() {
    let source = Counting::new();
    let analytics = AnalyticsHandle::start(source.clone(), Duration::from_hours(1));
    // No count ends yet, so the first answer is that of the question for which there was no room.
    let requests = (0..=MAX_QUEUED_QUESTIONS).map(|n| analytics.answer(about(&n.to_string())));
    let mut waiting: FuturesUnordered<_> = requests.collect();
    let refused = waiting.next().await.unwrap().unwrap_err();
    assert_eq!((refused.id.as_ref(), waiting.len()), (BUSY, MAX_QUEUED_QUESTIONS));
    source.0.turns.add_permits(1_000);
    let answered: Vec<_> = waiting.collect().await;
    assert!(answered.iter().all(Result::is_ok), "{answered:?}");
    for n in 0..MAX_CACHED_RESULTS {
        value(&analytics, &format!("more {n}")).await;
    }
    assert_eq!(locked(&analytics.answers).len(), MAX_CACHED_RESULTS);
}
