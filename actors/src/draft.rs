//! The audit record of a change that is in progress. The store saves it with the first commit of that change.
//!
//! A request runs `within` a draft. At each commit the store calls `Draft::current` and stores the draft in the same
//! transaction. So each change on the disk has a record there, even if the process ends before the audit trail has it.
//! A message to an actor carries the draft: the handle takes `Draft::current`, and the actor does its work `around` it.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::audit::AuditRecord;

tokio::task_local! {
    static SCOPE: Scope;
}

/// The draft that a task-local variable holds while the task works on one change.
#[derive(Clone)]
struct Scope {
    /// Makes the record from the facts that are known at the time of the call.
    record: Rc<dyn Fn() -> AuditRecord>,
    progress: Progress,
}

/// Shared flag: true once the draft is stored.
#[derive(Clone, Default)]
pub struct Progress(Arc<AtomicBool>);

impl Progress {
    /// Returns true once a commit has stored the draft.
    pub fn is_stored(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Notes that a commit has stored the draft, so that later commits do not store it again.
    pub fn note_stored(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The audit record of a change, with the facts that are known before its end.
#[derive(Clone)]
pub struct Draft {
    /// The record.
    pub record: Arc<AuditRecord>,
    /// True once the draft is stored.
    pub progress: Progress,
}

impl Draft {
    /// Makes a draft that is not stored yet.
    pub fn new(record: AuditRecord) -> Self {
        Self { record: Arc::new(record), progress: Progress::default() }
    }

    /// Returns the draft of the change that this task works on, unless it is stored already.
    pub fn current() -> Option<Self> {
        let scope = SCOPE.try_with(Scope::clone).ok()?;
        (!scope.progress.is_stored())
            .then(|| Self { record: Arc::new((scope.record)()), progress: scope.progress.clone() })
    }

    /// Returns true if `current` returns a draft.
    pub fn is_wanted() -> bool {
        SCOPE.try_with(|scope| !scope.progress.is_stored()).unwrap_or_default()
    }

    /// Runs `work` as part of this change.
    pub async fn around<F: Future>(self, work: F) -> F::Output {
        let record = self.record;
        within(move || (*record).clone(), self.progress, work).await
    }
}

/// Runs `work` as part of a change. At a commit, `record` makes the audit record from the facts known by then.
pub async fn within<F: Future>(record: impl Fn() -> AuditRecord + 'static, progress: Progress, work: F) -> F::Output {
    SCOPE.scope(Scope { record: Rc::new(record), progress }, work).await
}

/// Runs `work` as part of the draft's change, if there is a draft.
pub async fn around<F: Future>(draft: Option<Draft>, work: F) -> F::Output {
    match draft {
        Some(draft) => draft.around(work).await,
        None => work.await,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::audit::tests::record;

    #[actix_rt::test]
    async fn a_draft_is_what_is_known_at_the_commit_and_wanted_until_it_is_stored() {
        let (known, progress) = (Rc::new(Cell::new(1)), Progress::default());
        let latest = known.clone();
        let work = async {
            known.set(2);
            let draft = Draft::current().unwrap();
            assert_eq!(draft.record.at, 2);
            around(Some(draft), async { Draft::current().unwrap().progress.note_stored() }).await;
            assert!(!Draft::is_wanted() && Draft::current().is_none());
        };
        within(move || AuditRecord { at: latest.get(), ..record("one") }, progress.clone(), work).await;
        assert!(progress.is_stored());
    }

    #[actix_rt::test]
    async fn work_without_a_draft_and_work_of_another_task_have_none() {
        assert!(Draft::current().is_none());
        let other = async { actix_rt::spawn(async { Draft::is_wanted() }).await.unwrap() };
        assert!(!Draft::new(record("one")).around(other).await);
        assert!(!around(None, async { Draft::is_wanted() }).await);
    }
}
