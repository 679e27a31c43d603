use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::proposal::{ChangeMode, Proposal};
use super::saving::Wanted;
use super::*;

const SAVE_FAILED: &str = "app.save_config.app_error";
const RELOAD_FAILED: &str = "api.config.reload_config.app_error";

/// Returns the scripted results, in order.
struct Scripted<T>(Mutex<VecDeque<Step<T>>>);

#[derive(Clone)]
enum Step<T> {
    Gives(T),
    Refuses,
    Panics,
}

impl<T: Clone + Send + 'static> Scripted<T> {
    fn new(steps: impl IntoIterator<Item = Step<T>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(steps.into_iter().collect())))
    }

    fn next(&self) -> BoxFuture<'static, Result<T, AppError>> {
        let step = self.0.lock().unwrap().pop_front().unwrap();
        Box::pin(async move {
            match step {
                Step::Gives(value) => Ok(value),
                Step::Refuses => Err(AppError::new("test.refused")),
                Step::Panics => panic!("asked to"),
            }
        })
    }
}

impl ConfigSource for Scripted<Overrides> {
    fn load(&self) -> BoxFuture<'static, Result<Overrides, AppError>> {
        self.next()
    }
}

/// Keeps versions in memory. Refuses or panics when a test requests it.
#[derive(Default)]
struct Memory {
    versions: Arc<Mutex<Vec<Version>>>,
    faults: Mutex<VecDeque<Step<()>>>,
}

impl ConfigStore for Memory {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        let last = self.versions.lock().unwrap().last().map(|version| version.stored.clone());
        Box::pin(async move { Ok(last) })
    }

    fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>> {
        let fault = self.faults.lock().unwrap().pop_front();
        let versions = self.versions.clone();
        Box::pin(async move {
            match fault {
                Some(Step::Refuses) => Err(AppError::new("test.refused")),
                Some(Step::Panics) => panic!("asked to"),
                Some(Step::Gives(())) | None => {
                    versions.lock().unwrap().push(version);
                    Ok(())
                }
            }
        })
    }
}

fn site_name(name: &str) -> (String, Value) {
    ("TeamSettings.SiteName".to_owned(), Value::from(name))
}

fn pinned(name: &str) -> Overrides {
    Config::from_overrides([site_name(name)]).unwrap().overrides
}

fn context() -> DecisionContext {
    DecisionContext {
        now_ms: 1,
        file_exists: Arc::new(|_| true),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(|_, value| format!("print of {}", value.as_str().map_or(0, str::len))),
    }
}

fn start(config: Config, sources: Vec<Step<Overrides>>, faults: Vec<Step<()>>) -> (ConfigHandle, Arc<Memory>) {
    let memory = Arc::new(Memory { faults: Mutex::new(faults.into()), ..Memory::default() });
    (ConfigHandle::start(config, Scripted::new(sources), memory.clone()), memory)
}

fn patch(body: Value) -> Write {
    let Value::Object(body) = body else { panic!("no object") };
    let proposal = Proposal {
        mode: ChangeMode::Patch,
        body,
        may_write: Arc::new(|_| true),
        may_read: Arc::new(|_| true),
        is_local: false,
        may_keep_secrets: true,
    };
    let author = Author {
        user_id: "anna".to_owned(),
        session_id: "session".to_owned(),
        address: "127.0.0.1".to_owned(),
        source: "api",
        comment: String::new(),
    };
    Write {
        wanted: Wanted::Proposal(proposal),
        author,
        expected: None,
        base: None,
        is_dry_run: false,
        confirm: None,
        admits: None,
        context: context(),
    }
}

fn named(name: &str) -> Write {
    patch(json!({ "TeamSettings": { "SiteName": name } }))
}

#[actix_rt::test]
async fn a_reload_is_published_and_a_refused_one_changes_nothing() {
    let first = Config::from_overrides([site_name("first")]).unwrap();
    let (config, _) = start(first, vec![Step::Gives(pinned("second")), Step::Refuses], Vec::new());
    config.reload(context()).await.unwrap();
    assert_eq!(config.current().view.team.site_name, "second");
    assert_eq!(config.reload(context()).await.unwrap_err().id, RELOAD_FAILED);
    assert_eq!(config.current().view.team.site_name, "second");
}

#[actix_rt::test]
async fn a_crash_keeps_the_published_configuration_and_the_next_message_is_served() {
    let first = Config::from_overrides([]).unwrap();
    let (config, memory) = start(first, Vec::new(), vec![Step::Panics]);
    assert_eq!(config.write(named("lost")).await.unwrap_err().id, "app.actor.ended.app_error");
    assert_eq!(config.current().view.team.site_name, "Mattermost");
    config.write(named("second")).await.unwrap();
    assert_eq!(config.current().view.team.site_name, "second");
    assert_eq!(memory.versions.lock().unwrap().len(), 1);
    assert_eq!(config.vitals().restarts(), 1);
}

