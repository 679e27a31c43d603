//! A store for tests that several servers share.

use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};

use super::confirmation::{Confirmation, MISSING, PENDING};
use super::proposal::{ChangeMode, DecisionContext, Proposal};
use super::saving::{CONFLICT, UNREADABLE, Wanted, Write};
use super::{Author, Config, ConfigHandle, ConfigSource, ConfigStore, Document, Overrides, Stored, Version};
use crate::error::AppError;

/// A store of two processes. It refuses a version that replaces another one than the last.
#[derive(Clone, Default)]
pub(super) struct Shared {
    pub(super) versions: Arc<Mutex<Vec<Version>>>,
    pub(super) is_unreadable: Arc<Mutex<bool>>,
    /// True if the version is readable after the next read of it.
    pub(super) is_repaired_next: Arc<Mutex<bool>>,
    waiting: Arc<Mutex<Option<Confirmation>>>,
}

impl Shared {
    pub(super) fn last(&self) -> Option<Stored> {
        self.versions.lock().unwrap().last().map(|version| version.stored.clone())
    }

    pub(super) fn site_name(&self) -> Value {
        self.last().unwrap().document["TeamSettings"]["SiteName"].clone()
    }
}

impl ConfigStore for Shared {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        let is_unreadable = *self.is_unreadable.lock().unwrap();
        if std::mem::take(&mut *self.is_repaired_next.lock().unwrap()) {
            *self.is_unreadable.lock().unwrap() = false;
        }
        let last = self.last();
        async move { if is_unreadable { Err(AppError::new(UNREADABLE).with("Problem", "half")) } else { Ok(last) } }
            .boxed()
    }

    fn active_id(&self) -> BoxFuture<'static, Result<Option<String>, AppError>> {
        let is_unreadable = *self.is_unreadable.lock().unwrap();
        let last = self.last().map(|stored| stored.id);
        async move { Ok(if is_unreadable { Some("unreadable".to_owned()) } else { last }) }.boxed()
    }

    fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>> {
        let store = self.clone();
        async move {
            if store.active_id().await? != version.replaces {
                return Err(AppError::new(CONFLICT).with("Current", ""));
            }
            let mut waiting = store.waiting.lock().unwrap();
            if let Some(unconfirmed) = &version.takes_back {
                let taken = waiting.take_if(|waiting| waiting == unconfirmed);
                taken.ok_or_else(|| AppError::new(MISSING))?;
            }
            if version.confirmation.is_some() && waiting.is_some() {
                return Err(AppError::new(PENDING));
            }
            if version.confirmation.is_some() {
                waiting.clone_from(&version.confirmation);
            }
            drop(waiting);
            *store.is_unreadable.lock().unwrap() = false;
            store.versions.lock().unwrap().push(version);
            Ok(())
        }
        .boxed()
    }

    fn version(&self, id: &str) -> BoxFuture<'static, Result<Option<Document>, AppError>> {
        let versions = self.versions.lock().unwrap();
        let found = versions.iter().find(|version| version.stored.id == id).map(|found| found.stored.document.clone());
        async { Ok(found) }.boxed()
    }

    fn confirmation(&self) -> BoxFuture<'static, Result<Option<Confirmation>, AppError>> {
        let waiting = self.waiting.lock().unwrap().clone();
        async { Ok(waiting) }.boxed()
    }

    fn set_confirmation(
        &self,
        before: Confirmation,
        after: Option<Confirmation>,
    ) -> BoxFuture<'static, Result<bool, AppError>> {
        let is_set = self.change(after, &before);
        async move { Ok(is_set) }.boxed()
    }
}

impl Shared {
    fn change(&self, after: Option<Confirmation>, before: &Confirmation) -> bool {
        let mut waiting = self.waiting.lock().unwrap();
        let is_same = waiting.as_ref() == Some(before);
        if is_same {
            *waiting = after;
        }
        is_same
    }
}

impl ConfigSource for Shared {
    fn load(&self) -> BoxFuture<'static, Result<Overrides, AppError>> {
        async { Ok(Overrides::new()) }.boxed()
    }
}

pub(super) fn start(store: &Shared) -> ConfigHandle {
    ConfigHandle::start(Config::from_overrides([]).unwrap(), Arc::new(store.clone()), Arc::new(store.clone()))
}

pub(super) fn write(wanted: Wanted) -> Write {
    let author = Author {
        user_id: String::new(),
        session_id: String::new(),
        address: String::new(),
        source: "api",
        comment: String::new(),
    };
    let context = DecisionContext {
        now_ms: 1,
        file_exists: Arc::new(|_| true),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(|_, _| String::new()),
    };
    Write { wanted, author, expected: None, base: None, is_dry_run: false, confirm: None, admits: None, context }
}

pub(super) fn document(body: Value) -> Document {
    let Value::Object(document) = body else { panic!("no object") };
    document
}

pub(super) fn proposed(mode: ChangeMode, body: Document) -> Write {
    write(Wanted::Proposal(Proposal {
        mode,
        body,
        may_write: Arc::new(|_| true),
        may_read: Arc::new(|_| true),
        is_local: true,
        may_keep_secrets: true,
    }))
}

pub(super) fn patch(body: Value) -> Write {
    proposed(ChangeMode::Patch, document(body))
}

pub(super) fn named(name: &str) -> Write {
    patch(json!({ "TeamSettings": { "SiteName": name } }))
}

pub(super) fn limited(users: u64) -> Write {
    patch(json!({ "TeamSettings": { "MaxUsersPerTeam": users } }))
}
