//! Verifies the audit trail in the background: all rows at first and once a day, and every few minutes those that were
//! added since. A task is the only writer; callers read what is published, and may request a verification of all rows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quarterdeck_actors::clock::wall_ms;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};
use utoipa::ToSchema;

use crate::store::{Db, Finding, Pace, StoreError, Walk};

/// The time after which all rows are verified again, because a row could have been changed after its verification.
const WHOLE_INTERVAL: Duration = Duration::from_hours(24);

/// The delay between two pages, so that a verification in the background takes a small part of the database. There is none
/// while a caller waits for it.
const PAGE_DELAY: Duration = Duration::from_millis(50);

/// The delay after which a page is read again that could not be read.
const RETRY_DELAY: Duration = Duration::from_secs(30);

/// The maximum number of findings that are listed; further ones are counted.
const MAX_LISTED: usize = 20;

/// A row has at most 200 KiB, so a page has at most 6 MiB. No row is searched for, because a search reads the whole trail.
const PACE: Pace = Pace { rows_per_page: 32, searches: false };

/// The state of the verification.
pub(crate) struct Verification {
    /// True while a verification of all rows is requested.
    is_wanted: AtomicBool,
    wake: Notify,
    published: watch::Sender<Arc<Published>>,
}

/// The finding of the last verification; `broken` also if the one that is under way has found this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, Default)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditVerificationState)]
pub(crate) enum State {
    /// None has ended since the start of the server.
    #[default]
    NotVerified,
    /// All rows are as the servers wrote them.
    Intact,
    /// The rows whose keys this server has are as they were written; others cannot be verified, but a verified record names
    /// their keys.
    Incomplete,
    /// Rows were changed, moved, removed or added by anything but a server, or have a key of which no verified record tells.
    Broken,
}

/// A difference between the trail and what the servers wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AuditFinding)]
pub(crate) struct Listed {
    /// The number of the first row that it is about; null if it is about the end of the trail alone.
    row: Option<i64>,
    /// A sentence that says what was found.
    text: String,
}

/// The knowledge about the audit trail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AuditVerification)]
pub(crate) struct Report {
    /// The finding of the last verification; `broken` also if the one that is under way has found this.
    pub(crate) state: State,
    /// True while a verification is under way or about to begin.
    is_running: bool,
    /// The number of rows that it has verified.
    checked_rows: u64,
    /// The number of rows that it has not verified.
    rows_left: u64,
    /// The end of the last verification, in Unix milliseconds; 0 if there was none since the start of this server.
    verified_at: i64,
    /// The end of the last verification of all rows. Later ones verified the rows that were added.
    whole_at: i64,
    /// The number of the first verified row; 0 for none.
    first_row: i64,
    /// The number of the last verified row; 0 for none.
    last_row: i64,
    /// The number of verified rows.
    row_count: u64,
    /// The number of findings.
    finding_count: u64,
    /// The first 20 findings.
    findings: Vec<Listed>,
    /// The number of the first row that a finding is about.
    first_broken_row: Option<i64>,
    /// The time of the last attempt to read the trail that failed, in Unix milliseconds; 0 if the last one worked.
    failed_at: i64,
}

/// The state that the task publishes.
#[derive(Clone, Default)]
struct Published {
    report: Report,
    ended: Option<Instant>,
    /// The ids of the keys that the last verification lacked.
    missing_keys: BTreeSet<String>,
}

/// A walk through the trail that can go on with rows that are added, and what it found.
pub(crate) struct Place {
    walk: Walk,
    begun: Instant,
    findings: Findings,
}

/// Findings: the first of them, and how many there were.
#[derive(Clone, Default)]
struct Findings {
    listed: Vec<Listed>,
    count: u64,
    broken: u64,
    first_row: Option<i64>,
    missing_keys: BTreeSet<String>,
}

impl Verification {
    /// Begins with a trail of which nothing is known.
    pub(crate) fn new() -> Self {
        Self { is_wanted: AtomicBool::new(false), wake: Notify::new(), published: watch::channel(Arc::default()).0 }
    }

    /// Returns what is known.
    pub(crate) fn report(&self) -> Report {
        let mut report = self.published.borrow().report.clone();
        report.is_running |= self.is_wanted.load(Ordering::Relaxed);
        report
    }

    /// Returns what the last verification found, and how long ago; `None` if there was none.
    pub(crate) fn outcome(&self) -> Option<(State, Duration)> {
        let published = self.published.borrow();
        published.ended.map(|ended| (published.report.state, ended.elapsed()))
    }

    /// Requests a verification of all rows now. One that is under way is enough, and goes on without delays. Returns the
    /// report from before its end.
    pub(crate) fn request(&self) -> Report {
        let report = Report { is_running: true, ..self.report() };
        self.is_wanted.store(true, Ordering::Relaxed);
        self.wake.notify_one();
        report
    }

    /// Waits for this time, or until a verification is requested.
    pub(crate) async fn wait(&self, time: Duration) {
        let _ = timeout(time, self.wake.notified()).await;
    }