#[actix_rt::test]
async fn a_change_is_published_once_it_is_stored_and_not_at_all_when_it_is_not() {
    let (config, memory) = start(Config::from_overrides([]).unwrap(), Vec::new(), vec![Step::Refuses]);
    assert_eq!(config.write(named("lost")).await.unwrap_err().id, SAVE_FAILED);
    assert_eq!(config.current().view.team.site_name, "Mattermost");
    config.write(named("kept")).await.unwrap();
    let stored = memory.versions.lock().unwrap()[0].stored.clone();
    assert_eq!(stored.document["TeamSettings"]["SiteName"], "kept");
    assert_eq!(config.current().version(), stored.id);
    assert_eq!(stored.document["SqlSettings"]["AtRestEncryptKey"].as_str().unwrap().len(), 32);
    assert!(!stored.document.contains_key("FeatureFlags"));
}

#[actix_rt::test]
async fn what_changes_nothing_and_what_is_only_tried_store_nothing() {
    let (config, memory) = start(Config::from_overrides([]).unwrap(), Vec::new(), Vec::new());
    config.write(named("kept")).await.unwrap();
    let again = config.write(named("kept")).await.unwrap();
    assert_eq!(again.decision.config.version(), memory.versions.lock().unwrap()[0].stored.id);
    let tried = config.write(Write { is_dry_run: true, ..named("tried") }).await.unwrap();
    assert_eq!(tried.decision.changes[0].path, "TeamSettings.SiteName");
    assert_eq!(config.current().view.team.site_name, "kept");
    assert_eq!(memory.versions.lock().unwrap().len(), 1);
}

#[actix_rt::test]
async fn a_writer_who_knows_another_version_is_refused() {
    let (config, _) = start(Config::from_overrides([]).unwrap(), Vec::new(), Vec::new());
    let knows_default = Write { expected: Some(vec!["default".to_owned()]), ..named("one") };
    config.write(knows_default).await.unwrap();
    let knows_default = Write { expected: Some(vec!["default".to_owned()]), ..named("two") };
    assert_eq!(config.write(knows_default).await.unwrap_err().id, "app.config.version_conflict.app_error");
    assert_eq!(config.current().view.team.site_name, "one");
}

#[actix_rt::test]
async fn what_is_pinned_wins_and_is_never_stored() {
    let (config, memory) = start(Config::from_overrides([site_name("pinned")]).unwrap(), Vec::new(), Vec::new());
    let write = patch(json!({ "TeamSettings": { "SiteName": "written", "MaxUsersPerTeam": 7 } }));
    config.write(write).await.unwrap();
    assert_eq!(config.current().view.team.site_name, "pinned");
    let stored = memory.versions.lock().unwrap()[0].stored.clone();
    assert_eq!(stored.document["TeamSettings"]["SiteName"], "Mattermost");
    assert_eq!(stored.document["TeamSettings"]["MaxUsersPerTeam"], 7);
}

#[actix_rt::test]
async fn a_broken_rule_refuses_the_change_and_every_broken_rule_is_named() {
    let (config, memory) = start(Config::from_overrides([]).unwrap(), Vec::new(), Vec::new());
    let broken = patch(json!({ "TeamSettings": { "MaxUsersPerTeam": 0 }, "ServiceSettings": { "ReadTimeout": 0 } }));
    let refusal = config.write(broken).await.unwrap_err();
    assert_eq!(refusal.id, "model.config.is_valid.max_users.app_error");
    let pointers: Vec<&str> = refusal.failures.iter().map(|failure| failure.pointer.as_str()).collect();
    assert_eq!(pointers, ["/TeamSettings/MaxUsersPerTeam", "/ServiceSettings/ReadTimeout"]);
    assert!(memory.versions.lock().unwrap().is_empty());
}

#[test]
fn the_view_reads_every_setting_it_names_from_the_defaults() {
    let config = Config::from_overrides([]).unwrap();
    assert_eq!(config.view.service.maximum_url_length, 2048);
    assert_eq!(config.view.service.tls_min_ver, "1.2");
    assert_eq!(config.view.rate_limit.memory_store_size, 10_000);
    assert!(config.view.email.enable_sign_in_with_username);
}

