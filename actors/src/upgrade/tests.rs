use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::*;
use crate::waiting::until;

const RUNNING: &str = "api.upgrade_to_enterprise.app_error";

/// An upgrade in progress: its progress, and the sender that ends it.
type InProgress = (Progress, oneshot::Sender<Result<Outcome, AppError>>);

/// A replacement that ends when the test says so.
#[derive(Default)]
struct Scripted {
    refusal: Mutex<Option<&'static str>>,
    is_replaced: AtomicBool,
    in_progress: Mutex<Vec<InProgress>>,
}

impl Replacement for Scripted {
    fn check(&self) -> BoxFuture<'static, Result<(), AppError>> {
        let refusal = *self.refusal.lock().unwrap();
        async move { refusal.map_or(Ok(()), |id| Err(AppError::new(id))) }.boxed()
    }

    fn is_replaced(&self) -> BoxFuture<'static, bool> {
        let is_replaced = self.is_replaced.load(Ordering::Relaxed);
        async move { is_replaced }.boxed()
    }

    fn is_in_place(&self) -> BoxFuture<'static, bool> {
        async move { false }.boxed()
    }

    fn replace(&self, _: Scope, progress: Progress) -> BoxFuture<'static, Result<Outcome, AppError>> {
        let (end, ended) = oneshot::channel();
        self.in_progress.lock().unwrap().push((progress, end));
        async move { ended.await.expect("the test dropped it") }.boxed()
    }
}

impl Scripted {
    fn started(&self) -> InProgress {
        self.in_progress.lock().unwrap().pop().unwrap()
    }
}

fn start() -> (Arc<Scripted>, UpgradeHandle) {
    let scripted = Arc::<Scripted>::default();
    let upgrade = UpgradeHandle::start(scripted.clone());
    (scripted, upgrade)
}

fn release(version: &str) -> Release {
    Release { version: version.to_owned(), target: "here".to_owned(), sha256: "0a".to_owned() }
}

async fn ended(upgrade: &UpgradeHandle) -> Stage {
    let mut stage = upgrade.stage.clone();
    stage.wait_for(|stage| !matches!(stage, Stage::InProgress(_))).await.unwrap().clone()
}

#[actix_rt::test]
async fn there_is_one_upgrade_at_a_time_and_none_after_a_complete_one() {
    let (scripted, upgrade) = start();
    assert_eq!(upgrade.stage().percentage(), 0);
    upgrade.begin().await.unwrap();
    assert_eq!(upgrade.stage().percentage(), 1);
    assert_eq!(upgrade.begin().await.unwrap_err().id, RUNNING);
    let (progress, end) = scripted.started();
    for (done, percentage) in [(0, 1), (50, 25), (199, 99), (200, 99), (u64::MAX, 99)] {
        progress.tell(done, 200);
        assert_eq!(upgrade.stage().percentage(), percentage);
    }
    end.send(Ok(Outcome::InPlace(release("2.0.0")))).unwrap();
    assert_eq!(ended(&upgrade).await.percentage(), 100);
    assert_eq!(upgrade.begin().await.unwrap_err().id, "api.upgrade_to_enterprise.already-done.app_error");
}

#[actix_rt::test]
async fn a_failed_upgrade_tells_why_and_another_may_follow() {
    let (scripted, upgrade) = start();
    upgrade.begin().await.unwrap();
    scripted.started().1.send(Err(AppError::new("api.upgrade_to_enterprise_status.signature.app_error"))).unwrap();
    let Stage::Failed(cause) = ended(&upgrade).await else { panic!("it did not fail") };
    assert_eq!(cause.id, "api.upgrade_to_enterprise_status.signature.app_error");
    upgrade.begin().await.unwrap();
    assert_eq!(upgrade.stage().percentage(), 1);
}

#[actix_rt::test]
async fn what_cannot_be_replaced_does_not_begin() {
    let (scripted, upgrade) = start();
    *scripted.refusal.lock().unwrap() = Some("api.upgrade_to_enterprise.invalid-permission.app_error");
    let refused = upgrade.begin().await.unwrap_err();
    assert_eq!(refused.id, "api.upgrade_to_enterprise.invalid-permission.app_error");
    assert_eq!(upgrade.check().await.unwrap_err().id, refused.id);
    assert!(matches!(upgrade.stage(), Stage::Idle));
}

#[actix_rt::test]
async fn a_program_that_another_server_replaced_begins_among_others_only() {
    let (scripted, upgrade) = start();
    scripted.is_replaced.store(true, Ordering::Relaxed);
    *scripted.refusal.lock().unwrap() = Some("api.upgrade_to_enterprise.generic_error.app_error");
    assert_eq!(upgrade.begin().await.unwrap_err().id, "api.upgrade_to_enterprise.generic_error.app_error");
    upgrade.begin_among_others(None).await.unwrap();
    assert_eq!(upgrade.begin_among_others(None).await.unwrap_err().id, RUNNING);
}

#[actix_rt::test]
async fn a_program_that_is_the_newest_release_waits_for_no_restart_and_another_upgrade_may_follow() {
    let (scripted, upgrade) = start();
    upgrade.begin_among_others(Some(release("2.0.0"))).await.unwrap();
    scripted.started().1.send(Ok(Outcome::Running(release("2.0.0")))).unwrap();
    let Stage::Current(found) = ended(&upgrade).await else { panic!("it is not current") };
    assert_eq!((&*found.version, upgrade.stage().percentage()), ("2.0.0", 0));
    upgrade.begin_among_others(None).await.unwrap();
    assert_eq!(upgrade.stage().percentage(), 1);
}

#[test]
fn a_release_is_the_same_for_other_machines_and_another_one_with_another_version_or_program() {
    let other = |version: &str, target: &str, sha256: &str| Release {
        version: version.to_owned(),
        target: target.to_owned(),
        sha256: sha256.to_owned(),
    };
    let one = other("2.0.0", "a", "0a");
    assert!(one.is_same(&one) && one.is_same(&other("2.0.0", "b", "0b")));
    for different in [other("2.0.1", "a", "0a"), other("2.0.1", "b", "0b"), other("2.0.0", "a", "0b")] {
        assert!(!one.is_same(&different), "{different:?}");
    }
}

#[actix_rt::test]
async fn a_crash_of_the_actor_stops_no_upgrade_and_lets_no_second_one_begin() {
    let (scripted, upgrade) = start();
    upgrade.begin().await.unwrap();
    upgrade.vitals().crash();
    until("the actor is rebuilt", async || upgrade.vitals().restarts() > 0).await;
    assert_eq!(upgrade.begin().await.unwrap_err().id, RUNNING);
    scripted.started().1.send(Ok(Outcome::InPlace(release("2.0.0")))).unwrap();
    assert_eq!(ended(&upgrade).await.percentage(), 100);
}

#[actix_rt::test]
async fn an_upgrade_that_panics_has_failed() {
    let (scripted, upgrade) = start();
    upgrade.begin().await.unwrap();
    drop(scripted.started());
    let Stage::Failed(cause) = ended(&upgrade).await else { panic!("it did not fail") };
    assert_eq!(cause.id, "api.upgrade_to_enterprise_status.app_error");
    upgrade.begin().await.unwrap();
}
