//! The configuration in force: one writer, replaced as a whole, read without asking.
//!
//! A crash loses the message being handled; readers keep the last published configuration.

pub mod access;
pub mod client;
pub mod difference;
pub mod document;
pub mod fixes;
pub mod merge;
pub mod rules;
pub mod secrets;
pub mod shape;
pub mod table;
pub mod view;

#[cfg(test)]
mod arbitrary;

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tracing::info;

use crate::error::{AppError, OrFail};
use crate::supervisor::{ActorRef, Vitals, supervise};
use table::{Kind, Mode};
use view::View;

/// A configuration: the whole document, and the part of it that the server itself acts on.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Every section with every setting, under the names of the API.
    pub document: Map<String, Value>,
    /// What the server acts on, typed.
    pub view: View,
}

impl Config {
    /// Lays `overrides` (path and value) over the defaults; their kinds have been checked.
    pub fn from_overrides(overrides: impl IntoIterator<Item = (String, Value)>) -> Result<Self, serde_json::Error> {
        let mut document = table::defaults(Mode::Blank);
        for (path, value) in overrides {
            // A variable that is named like a nested section has no effect.
            let is_section = table::settings().get(&path).is_some_and(|setting| setting.kind == Kind::Object);
            if !is_section {
                document::insert(&mut document, &path, value);
            }
        }
        Self::from_document(document)
    }

    fn from_document(document: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let view = serde_json::from_value(Value::Object(document.clone()))?;
        Ok(Self { document, view })
    }
}

/// Where a configuration comes from: pinned file, environment.
pub trait ConfigSource: Send + Sync {
    /// Reads and checks it anew.
    fn load(&self) -> BoxFuture<'static, Result<Config, AppError>>;
}

/// What the server holds. `fn` reads the snapshot; `async fn` asks the actor.
#[derive(Clone)]
pub struct ConfigHandle {
    actor: ActorRef<ConfigActor>,
    current: watch::Receiver<Arc<Config>>,
}

impl ConfigHandle {
    /// Starts the actor with the configuration that was read at start.
    pub fn start(config: Config, source: Arc<dyn ConfigSource>) -> Self {
        let publish = Arc::new(watch::Sender::new(Arc::new(config)));
        let current = publish.subscribe();
        let actor = supervise("config", move || ConfigActor { source: source.clone(), publish: publish.clone() });
        Self { actor, current }
    }

    /// The configuration in force now.
    pub fn current(&self) -> Arc<Config> {
        self.current.borrow().clone()
    }

    /// Sees every later configuration.
    pub fn follow(&self) -> watch::Receiver<Arc<Config>> {
        self.current.clone()
    }

    /// Reads the configuration anew and puts it in force; a configuration that is refused changes nothing.
    pub async fn reload(&self) -> Result<Arc<Config>, AppError> {
        self.actor.ask(Reload).await?
    }

    /// How the actor fares.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct ConfigActor {
    source: Arc<dyn ConfigSource>,
    publish: Arc<watch::Sender<Arc<Config>>>,
}

impl Actor for ConfigActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<Arc<Config>, AppError>")]
struct Reload;

impl Handler<Reload> for ConfigActor {
    type Result = AtomicResponse<Self, Result<Arc<Config>, AppError>>;

    // Atomic: two reloads never publish in the wrong order.
    fn handle(&mut self, _: Reload, _: &mut Self::Context) -> Self::Result {
        let source = self.source.clone();
        let load = async move { source.load().await.or_fail("api.config.reload_config.app_error").map(Arc::new) };
        AtomicResponse::new(Box::pin(load.into_actor(self).map(|loaded, actor, _| {
            if let Ok(config) = &loaded {
                let is_changed = actor.publish.send_if_modified(|current| {
                    let is_changed = current != config;
                    *current = config.clone();
                    is_changed
                });
                info!(config.changed = is_changed, "configuration reloaded");
            }
            loaded
        })))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Loads what it was told last: a configuration, a refusal, or a panic.
    struct Scripted(Mutex<Vec<Step>>);

    enum Step {
        Loads(Box<Config>),
        Refuses,
        Panics,
    }

    impl ConfigSource for Scripted {
        fn load(&self) -> BoxFuture<'static, Result<Config, AppError>> {
            let step = self.0.lock().unwrap().remove(0);
            Box::pin(async move {
                match step {
                    Step::Loads(config) => Ok(*config),
                    Step::Refuses => Err(AppError::new("test.refused")),
                    Step::Panics => panic!("asked to"),
                }
            })
        }
    }

    fn named(name: &str) -> Config {
        Config::from_overrides([("TeamSettings.SiteName".to_owned(), Value::from(name))]).unwrap()
    }

    #[actix_rt::test]
    async fn a_reload_is_published_and_a_refused_one_changes_nothing() {
        let script = vec![Step::Loads(Box::new(named("second"))), Step::Refuses];
        let config = ConfigHandle::start(named("first"), Arc::new(Scripted(Mutex::new(script))));
        config.reload().await.unwrap();
        assert_eq!(config.current().view.team.site_name, "second");
        assert_eq!(config.reload().await.unwrap_err().id, "api.config.reload_config.app_error");
        assert_eq!(config.current().view.team.site_name, "second");
    }

    #[actix_rt::test]
    async fn a_crash_keeps_the_published_configuration_and_the_next_message_is_served() {
        let script = vec![Step::Panics, Step::Loads(Box::new(named("second")))];
        let config = ConfigHandle::start(named("first"), Arc::new(Scripted(Mutex::new(script))));
        assert_eq!(config.reload().await.unwrap_err().id, "app.actor.ended.app_error");
        assert_eq!(config.current().view.team.site_name, "first");
        config.reload().await.unwrap();
        assert_eq!(config.current().view.team.site_name, "second");
        assert_eq!(config.vitals().restarts(), 1);
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
            ("PluginSettings.PluginStates".to_owned(), serde_json::json!({"one": {"Enable": true}})),
        ];
        let document = Config::from_overrides(overrides).unwrap().document;
        assert_eq!(document["PluginSettings"]["PluginStates"], serde_json::json!({"one": {"Enable": true}}));
        assert_eq!(document["FeatureFlags"]["AppsEnabled"], false);
    }
}