#[test]
fn a_map_is_overridden_as_a_whole_and_a_nested_section_is_not() {
    let overrides = [
        ("FeatureFlags".to_owned(), Value::from("all")),
        ("PluginSettings.PluginStates".to_owned(), json!({"one": {"Enable": true}})),
    ];
    let document = Config::from_overrides(overrides).unwrap().document;
    assert_eq!(document["PluginSettings"]["PluginStates"]["one"], json!({"Enable": true}));
    assert_eq!(document["FeatureFlags"]["AppsEnabled"], false);
}

#[actix_rt::test]
async fn a_change_is_told_once_it_is_in_force_and_what_an_override_hides_is_not() {
    let pinned_name = Config::from_overrides([site_name("pinned")]).unwrap();
    let (config, _) = start(pinned_name, vec![Step::Gives(pinned("again"))], Vec::new());
    let mut events = config.events();
    config.write(patch(json!({ "TeamSettings": { "MaxUsersPerTeam": 7 } }))).await.unwrap();
    let told = events.try_recv().unwrap();
    assert_eq!((told.before.view.team.max_users_per_team, told.after.view.team.max_users_per_team), (50, 7));
    assert!(Arc::ptr_eq(&told.after, &config.current()));
    config.write(named("hidden")).await.unwrap();
    assert!(events.try_recv().is_err());
    config.reload(context()).await.unwrap();
    assert_eq!(events.try_recv().unwrap().after.view.team.site_name, "again");
}

/// Limits a change to the settings that `may_write` selects.
fn allowed(mut write: Write, may_write: impl Fn(&super::table::Setting) -> bool + Send + Sync + 'static) -> Write {
    if let Wanted::Proposal(proposal) = &mut write.wanted {
        proposal.may_write = Arc::new(may_write);
    }
    write
}

/// Makes a patch whose decision calls `may_write` for each setting.
fn asking(may_write: impl Fn() -> bool + Send + Sync + 'static) -> Write {
    allowed(named("slow"), move |_| may_write())
}

#[actix_rt::test]
async fn while_a_change_is_decided_the_other_actors_of_the_thread_answer() {
    let (slow, _) = start(Config::from_overrides([]).unwrap(), Vec::new(), Vec::new());
    let (other, _) = start(Config::from_overrides([]).unwrap(), Vec::new(), Vec::new());
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (finish, may_finish) = std::sync::mpsc::channel::<()>();
    let signals = Mutex::new((Some(begun), Some(may_finish)));
    let write = asking(move || {
        let (begun, may_finish) = std::mem::take(&mut *signals.lock().unwrap());
        if let (Some(begun), Some(may_finish)) = (begun, may_finish) {
            begun.send(()).unwrap();
            may_finish.recv().unwrap();
        }
        true
    });
    let waiting = slow.clone();
    let deciding = actix_rt::spawn(async move { waiting.write(write).await });
    has_begun.await.unwrap();
    other.write(named("other")).await.unwrap();
    assert_eq!(other.current().view.team.site_name, "other");
    finish.send(()).unwrap();
    deciding.await.unwrap().unwrap();
    assert_eq!(slow.current().view.team.site_name, "slow");
}

#[actix_rt::test]
async fn a_panic_while_a_change_is_decided_refuses_that_change_only() {
    let (config, memory) = start(Config::from_overrides([]).unwrap(), Vec::new(), Vec::new());
    let refused = config.write(asking(|| panic!("asked to"))).await.unwrap_err();
    assert_eq!(refused.id, "app.save_config.app_error");
    assert!(memory.versions.lock().unwrap().is_empty());
    config.write(named("next")).await.unwrap();
    assert_eq!(config.current().view.team.site_name, "next");
    assert_eq!(config.vitals().restarts(), 0);
}

#[actix_rt::test]
async fn what_the_caller_may_not_write_is_passed_over_before_any_work_goes_into_it() {
    let (config, _) = start(Config::from_overrides([]).unwrap(), Vec::new(), Vec::new());
    let stored = json!({ "SqlSettings": { "DataSourceReplicas": ["one", "two"] } });
    config.write(patch(stored)).await.unwrap();
    let hidden = json!({
        "SqlSettings": { "DataSourceReplicas": [super::secrets::PLACEHOLDER] }, "TeamSettings": { "SiteName": "named" },
    });
    let mut write = patch(hidden.clone());
    assert_eq!(config.write(write).await.unwrap_err().id, "api.config.ambiguous_secret.app_error");
    write = allowed(patch(hidden), |setting| setting.path == "TeamSettings.SiteName");
    let decision = config.write(write).await.unwrap().decision;
    assert_eq!(decision.changes.len(), 1);
    assert_eq!(config.current().document["SqlSettings"]["DataSourceReplicas"], json!(["one", "two"]));
}
