//! Product notices for users. The actor fetches a feed at intervals and replaces the notices as a whole; reads send no
//! message.
//!
//! The server starts without waiting for the feed, and no request fails without it.
//! A crash loses the fetch in progress, and the next one starts at once. Readers keep the last published notices.

pub mod conditions;
mod constraint;
mod dates;
pub mod feed;
pub mod versions;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::view::AnnouncementSettings;
use crate::config::{Config, ConfigHandle};
use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};
use conditions::{Facts, Reader, Site};
use feed::{Feed, Notice, Shown, Viewing};

/// The maximum length of a notice's id, in characters. It is the width of the column in the table of views.
pub const MAX_ID_CHARACTERS: usize = 26;

/// The delay before the next fetch if the configured interval is not positive, in seconds.
const DEFAULT_FETCH_INTERVAL_S: u64 = 3600;

/// Fetches feeds.
pub trait NoticeSource: Send + Sync {
    /// Requests the feed at `url`. With marks, the server sends it only if it has changed since they were given.
    fn fetch(&self, url: String, validators: Validators) -> BoxFuture<'static, Result<Fetched, String>>;
}

/// Stores data for notices.
pub trait NoticeStore: Send + Sync {
    /// Loads facts about the installation.
    fn facts(&self) -> BoxFuture<'static, Result<Facts, AppError>>;
    /// Deletes the views of notices that are not among `ids`.
    fn delete_other_views(&self, ids: Vec<String>) -> BoxFuture<'static, Result<(), AppError>>;
}

/// The HTTP validators of a feed, as its server sent them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The `ETag`.
    pub etag: Option<String>,
    /// The `Date`.
    pub date: Option<String>,
}

/// The response of the feed's server.
#[derive(Debug)]
pub enum Fetched {
    /// The feed, with its marks.
    New(Vec<u8>, Validators),
    /// The feed has not changed.
    Same,
    /// Any other response, with its status.
    Refused(u16),
}

/// The notices in force, and the facts about the installation.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    /// The notices in the order of the feed.
    pub list: Arc<[Notice]>,
    facts: Facts,
}

impl Notices {
    /// Returns the notices for `reader`, in the language `locale` if available, or else in English.
    ///
    /// Fails if the reader's client version is unreadable and at least one notice is meant for that kind of client.
    pub fn shown(
        &self,
        locale: &str,
        viewings: &[Viewing],
        reader: &Reader<'_>,
        site: &Site<'_>,
    ) -> Result<Vec<Shown<'_>>, AppError> {
        let shown = self.list.iter().map(|notice| {
            let viewing = viewings.iter().find(|viewing| viewing.notice_id == notice.id());
            notice.shown(locale, viewing, reader, site, &self.facts)
        });
        let shown = shown.filter_map(Result::transpose).collect::<Result<_, _>>();
        shown.map_err(|_| AppError::new("api.system.update_notices.validating_failed"))
    }

    /// Returns the ids of all notices.
    pub fn ids(&self) -> Vec<String> {
        self.list.iter().map(|notice| notice.id().to_owned()).collect()
    }
}

/// The handle of the actor. `fn` reads the snapshot.
#[derive(Clone)]
pub struct NoticesHandle {
    actor: ActorRef<NoticesActor>,
    current: watch::Receiver<Arc<Notices>>,
}

impl NoticesHandle {
    /// Starts to fetch with the configuration in force. There are no notices until the first fetch is done.
    pub fn start(config: ConfigHandle, source: Arc<dyn NoticeSource>, store: Arc<dyn NoticeStore>) -> Self {
        let publish = Arc::new(watch::Sender::new(Arc::default()));
        let current = publish.subscribe();
        let actor = supervise("notices", move || NoticesActor {
            settings: config.current().view.announcement.clone(),
            config: config.clone(),
            source: source.clone(),
            store: store.clone(),
            publish: publish.clone(),
            validators: Validators::default(),
            ids: None,
            refused: Vec::new(),
            last_failure: None,
            next: None,
        });
        Self { actor, current }
    }

    /// Returns the notices in force now.
    pub fn current(&self) -> Arc<Notices> {
        self.current.borrow().clone()
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct NoticesActor {
    config: ConfigHandle,
    source: Arc<dyn NoticeSource>,
    store: Arc<dyn NoticeStore>,
    publish: Arc<watch::Sender<Arc<Notices>>>,
    settings: AnnouncementSettings,
    /// The HTTP validators of the feed in force.
    validators: Validators,
    /// The ids of all entries of the feed in force; `None` without a feed.
    ids: Option<Vec<String>>,
    /// The reasons why entries of the feed in force were left out.
    refused: Vec<String>,
    /// The reason why the last fetch returned no feed.
    last_failure: Option<String>,
    /// The fetch in progress, or the timer for the next one.
    next: Option<SpawnHandle>,
}

/// The result of a fetch.
enum Outcome {
    Same,
    New(Feed, Validators),
    /// The server has no feed any more.
    Gone(String),
    /// The fetch failed, so the last feed stays in force.
    Failed(String),
}

impl Actor for NoticesActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.wait_for_change(self.config.follow(), context);
        self.fetch(context);
    }
}