    /// Verifies the rows after `place`, or all rows: at first, once a day, after a request, and if the last verified row is
    /// not as it was. Returns the new place.
    pub(crate) async fn verify(&self, db: &Db, place: Option<Place>) -> Place {
        let is_due = |place: &Place| place.begun.elapsed() >= WHOLE_INTERVAL;
        let place = place.filter(|place| !is_due(place) && !self.is_wanted.load(Ordering::Relaxed));
        let mut ends = Findings::default();
        let (mut place, is_whole) = self.retried(async || Self::begun(db, place.as_ref(), &mut ends).await).await;
        let before = place.walk.verified().2;
        loop {
            self.publish(|report| {
                report.is_running = true;
                (report.checked_rows, report.rows_left) = (place.walk.verified().2 - before, place.walk.left());
            });
            let Place { walk, findings, .. } = &mut place;
            let page = db.walk_page(walk, PACE, &mut |finding| findings.add(&finding)).await;
            self.tell_damage(&place.findings.with(&ends));
            let is_more = match page {
                Ok(is_more) => is_more,
                Err(cause) => {
                    self.failed(&cause).await;
                    continue;
                }
            };
            if !is_more {
                break;
            }
            if !self.is_wanted.load(Ordering::Relaxed) {
                sleep(PAGE_DELAY).await;
            }
        }
        let found = self
            .retried(async || {
                let mut found = ends.clone();
                db.end_walk(&place.walk, &mut |finding| found.add(&finding)).await?;
                Ok(found)
            })
            .await;
        self.end(&place, &found, is_whole);
        place
    }

    /// Notes that no verification is under way, after a panic in one.
    pub(crate) fn begin_again(&self) {
        self.publish(|report| report.is_running = false);
    }

    /// Returns a walk that goes on after `place`, or one through all rows.
    async fn begun(db: &Db, place: Option<&Place>, ends: &mut Findings) -> Result<(Place, bool), StoreError> {
        *ends = Findings::default();
        if let Some(Place { walk, begun, findings }) = place {
            let resumed = db.resume_walk(walk, &mut |finding| ends.add(&finding)).await?;
            if let Some(walk) = resumed {
                return Ok((Place { walk, begun: *begun, findings: findings.clone() }, false));
            }
            *ends = Findings::default();
        }
        let begun = Instant::now();
        let walk = db.begin_walk(&mut |finding| ends.add(&finding)).await?;
        Ok((Place { walk, begun, findings: Findings::default() }, true))
    }

    /// Repeats work on the database until it is done.
    async fn retried<T>(&self, mut work: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
        loop {
            match work().await {
                Ok(done) => return done,
                Err(cause) => self.failed(&cause).await,
            }
        }
    }

    async fn failed(&self, cause: &StoreError) {
        warn!(%cause, "the audit trail could not be read for its verification; the server tries again");
        self.publish(|report| report.failed_at = wall_ms());
        sleep(RETRY_DELAY).await;
    }

    /// Publishes damage before the end of the verification, which may take hours.
    fn tell_damage(&self, found: &Findings) {
        let before = self.published.borrow().report.state;
        let is_news = found.state() == State::Broken && before != State::Broken;
        if is_news {
            found.log_damage();
            self.publish(|report| found.clone().tell(report));
        }
    }

    fn end(&self, place: &Place, ends: &Findings, is_whole: bool) {
        let found = place.findings.with(ends);
        let before = self.published.borrow().clone();
        match found.state() {
            State::Broken if before.report.state != State::Broken => found.log_damage(),
            State::Intact if before.report.state == State::Broken => {
                info!("the audit trail is as the servers wrote it again");
            }
            State::NotVerified | State::Intact | State::Incomplete | State::Broken => {}
        }
        let missing_keys = found.missing_keys.clone();
        for key_id in missing_keys.difference(&before.missing_keys) {
            warn!(audit.key = key_id, "rows of the audit trail cannot be verified, because their key is missing");
        }
        if is_whole {
            self.is_wanted.store(false, Ordering::Relaxed);
        }
        let now = wall_ms();
        let (first_row, last_row, row_count) = place.walk.verified();
        let whole_at = if is_whole { now } else { before.report.whole_at };
        let mut report = Report { verified_at: now, whole_at, first_row, last_row, row_count, ..Report::default() };
        found.tell(&mut report);
        self.published.send_replace(Arc::new(Published { report, ended: Some(Instant::now()), missing_keys }));
    }

    fn publish(&self, change: impl FnOnce(&mut Report)) {
        let mut published = Published::clone(&self.published.borrow());
        change(&mut published.report);
        self.published.send_replace(Arc::new(published));
    }
}

impl Findings {
    fn add(&mut self, finding: &Finding) {
        self.count += 1;
        self.broken += u64::from(!finding.is_incomplete());
        self.missing_keys.extend(finding.missing_key().map(str::to_owned));
        self.first_row = [self.first_row, finding.row()].into_iter().flatten().min();
        if self.listed.len() < MAX_LISTED {
            self.listed.push(Listed { row: finding.row(), text: finding.to_string() });
        }
    }

    /// Returns both as one.
    fn with(&self, other: &Self) -> Self {
        let listed = self.listed.iter().chain(&other.listed).take(MAX_LISTED).cloned().collect();
        let first_row = [self.first_row, other.first_row].into_iter().flatten().min();
        let missing_keys = self.missing_keys.union(&other.missing_keys).cloned().collect();
        Self { listed, count: self.count + other.count, broken: self.broken + other.broken, first_row, missing_keys }
    }

    fn log_damage(&self) {
        let first = self.listed.first().map_or("", |first| first.text.as_str());
        error!(audit.findings = self.count, first, "the audit trail is not as the servers wrote it");
    }

    fn tell(self, report: &mut Report) {
        report.state = self.state();
        (report.finding_count, report.first_broken_row, report.findings) = (self.count, self.first_row, self.listed);
    }

    fn state(&self) -> State {
        match (self.count, self.broken) {
            (0, _) => State::Intact,
            (_, 0) => State::Incomplete,
            (_, _) => State::Broken,
        }
    }
}

#[cfg(test)]
mod tests;
