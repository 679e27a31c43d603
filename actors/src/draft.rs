//! The record of a change that is under way, which the store keeps with the first commit of that change.
//!
//! A request runs `within` a draft; the store asks for `Draft::current` at each commit and stores the draft in the same
//! transaction. So a change that is on the disk has a record there, also when the process ends before the trail has it.
//! A message to an actor carries the draft along: the handle takes `Draft::current`, the actor works `around` it.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::audit::AuditRecord;

tokio::task_local! {
    static SCOPE: Scope;
}

/// The work of one task for one change.
#[derive(Clone)]
struct Scope {
    /// Makes the record of what is known now.
    record: Rc<dyn Fn() -> AuditRecord>,
    progress: Progress,
}

/// Says whether a draft is stored.
#[derive(Clone, Default)]
pub struct Progress(Arc<AtomicBool>);

impl Progress {
    /// True once a commit took the draft along.
    pub fn is_stored(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Notes that a commit took the draft along: the next ones need not.
    pub fn note_stored(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The record of a change as far as it is known before its end.
#[derive(Clone)]
pub struct Draft {
    /// The record.
    pub record: Arc<AuditRecord>,
    /// Says whether it is stored.
    pub progress: Progress,
}

impl Draft {
    /// A draft that is not stored yet.
    pub fn new(record: AuditRecord) -> Self {
        Self { record: Arc::new(record), progress: Progress::default() }
    }

    /// The draft of the work that this task does, unless it is stored already.
    pub fn current() -> Option<Self> {
        let scope = SCOPE.try_with(Scope::clone).ok()?;
        (!scope.progress.is_stored())
            .then(|| Self { record: Arc::new((scope.record)()), progress: scope.progress.clone() })
    }

    /// True where `current` gives one.
    pub fn is_wanted() -> bool {
        SCOPE.try_with(|scope| !scope.progress.is_stored()).unwrap_or_default()
    }

    /// Does work that belongs to this change.
    pub async fn around<F: Future>(self, work: F) -> F::Output {
        let record = self.record;
        within(move || (*record).clone(), self.progress, work).await
    }
}

/// Does work for a change; `record` makes its record of what is known at the moment of a commit.
pub async fn within<F: Future>(record: impl Fn() -> AuditRecord + 'static, progress: Progress, work: F) -> F::Output {
    SCOPE.scope(Scope { record: Rc::new(record), progress }, work).await
}

/// Does work that belongs to the change of this draft, if there is one.
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