impl NoticesActor {
    fn wait_for_change(&mut self, mut config: watch::Receiver<Arc<Config>>, context: &mut Context<Self>) {
        let change = async move { config.changed().await.map(|()| config) };
        context.spawn(change.into_actor(self).map(|config, actor, context| {
            if let Ok(mut config) = config {
                let settings = config.borrow_and_update().view.announcement.clone();
                actor.adopt(settings, context);
                actor.wait_for_change(config, context);
            }
        }));
    }

    fn adopt(&mut self, settings: AnnouncementSettings, context: &mut Context<Self>) {
        if settings == self.settings {
            return;
        }
        let is_elsewhere = settings.notices_url != self.settings.notices_url;
        self.settings = settings;
        if is_elsewhere {
            self.drop_feed();
        }
        self.fetch(context);
    }

    /// Fetches now, in place of any fetch in progress, and again after the interval. Does nothing while notices are
    /// disabled.
    fn fetch(&mut self, context: &mut Context<Self>) {
        if let Some(earlier) = self.next.take() {
            context.cancel_future(earlier);
        }
        let settings = &self.settings;
        let is_wanted = settings.admin_notices_enabled || settings.user_notices_enabled;
        if !is_wanted || settings.notices_url.is_empty() {
            return;
        }
        let validators = if settings.notices_skip_cache { Validators::default() } else { self.validators.clone() };
        let fetching = self.source.fetch(settings.notices_url.clone(), validators);
        let facts = self.store.facts();
        let round = async move { (outcome(fetching.await), facts.await) };
        self.next = Some(context.spawn(round.into_actor(self).map(|(outcome, facts), actor, context| {
            actor.take_facts(facts);
            actor.take(outcome);
            actor.clean_up(context);
            let fetch_interval = fetch_interval(actor.settings.notices_fetch_frequency);
            actor.next = Some(context.run_later(fetch_interval, Self::fetch));
        })));
    }

    fn take_facts(&mut self, facts: Result<Facts, AppError>) {
        match facts {
            Ok(facts) => self.publish.send_modify(|notices| Arc::make_mut(notices).facts = facts),
            Err(cause) => {
                warn!(
                    error = %cause,
                    "the facts that product notices depend on could not be read; the earlier facts stay in use"
                );
            }
        }
    }

    fn take(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Same => self.note(None),
            Outcome::New(feed, validators) => {
                self.note(None);
                self.note_refused(feed.refused);
                self.validators = validators;
                self.ids = Some(feed.ids);
                self.put_in_force(feed.notices.into());
            }
            Outcome::Gone(cause) => {
                self.note(Some(cause));
                self.drop_feed();
            }
            Outcome::Failed(cause) => self.note(Some(cause)),
        }
    }

    fn drop_feed(&mut self) {
        self.validators = Validators::default();
        self.ids = None;
        self.refused.clear();
        self.put_in_force(Arc::default());
    }

    fn put_in_force(&mut self, list: Arc<[Notice]>) {
        self.publish.send_modify(|notices| Arc::make_mut(notices).list = list);
    }

    /// Deletes the views of notices that are not in the feed any more. Does nothing without a feed.
    fn clean_up(&mut self, context: &mut Context<Self>) {
        let Some(ids) = self.ids.clone() else { return };
        context.spawn(self.store.delete_other_views(ids).into_actor(self).map(|deleted, _, _| {
            if let Err(cause) = deleted {
                warn!(error = %cause, "views of product notices that left the feed could not be deleted");
            }
        }));
    }

    /// Logs the reason for a missing feed only when it changes, because an installation without internet access never
    /// gets a feed.
    fn note(&mut self, last_failure: Option<String>) {
        match &last_failure {
            Some(cause) if self.last_failure != last_failure => warn!(cause, "product notices could not be fetched"),
            None if self.last_failure.is_some() => info!("product notices can be fetched again"),
            Some(_) | None => {}
        }
        self.last_failure = last_failure;
    }

    fn note_refused(&mut self, refused: Vec<String>) {
        let is_news = refused != self.refused;
        if let (true, Some(first)) = (is_news, refused.first()) {
            warn!(
                notices.refused = refused.len(),
                first, "invalid or surplus entries of the product notices feed are ignored"
            );
        }
        self.refused = refused;
    }
}

fn outcome(fetched: Result<Fetched, String>) -> Outcome {
    match fetched {
        Ok(Fetched::Same) => Outcome::Same,
        Ok(Fetched::New(body, validators)) => match Feed::read(&body) {
            Ok(feed) => Outcome::New(feed, validators),
            Err(cause) => Outcome::Failed(format!("the response is not a feed: {cause}")),
        },
        Ok(Fetched::Refused(status)) => Outcome::Gone(format!("the server of the feed answered {status}")),
        Err(cause) => Outcome::Failed(cause),
    }
}

fn fetch_interval(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_FETCH_INTERVAL_S))
}

#[cfg(test)]
mod tests;
